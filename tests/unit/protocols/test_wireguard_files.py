"""WireGuard's files and links as people have them, and any text."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.protocols.wireguard import config
from tests.dialogues.wireguard_client import CLIENT, PSK, SERVER, text
from tests.dialogues.wireguard_server import public

FILE = f"""
[Interface]   # the laptop
PrivateKey = {text(CLIENT)}
Address = 10.7.0.2/32, fd00::2/128
DNS = 10.7.0.1, example.org
Jc = 4
Jmin = 40
Jmax = 70
I1 = <b 0xc7000000010800><r 8>

[Peer]
PublicKey = {text(public(SERVER))}
PresharedKey = {text(PSK)}
AllowedIPs = 0.0.0.0/0
AllowedIPs = ::/0
Endpoint = vpn.example:51820

[Peer]
PublicKey={text(public(PSK))}
Endpoint = [2001:db8::1]:443
"""


def test_a_file_has_an_endpoint_for_each_peer():
    assert config.is_config(FILE)
    first, second = config.parse_config(FILE)
    assert (first.host, first.port) == ("vpn.example", 51820)
    assert dict(first.params) == {
        "public_key": text(public(SERVER)), "address": "10.7.0.2/32,fd00::2/128", "ping": "10.7.0.1",
        "jc": "4", "jmin": "40", "jmax": "70",
    }  # fmt: skip
    decoy = {"i1": "<b 0xc7000000010800><r 8>"}
    assert dict(first.secrets) == {"private_key": text(CLIENT), "preshared_key": text(PSK)} | decoy
    assert (second.host, second.port) == ("2001:db8::1", 443)
    assert dict(second.secrets) == {"private_key": text(CLIENT)} | decoy


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("Endpoint", "#Endpoint"), "nobody to speak to"),
        ((":51820", ""), "host:port"),
        (("PrivateKey = ", "PrivateKey = x"), "44 characters"),
        (("[Interface]", "PrivateKey = x"), "no `Key = value`"),
        (("Jc = 4", "Jc"), "line 6"),
        (("10.7.0.2/32", "home"), "no IP address"),
    ],
)
def test_a_file_that_is_none_is_told_without_quoting_it(change, what):
    with pytest.raises(ValueError, match=re.escape(what)) as caught:
        config.parse_config(FILE.replace(*change))
    assert text(CLIENT)[:20] not in str(caught.value)


def test_other_files_of_this_ending_are_not_taken():
    assert not config.is_config("[Unit]\nDescription=x\n")
    assert not config.is_config("server { listen 80; }")


def test_a_link_holds_what_a_file_holds():
    key = text(CLIENT).replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    server = text(public(SERVER)).replace("+", "%2B")
    link = f"wireguard://{key}@vpn.example?publickey={server}&address=10.0.0.2/32&reserved=1,2,3&mtu=1280#home"
    parsed = config.parse_link(link)
    assert (parsed.host, parsed.port, parsed.label) == ("vpn.example", 51820, "home")
    assert dict(parsed.secrets) == {"private_key": text(CLIENT)}
    assert parsed.params["public_key"] == text(public(SERVER))
    for bad in ("wireguard://vpn.example", link.replace("mtu", "colour"), link.replace(server, "AAAA")):
        with pytest.raises(ValueError, match=r"missing|unknown|44 characters"):
            config.parse_link(bad)


@given(st.text(max_size=200))
def test_any_text_is_a_file_or_an_error(content):
    for whole in (content, FILE + content):
        with contextlib.suppress(ValueError):
            assert config.parse_config(whole)
