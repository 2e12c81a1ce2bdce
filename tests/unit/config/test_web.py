"""`web:` of the configuration."""

import pytest

from probe.config.reader import parse_config
from probe.model.errors import UserError
from probe.model.settings import WebSettings


def read(text: str) -> WebSettings:
    return parse_config(f"web: {text}", "wallprobe.yml", {}).web


def test_the_prefix_is_the_path_of_the_outer_url_unless_it_is_given():
    assert read("{external_url: 'https://mon.example/wall/'}").route_prefix == "/wall"
    assert read("{external_url: 'https://mon.example/wall/', route_prefix: /}").route_prefix == ""
    assert read("{route_prefix: /a/b/}").route_prefix == "/a/b"
    assert read("{}").route_prefix == ""
    assert read("{telemetry_path: /figures/}").telemetry_path == "/figures"
    assert read("{open_health: yes, systemd_socket: yes}").open_health


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{external_url: mon.example}", "no URL of a page"),
        ("{external_url: 'ftp://mon.example'}", "no URL of a page"),
        ("{external_url: 'https://mon.example:99999/'}", "no URL of a page"),
        ("{external_url: 'https://mon.example/?a'}", "no URL of a page"),
        ("{route_prefix: 'wall'}", "no path"),
        ("{route_prefix: '/wall/{x}'}", "no path"),
        ("{telemetry_path: '/'}", "no path"),
        ("{telemetry_path: /-/healthy}", "taken"),
    ],
)
def test_what_is_no_place_is_said_with_its_line(text, says):
    with pytest.raises(UserError, match=says) as refused:
        read(text)
    assert refused.value.where.startswith("wallprobe.yml:")
