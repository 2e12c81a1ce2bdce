"""ICMP echo request and reply. Source: RFC 792 (echo), RFC 4443 section 4 (ICMPv6), RFC 1071 (checksum).

Less than the RFCs: the ICMPv6 checksum stays zero, because it covers addresses that only the kernel knows (RFC 3542
section 3.1 has the kernel fill it in).
"""

import struct

import msgspec

from probe.model.errors import ProtocolError

_HEADER = struct.Struct("!BBHHH")
_REQUEST_V4 = 8
_REQUEST_V6 = 128
_REPLY_V4 = 0
_REPLY_V6 = 129


class EchoReply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back; `payload` is what was sent."""

    identifier: int
    sequence: int
    payload: bytes


def build_request(identifier: int, sequence: int, payload: bytes, *, v6: bool) -> bytes:
    """Return an echo request."""
    if v6:
        return _HEADER.pack(_REQUEST_V6, 0, 0, identifier, sequence) + payload
    checksum = compute_checksum(_HEADER.pack(_REQUEST_V4, 0, 0, identifier, sequence) + payload)
    return _HEADER.pack(_REQUEST_V4, 0, checksum, identifier, sequence) + payload


def parse_reply(data: bytes, *, v6: bool) -> EchoReply:
    """Read an ICMP message, its IP header removed.

    Raises:
        ProtocolError: it is not an echo reply.
    """
    if len(data) < _HEADER.size:
        raise ProtocolError(f"ICMP message too short: {data.hex()}")
    kind, code, _, identifier, sequence = _HEADER.unpack_from(data)
    if kind != (_REPLY_V6 if v6 else _REPLY_V4) or code != 0:
        raise ProtocolError(f"not an echo reply: {data[:8].hex()}")
    return EchoReply(identifier=identifier, sequence=sequence, payload=data[_HEADER.size :])


def strip_ipv4_header(packet: bytes) -> bytes:
    """Return what follows the IPv4 header, which raw sockets leave in front (RFC 791 section 3.1).

    Raises:
        ProtocolError: it is not an IPv4 packet.
    """
    if len(packet) < 20 or packet[0] >> 4 != 4:
        raise ProtocolError(f"not an IPv4 packet: {packet[:20].hex()}")
    header_bytes = (packet[0] & 0x0F) * 4
    if header_bytes < 20 or header_bytes > len(packet):
        raise ProtocolError(f"not an IPv4 packet: {packet[:20].hex()}")
    return packet[header_bytes:]


def compute_checksum(data: bytes) -> int:
    """Return the ones' complement sum of RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
