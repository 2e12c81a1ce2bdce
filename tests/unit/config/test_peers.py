"""The `peers:` part: who may ask, and what is told of the rest."""

from pathlib import Path

import pytest

from probe.config.reader import parse_config
from probe.model.errors import UserError
from probe.model.settings import PeerSettings

SHA = "ab" * 32


def read(text: str, folder: str = "/etc/w", web: str = "") -> PeerSettings:
    return parse_config(f"peers: {text}\n{web}", f"{folder}/wallprobe.yml", {}).peers


def test_nobody_may_ask_unless_said() -> None:
    assert not parse_config("", "wallprobe.yml", {}).peers.served


def test_tokens_are_read_with_a_rate_of_their_own() -> None:
    tokens = f"[{{name: ber-2, sha256: {SHA}}}, {{name: x, sha256: {SHA}, per_minute: 5}}]"
    peers = read(f"{{per_minute: 10, tokens: {tokens}}}")
    assert [(token.name, token.per_minute) for token in peers.tokens] == [("ber-2", 10), ("x", 5)]
    assert peers.served


def test_certificates_of_the_web_servers_authority_may_be_enough(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text("{}")
    peers = read("{client_certificates: true}", str(tmp_path), "web: {config_file: web.yml}")
    assert peers.client_certificates
    assert peers.served


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{tokens: [{name: a}]}", "64 hex digits"),
        (f"{{tokens: [{{name: 'a b', sha256: {SHA}}}]}}", "a token needs a name"),
        (f"{{tokens: [{{name: a, sha256: {SHA}, token: x}}]}}", "unknown key"),
        ("{client_certificates: true}", "asks nobody for a certificate"),
        ("{tokns: []}", "did you mean tokens"),
    ],
)
def test_what_is_wrong_is_said(text: str, what: str) -> None:
    with pytest.raises(UserError, match=what):
        read(text)
