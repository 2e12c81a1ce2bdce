"""ICMP errors and echo replies that a router sends.

Source: RFC 792 (errors quote the offending packet), RFC 1812 section 5.2.7 (codes), RFC 4443 sections 3.1, 3.3 and 4.2.
"""

import struct

from probe.lab.censor.packet import Packet, Protocol, build_packet, compute_checksum, sum_pseudo_header

QUOTED_BYTES_V4 = 548
"""RFC 1812 section 4.3.2.3: as much as fits in 576 bytes."""
QUOTED_BYTES_V6 = 1232
"""RFC 4443 section 2.4: as much as fits in the minimum MTU."""


def build_error(router: bytes, offending: bytes, error_type: int, code: int) -> bytes:
    """Return an ICMP error from the router to the sender of the offending packet; the family is the packet's."""
    if offending[0] >> 4 == 6:
        body = struct.pack("!BBHI", error_type, code, 0, 0) + offending[:QUOTED_BYTES_V6]
        return _wrap_v6(router, offending[8:24], body)
    body = struct.pack("!BBHI", error_type, code, 0, 0) + offending[:QUOTED_BYTES_V4]
    return _wrap_v4(router, offending[12:16], body)


def build_time_exceeded(router: bytes, offending: bytes) -> bytes:
    """Return "time exceeded in transit" (11/0, or 3/0 in ICMPv6)."""
    return build_error(router, offending, 3 if offending[0] >> 4 == 6 else 11, 0)


def build_prohibited(router: bytes, offending: bytes) -> bytes:
    """Return "communication administratively prohibited" (3/13, or 1/1 in ICMPv6)."""
    if offending[0] >> 4 == 6:
        return build_error(router, offending, 1, 1)
    return build_error(router, offending, 3, 13)


def build_echo_reply(packet: Packet) -> bytes | None:
    """Return the answer to an echo request; `None` if the packet is not one."""
    if packet.protocol == Protocol.ICMP and packet.body[:1] == b"\x08":
        return _wrap_v4(packet.destination, packet.source, b"\0" + packet.body[1:2] + b"\0\0" + packet.body[4:])
    if packet.protocol == Protocol.ICMP6 and packet.body[:1] == b"\x80":
        return _wrap_v6(packet.destination, packet.source, b"\x81" + packet.body[1:2] + b"\0\0" + packet.body[4:])
    return None


def _wrap_v4(source: bytes, destination: bytes, body: bytes) -> bytes:
    checksum = compute_checksum(body)
    return build_packet(source, destination, Protocol.ICMP, body[:2] + struct.pack("!H", checksum) + body[4:])


def _wrap_v6(source: bytes, destination: bytes, body: bytes) -> bytes:
    checksum = compute_checksum(body, sum_pseudo_header(source, destination, Protocol.ICMP6, len(body)))
    return build_packet(source, destination, Protocol.ICMP6, body[:2] + struct.pack("!H", checksum) + body[4:])
