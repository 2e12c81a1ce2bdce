"""IPv4, IPv6, TCP, UDP and ICMP as bytes: the few fields a middlebox reads, and packets it forges.

Source: RFC 791 section 3.1, RFC 8200 sections 3 and 8.1 (pseudo-header), RFC 9293 section 3.1, RFC 768, RFC 1071
(checksum). Less than the RFCs: IPv6 extension headers and all but the first fragment are carried, not read.
"""

import struct
from enum import IntEnum, IntFlag

import msgspec

from probe.model.errors import ProtocolError


class Protocol(IntEnum):
    """The numbers of the IP header that we read."""

    ICMP = 1
    TCP = 6
    UDP = 17
    ICMP6 = 58


class Flag(IntFlag):
    """TCP flags."""

    FIN = 1
    SYN = 2
    RST = 4
    PSH = 8
    ACK = 16


class Packet(msgspec.Struct, frozen=True):
    """An IP packet: header fields, and the bytes after the header."""

    version: int
    source: bytes
    destination: bytes
    protocol: int
    ttl: int
    ip_id: int
    body: bytes
    later_fragment: bool = False


class Segment(msgspec.Struct, frozen=True):
    """A TCP segment."""

    source_port: int
    destination_port: int
    seq: int
    ack: int
    flags: int
    window: int
    data: bytes

    @property
    def end(self) -> int:
        """Return the sequence number after it: data, SYN and FIN count (RFC 9293 section 3.4)."""
        return (self.seq + len(self.data) + bool(self.flags & Flag.SYN) + bool(self.flags & Flag.FIN)) & 0xFFFFFFFF


class Datagram(msgspec.Struct, frozen=True):
    """A UDP datagram."""

    source_port: int
    destination_port: int
    data: bytes


def compute_checksum(data: bytes, start: int = 0) -> int:
    """Return the Internet checksum (RFC 1071) over the bytes, continuing from a partial sum."""
    if len(data) % 2:
        data += b"\0"
    total: int = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def parse_packet(raw: bytes) -> Packet:
    """Read an IP packet.

    Raises:
        ProtocolError: too short, or neither IPv4 nor IPv6.
    """
    version = raw[0] >> 4 if raw else 0
    if version == 4 and len(raw) >= 20:
        header = (raw[0] & 15) * 4
        total, ip_id, fragment, ttl, protocol = struct.unpack_from("!HHHBB", raw, 2)
        if header < 20 or total < header or total > len(raw):
            raise ProtocolError(f"IPv4 lengths disagree: {raw[:20].hex()}")
        later = bool(fragment & 0x1FFF)
        return Packet(4, raw[12:16], raw[16:20], protocol, ttl, ip_id, raw[header:total], later)
    if version == 6 and len(raw) >= 40:
        length, protocol, ttl = struct.unpack_from("!HBB", raw, 4)
        if 40 + length > len(raw):
            raise ProtocolError(f"IPv6 length beyond the packet: {raw[:40].hex()}")
        return Packet(6, raw[8:24], raw[24:40], protocol, ttl, 0, raw[40 : 40 + length])
    raise ProtocolError(f"not an IP packet: {raw[:40].hex()}")


def parse_segment(body: bytes) -> Segment:
    """Read a TCP segment.

    Raises:
        ProtocolError: too short for its header.
    """
    if len(body) < 20:
        raise ProtocolError(f"TCP header cut short: {body.hex()}")
    source, destination, seq, ack, offset, flags, window = struct.unpack_from("!HHIIBBH", body)
    header = (offset >> 4) * 4
    if header < 20 or header > len(body):
        raise ProtocolError(f"TCP data offset out of range: {body[:20].hex()}")
    return Segment(source, destination, seq, ack, flags, window, body[header:])


def parse_datagram(body: bytes) -> Datagram:
    """Read a UDP datagram.

    Raises:
        ProtocolError: too short, or a length that disagrees.
    """
    if len(body) < 8:
        raise ProtocolError(f"UDP header cut short: {body.hex()}")
    source, destination, length = struct.unpack_from("!HHH", body)
    if not 8 <= length <= len(body):
        raise ProtocolError(f"UDP length disagrees: {body[:8].hex()}")
    return Datagram(source, destination, body[8:length])


