"""ICMP echo messages, against RFC examples, scapy and any bytes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.protocols.icmp_echo import EchoReply, build_request, compute_checksum, parse_reply, strip_ipv4_header

WORDS = st.integers(0, 0xFFFF)


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_are_a_reply_or_a_protocol_error(data: bytes, v6: bool) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(parse_reply(data, v6=v6), EchoReply)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert data.endswith(strip_ipv4_header(data))


@given(WORDS, WORDS, st.binary(max_size=64))
def test_a_request_sums_to_zero_and_its_echo_is_read_back(identifier: int, sequence: int, payload: bytes) -> None:
    request = build_request(identifier, sequence, payload, v6=False)
    assert compute_checksum(request) in (0, 0xFFFF)
    reply = parse_reply(b"\0" + request[1:], v6=False)
    assert reply == EchoReply(identifier=identifier, sequence=sequence, payload=payload)
    request = build_request(identifier, sequence, payload, v6=True)
    assert parse_reply(b"\x81" + request[1:], v6=True) == reply


def test_the_checksum_is_that_of_the_rfc() -> None:
    # RFC 1071 section 3: the sum of this example is ddf2.
    assert compute_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2


def test_a_request_is_what_scapy_would_build() -> None:
    inet = pytest.importorskip("scapy.layers.inet")
    expected = bytes(inet.ICMP(type=8, id=7, seq=9) / b"payload")
    assert build_request(7, 9, b"payload", v6=False) == expected


def test_a_request_is_not_taken_for_a_reply() -> None:
    with pytest.raises(ProtocolError):
        parse_reply(build_request(1, 1, b"x", v6=False), v6=False)


def test_a_header_with_options_is_stripped_whole() -> None:
    assert strip_ipv4_header(b"\x46" + bytes(23) + b"rest") == b"rest"
    for broken in (b"\x44" + bytes(40), b"\x4f" + bytes(30), b"\x65" + bytes(40), b"\x45"):
        with pytest.raises(ProtocolError):
            strip_ipv4_header(broken)
