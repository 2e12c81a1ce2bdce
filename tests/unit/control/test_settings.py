"""The control server's own file."""

import ipaddress
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe.cli.commands.control import control
from probe.control.settings import ServeSettings, load_serve_settings, parse_serve_settings
from probe.control.tokens import hash_token
from probe.model.errors import UserError

HASH = "ab" * 32


def read(text: str) -> ServeSettings:
    return parse_serve_settings(text, "/etc/w/control.yml")


def test_without_a_file_it_listens_on_loopback_and_has_no_token() -> None:
    settings = load_serve_settings("")
    assert (settings.listen, settings.tokens, settings.ooni_open) == (("127.0.0.1:8443",), (), False)
    assert settings.echo.high - settings.echo.low + 1 == 1024
    assert settings.policy.ports == {80, 443, 500, 853, 1194, 4500}


def test_all_keys_are_read() -> None:
    settings = read(f"""
name: fra-1
listen: ["0.0.0.0:8443", "[::]:8443"]
url: https://control.example:8443
asn: 64496
country: DE
tokens: [{{name: home, sha256: {HASH}, per_minute: 30}}]
tls: {{cert_file: c.pem, key_file: k.pem, client_ca_file: /ca.pem}}
state: state
resolvers: [udp://9.9.9.9, "dot://1.1.1.1#one.one.one.one"]
policy: {{ports: [8443, 1194], networks: [10.0.0.0/8]}}
limits: {{concurrent: 10, per_minute: 60, sockets: 100, timeout: 5s, measurement: 20s, ooni_concurrent: 4}}
echo: {{ports: 30000-30009, connections: 5}}
ooni_open: true
""")
    assert (settings.name, settings.asn, settings.country, settings.ooni_open) == ("fra-1", 64496, "DE", True)
    assert (settings.tokens[0].name, settings.tokens[0].per_minute) == ("home", 30)
    assert (settings.tls.cert_file, settings.state) == ("/etc/w/c.pem", "/etc/w/state")
    assert settings.policy.ports == {80, 443, 500, 853, 4500, 8443, 1194}
    assert settings.policy.networks == (ipaddress.ip_network("10.0.0.0/8"),)
    assert (settings.limits.concurrent, settings.limits.whole_s, settings.limits.step_s) == (10, 20, 5)
    assert (settings.echo.low, settings.echo.high, settings.echo.connections) == (30000, 30009, 5)
    assert len(settings.resolvers) == 2


def test_echo_ports_may_be_switched_off() -> None:
    assert read("echo: off").echo.low == 0


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("tokens: [{name: a, sha256: xx}]", "a token needs a name and the sha256"),
        (f"tokens: [{{sha256: {HASH}}}]", "a token needs a name"),
        ("tokens: [secret]", "write `key: value` pairs"),
        ("tls: {cert_file: a}", "one of cert_file and key_file"),
        ("policy: {ports: [0]}", "not a port"),
        ("policy: {networks: [10.0.0.1/8]}", "not a network"),
        ("echo: {ports: 5}", "no range"),
        ("echo: {ports: 1-60000}", "no range"),
        ("echo: {ports: 300-200}", "no range"),
        ("resolvers: [dns.google]", "by address"),
        ("country: de", "no good"),
        ("limits: {concurrent: 0}", "no good"),
        ("lisen: x", "did you mean listen"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, what: str) -> None:
    with pytest.raises(UserError, match=what):
        read(text)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        load_serve_settings(str(tmp_path / "none.yml"))


def test_a_new_token_comes_with_the_line_for_the_servers_file() -> None:
    output = CliRunner().invoke(control, ["token", "--name", "home"], catch_exceptions=False).output
    token = output.partition("shown once): ")[2].partition("\n")[0]
    written = output.partition("configuration:\n")[2]
    assert len(token) > 40
    (entry,) = read(written).tokens
    assert (entry.name, entry.sha256) == ("home", hash_token(token))


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--listen", "0.0.0.0:0"], "anybody could use this control"),
        (["--listen", "0.0.0.0:0", "--plain"], "tokens would travel in the clear"),
        (["--listen", "nonsense"], "not an address to listen on"),
    ],
)
def test_beyond_loopback_nothing_is_served_unprotected(arguments: list[str], what: str) -> None:
    outcome = CliRunner().invoke(control, ["serve", "--no-echo", *arguments])
    assert isinstance(outcome.exception, UserError)
    assert what in str(outcome.exception)