def build_packet(
    source: bytes,
    destination: bytes,
    protocol: int,
    body: bytes,
    *,
    ttl: int = 64,
    ip_id: int = 0,
    dont_fragment: bool = True,
) -> bytes:
    """Put an IP header before bytes that have their own checksum already; the addresses decide the version."""
    if len(source) == 16:
        return struct.pack("!IHBB", 6 << 28, len(body), protocol, ttl) + source + destination + body
    flags = 0x4000 if dont_fragment else 0
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(body), ip_id, flags, ttl, protocol)
    checksum = compute_checksum(head + b"\0\0" + source + destination)
    return head + struct.pack("!H", checksum) + source + destination + body


def sum_pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> int:
    """Return the partial checksum of the pseudo-header."""
    joined = source + destination
    total: int = sum(struct.unpack(f"!{len(joined) // 2}H", joined))
    return total + protocol + (length >> 16) + (length & 0xFFFF)


def build_segment(source: bytes, destination: bytes, segment: Segment) -> bytes:
    """Return a TCP segment without options, with its checksum."""
    head = struct.pack(
        "!HHIIBBHHH",
        segment.source_port,
        segment.destination_port,
        segment.seq & 0xFFFFFFFF,
        segment.ack & 0xFFFFFFFF,
        0x50,
        segment.flags,
        segment.window,
        0,
        0,
    )
    body = head + segment.data
    checksum = compute_checksum(body, sum_pseudo_header(source, destination, Protocol.TCP, len(body)))
    return body[:16] + struct.pack("!H", checksum) + body[18:]


def build_datagram(source: bytes, destination: bytes, datagram: Datagram) -> bytes:
    """Return a UDP datagram with its checksum; a sum of zero is sent as all ones (RFC 768)."""
    length = 8 + len(datagram.data)
    body = struct.pack("!HHHH", datagram.source_port, datagram.destination_port, length, 0) + datagram.data
    checksum = compute_checksum(body, sum_pseudo_header(source, destination, Protocol.UDP, length)) or 0xFFFF
    return body[:6] + struct.pack("!H", checksum) + body[8:]


def replace_address(packet: Packet, *, source: bytes | None = None, destination: bytes | None = None) -> bytes:
    """Return the packet with other addresses of the same family, and every checksum that covers them corrected."""
    new_source = packet.source if source is None else source
    new_destination = packet.destination if destination is None else destination
    body = packet.body
    offsets: dict[int, int] = {Protocol.TCP: 16, Protocol.UDP: 6, Protocol.ICMP6: 2}
    at = offsets.get(packet.protocol)
    if at is not None and not packet.later_fragment and len(body) >= at + 2:
        zeroed = body[:at] + b"\0\0" + body[at + 2 :]
        partial = sum_pseudo_header(new_source, new_destination, packet.protocol, len(body))
        checksum = compute_checksum(zeroed, partial) or 0xFFFF
        body = body[:at] + struct.pack("!H", checksum) + body[at + 2 :]
    return build_packet(new_source, new_destination, packet.protocol, body, ttl=packet.ttl, ip_id=packet.ip_id)


def lower_ttl(raw: bytes, hops: int) -> bytes:
    """Return the packet as it looks after so many routers; the caller has made sure that its TTL suffices."""
    if raw[0] >> 4 == 6:
        return raw[:7] + bytes((raw[7] - hops,)) + raw[8:]
    # RFC 1624: the checksum changes by exactly what was taken from the TTL byte, which is a high byte.
    checksum = (raw[10] << 8 | raw[11]) + (hops << 8)
    checksum = (checksum & 0xFFFF) + (checksum >> 16)
    return raw[:8] + bytes((raw[8] - hops, raw[9], checksum >> 8, checksum & 0xFF)) + raw[12:]
