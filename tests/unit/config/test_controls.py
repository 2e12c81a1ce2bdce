"""The `control:` part: what a person may write, and what is told of the rest."""

import pytest

from probe.config.reader import parse_config
from probe.model.control import ControlKind
from probe.model.errors import UserError
from probe.model.settings import ControlSettings
from probe.model.target import SecretRef

PIN = "ab" * 32


def read(text: str) -> tuple[ControlSettings, ...]:
    return parse_config(f"control: {text}", "/etc/w/wallprobe.yml", {}).controls


def test_a_control_is_read_with_its_token_file_beside_the_configuration() -> None:
    (control,) = read(
        f"[{{url: 'https://c.example:8443/', token_file: token, pin: 'SHA256:{PIN.upper()}', asn: 64496}}]"
    )
    assert control.url == "https://c.example:8443"
    assert control.token == SecretRef(source="file:/etc/w/token")
    assert (control.pin, control.asn, control.kind) == (PIN, 64496, ControlKind.WALLPROBE)


def test_controls_keep_their_order_and_one_alone_needs_no_list() -> None:
    assert [c.url for c in read("[{url: https://b.example}, {url: https://a.example}]")] == [
        "https://b.example",
        "https://a.example",
    ]
    assert [c.url for c in read("{url: https://a.example}")] == ["https://a.example"]


def test_a_control_behind_a_proxy_and_an_ooni_helper_are_read() -> None:
    (control,) = read("{url: https://0.th.ooni.example, type: ooni, via: 'socks5://127.0.0.1:1080'}")
    assert (control.kind, control.proxy) == (ControlKind.OONI, "socks5://127.0.0.1:1080")


def test_no_control_is_none() -> None:
    assert parse_config("", "wallprobe.yml", {}).controls == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{via: 'socks5://127.0.0.1:1080'}", "a tunnel as a control is not in this version"),
        ("{peer: 'https://fra-1.example:9785'}", "another agent as a control is not in this version"),
        ("https://c.example", "not a mapping"),
        ("{url: 'ftp://c.example'}", "no address of a control"),
        ("{url: 'https://c.example:bad'}", "no address of a control"),
        ("{url: 'https://u:p@c.example'}", "no address of a control"),
        ("{url: 'https://c.example', pin: abc}", "not a SHA-256"),
        ("{url: 'https://c.example', token: secret}", "a secret does not belong here"),
        ("{url: 'https://c.example', token_file: a, token_env: B}", "there is a token_file too"),
        ("{url: 'http://c.example', token_env: B}", "in the clear"),
        ("{url: 'https://c.example', via: 'ftp://x:1'}", "no proxy"),
        ("{url: 'https://c.example', cert_file: a}", "one of cert_file and key_file"),
        ("{url: 'https://c.example', typo: a}", "unknown key"),
        ("{url: 'https://c.example', type: other}", "is no good"),
    ],
)
def test_what_is_wrong_is_said(text: str, what: str) -> None:
    with pytest.raises(UserError, match=what):
        read(text)
