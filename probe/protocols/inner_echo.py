"""An echo request as an IP packet to be sent through a tunnel, and what comes back in few words.

Source: RFC 791 section 3.1, RFC 8200 sections 3 and 8.1, RFC 792, RFC 4443.
"""

import ipaddress
import struct

from probe.protocols.icmp_echo import build_request, compute_checksum

Inner = ipaddress.IPv4Address | ipaddress.IPv6Address
_ICMP, _ICMP_V6 = 1, 58
_HOPS = 64
_PAYLOAD = b"abcdefghijklmnopqrstuvwabcdefghi"
"""What the most common of all ping commands sends."""


def build_echo(source: Inner, destination: Inner, identifier: int, sequence: int) -> bytes:
    """Return an IP packet with an echo request; both addresses are of one family."""
    v6 = source.version == 6
    echo = build_request(identifier, sequence, _PAYLOAD, v6=v6)
    if v6:
        pseudo = source.packed + destination.packed + struct.pack("!II", len(echo), _ICMP_V6)
        echo = echo[:2] + struct.pack("!H", compute_checksum(pseudo + echo)) + echo[4:]
        return struct.pack("!IHBB", 6 << 28, len(echo), _ICMP_V6, _HOPS) + source.packed + destination.packed + echo
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(echo), identifier, 0, _HOPS, _ICMP, 0)
    head += source.packed + destination.packed
    return head[:10] + struct.pack("!H", compute_checksum(head)) + head[12:] + echo


def name_packet(packet: bytes, identifier: int) -> str:
    """Say what came through the tunnel, in few words."""
    if not packet:
        return "keepalive"
    version = packet[0] >> 4
    head_bytes, protocol, reply = (40, 6, 129) if version == 6 else ((packet[0] & 15) * 4, 9, 0)
    if version not in (4, 6) or len(packet) < head_bytes + 8:
        return "packet"
    if packet[protocol] not in (_ICMP, _ICMP_V6):
        return "packet"
    kind, _, _, seen = struct.unpack_from("!BBHH", packet, head_bytes)
    if kind == reply and seen == identifier:
        return "echo reply"
    return f"icmp type {kind}"
