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


def test_a_tunnel_is_a_control_by_itself() -> None:
    proxy, device = read("[{via: 'socks5://127.0.0.1:1080', country: DE}, {via: 'device://wg0', name: my-vpn}]")
    assert (proxy.kind, proxy.url, proxy.proxy, proxy.country) == (
        ControlKind.TUNNEL,
        "",
        "socks5://127.0.0.1:1080",
        "DE",
    )
    assert (device.kind, device.name, device.proxy) == (ControlKind.TUNNEL, "my-vpn", "device://wg0")


def test_another_agent_is_a_control_and_may_be_behind_a_proxy() -> None:
    (peer,) = read("{peer: 'https://fra-1.example:9785', token_env: T, via: 'http://127.0.0.1:3128'}")
    assert (peer.kind, peer.url, peer.proxy) == (
        ControlKind.PEER,
        "https://fra-1.example:9785",
        "http://127.0.0.1:3128",
    )


def test_no_control_is_none() -> None:
    assert parse_config("", "wallprobe.yml", {}).controls == ()


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{via: 'socks5://127.0.0.1'}", "no tunnel"),
        ("{via: 'socks5://me:secret@127.0.0.1:1080'}", "no tunnel"),
        ("{via: 'device://wg0', token_env: A}", "unknown key"),
        ("{url: 'https://c.example', via: 'device://wg0'}", "no proxy"),
        ("{peer: 'https://c.example', url: 'https://d.example'}", "url and peer"),
        ("{peer: 'c.example'}", "no address of a control"),
        ("{peer: 'http://c.example', token_env: B}", "in the clear"),
        ("{url: 'https://c.example', type: tunnel}", "is no good"),
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
