"""ECH configurations: RFC 9849 section 4, by hand, whole, cut and as anything."""

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.model.experiment import EchConfig
from probe.protocols.tls.ech import build_config_list, find_config, parse_config_list

LIST = build_config_list("cloudflare-ech.com", 197, bytes(range(32)))
CONFIG = EchConfig(public_name="cloudflare-ech.com", config_id=197, kdf=1, aead=1)
# One configuration: X25519, HKDF-SHA256 with AES-128-GCM, no padding wanted, no extensions.
BY_HAND = bytes.fromhex(
    "0045fe0d0041c5002000207a9c5e1b0f3d2a4c6e8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e60004000100010012"
    "636c6f7564666c6172652d6563682e636f6d0000"
)


def test_a_list_written_by_hand_is_read() -> None:
    assert parse_config_list(BY_HAND) == (CONFIG,)


def test_what_is_built_is_read() -> None:
    assert parse_config_list(LIST) == (CONFIG,)


def entries(*several: bytes) -> bytes:
    body = b"".join(several)
    return len(body).to_bytes(2, "big") + body


def test_what_we_cannot_use_is_passed_over() -> None:
    other_version = b"\xfe\x0a\x00\x02\xab\xcd"
    other_kem = LIST[2:].replace(b"\x00\x20\x00\x20", b"\x00\x10\x00\x20", 1)
    assert parse_config_list(entries(other_version, other_kem, LIST[2:])) == (CONFIG,)


def with_extension(kind: bytes) -> bytes:
    content = LIST[6:-2] + b"\x00\x04" + kind + b"\x00\x00"
    return entries(b"\xfe\x0d" + len(content).to_bytes(2, "big") + content)


def test_an_extension_that_must_be_understood_is_not() -> None:
    assert parse_config_list(with_extension(b"\x00\x09")) == (CONFIG,)
    assert parse_config_list(with_extension(b"\x80\x09")) == ()


@pytest.mark.parametrize("name", ["192.0.2.1", "no-dot", "a b.example", "x" * 64 + ".example", ".example"])
def test_a_public_name_that_is_no_host_name_is_passed_over(name: str) -> None:
    assert parse_config_list(build_config_list(name, 1, bytes(32))) == ()


@pytest.mark.parametrize("length", range(len(LIST)))
def test_cut_short_it_is_an_error(length: int) -> None:
    with pytest.raises(ProtocolError):
        parse_config_list(LIST[:length])


def test_bytes_after_it_are_an_error() -> None:
    with pytest.raises(ProtocolError):
        parse_config_list(LIST + b"\0")


@given(st.binary(max_size=120))
def test_any_bytes_are_a_list_or_a_protocol_error(data: bytes) -> None:
    for wire in (data, entries(data), entries(b"\xfe\x0d" + len(data).to_bytes(2, "big") + data)):
        with contextlib.suppress(ProtocolError):
            assert isinstance(parse_config_list(wire), tuple)


def test_a_record_gives_the_first_configuration_that_can_be_used() -> None:
    given_ = base64.b64encode(LIST).decode()
    assert find_config((f'1 . alpn="h3,h2" ipv4hint="192.0.2.1" ech="{given_}"',)) == CONFIG
    assert find_config((f"1 . ech={given_}",)) == CONFIG
    assert find_config(("0 other.example", "1 . ech=AAAA", f'1 . ech="{given_}" port=8443')) == CONFIG


@given(st.text(max_size=80))
def test_any_record_gives_a_configuration_or_none(text: str) -> None:
    found = find_config((text, f"1 . ech={text}"))
    assert found is None or isinstance(found, EchConfig)
