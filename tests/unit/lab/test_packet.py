import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.lab.censor.icmp import build_echo_reply, build_prohibited, build_time_exceeded
from probe.lab.censor.packet import (
    Datagram,
    Packet,
    Protocol,
    Segment,
    build_datagram,
    build_packet,
    build_segment,
    compute_checksum,
    lower_ttl,
    parse_datagram,
    parse_packet,
    parse_segment,
    replace_address,
)
from probe.model.errors import ProtocolError
from tests.unit.lab.packets import CLIENT, CLIENT6, OTHER, SERVER, SERVER6, syn, tcp

scapy_inet = pytest.importorskip("scapy.layers.inet")
scapy_inet6 = pytest.importorskip("scapy.layers.inet6")


def rebuild(raw):
    """Return the bytes as scapy writes them when it computes every checksum itself."""
    layer = scapy_inet.IP(raw) if raw[0] >> 4 == 4 else scapy_inet6.IPv6(raw)
    for part in (layer, layer.payload):
        for field in ("chksum", "cksum"):
            if field in part.fields:
                delattr(part, field)
    return bytes(layer)


@given(st.binary(max_size=80))
def test_any_bytes_are_a_packet_or_a_protocol_error(data):
    for parse in (parse_packet, parse_segment, parse_datagram):
        with contextlib.suppress(ProtocolError):
            parse(data)


@given(st.binary(max_size=100), st.integers(0, 255), st.booleans())
def test_a_segment_reads_back_and_scapy_agrees_on_its_checksums(data, ttl, v6):
    ends = (CLIENT6, SERVER6) if v6 else (CLIENT, SERVER)
    segment = Segment(40000, 443, 1, 2, 0x18, 100, data)
    raw = build_packet(*ends, Protocol.TCP, build_segment(*ends, segment), ttl=ttl, ip_id=7)
    packet = parse_packet(raw)
    assert (packet.source, packet.destination, packet.ttl) == (*ends, ttl)
    assert parse_segment(packet.body) == segment
    assert rebuild(raw) == raw


@given(st.binary(max_size=100), st.booleans())
def test_a_datagram_reads_back_and_scapy_agrees_on_its_checksums(data, v6):
    ends = (CLIENT6, SERVER6) if v6 else (CLIENT, SERVER)
    datagram = Datagram(5000, 53, data)
    raw = build_packet(*ends, Protocol.UDP, build_datagram(*ends, datagram))
    assert parse_datagram(parse_packet(raw).body) == datagram
    assert rebuild(raw) == raw


def test_the_checksum_example_of_the_rfc_holds():
    # RFC 1071 section 3: 0001 f203 f4f5 f6f7 sum to ddf2, whose complement is the checksum.
    assert compute_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF ^ 0xDDF2


@given(st.binary(max_size=60), st.integers(10, 255), st.integers(0, 9))
def test_lowering_the_ttl_keeps_the_header_checksum_right(data, ttl, hops):
    raw = build_packet(CLIENT, SERVER, Protocol.UDP, data, ttl=ttl)
    lowered = lower_ttl(raw, hops)
    assert parse_packet(lowered).ttl == ttl - hops
    assert compute_checksum(lowered[:20]) == 0


def test_another_destination_gets_right_checksums():
    moved = replace_address(parse_packet(tcp(b"hello")), destination=OTHER)
    assert parse_packet(moved).destination == OTHER
    assert rebuild(moved) == moved


@pytest.mark.parametrize("ends", [(CLIENT, SERVER), (CLIENT6, SERVER6)])
def test_icmp_errors_quote_the_packet_and_scapy_agrees(ends):
    offending = build_packet(*ends, Protocol.UDP, build_datagram(*ends, Datagram(1, 2, b"x" * 8)))
    for error in (build_time_exceeded(ends[1], offending), build_prohibited(ends[1], offending)):
        assert parse_packet(error).destination == ends[0]
        assert offending in error
        assert rebuild(error) == error


def test_an_echo_request_is_answered_and_nothing_else():
    ping = bytes(scapy_inet.IP(src="5.62.10.2", dst="5.62.10.1") / scapy_inet.ICMP(id=9, seq=3) / b"abc")
    reply = build_echo_reply(parse_packet(ping))
    assert reply is not None
    assert rebuild(reply) == reply
    assert scapy_inet.IP(reply)[scapy_inet.ICMP].type == 0
    assert build_echo_reply(parse_packet(syn())) is None


def test_a_later_fragment_is_marked():
    packet = bytearray(tcp(b"data"))
    packet[7] = 5
    assert parse_packet(bytes(packet)).later_fragment
    assert isinstance(parse_packet(bytes(packet)), Packet)
