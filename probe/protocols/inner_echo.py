"""An echo request as an IP packet to be sent through a tunnel, and what comes back in few words.

Source: RFC 791 section 3.1, RFC 8200 sections 3 and 8.1, RFC 792, RFC 4443.
"""

import ipaddress
import struct
from collections.abc import Callable

from probe.protocols.dialogue import Ask, Send
from probe.protocols.icmp_echo import build_request, compute_checksum
from probe.protocols.incoming import Reading

Inner = ipaddress.IPv4Address | ipaddress.IPv6Address
_ICMP, _ICMP_V6 = 1, 58
_HOPS = 64
_PAYLOAD = b"abcdefghijklmnopqrstuvwabcdefghi"
"""What the most common of all ping commands sends."""
ECHO_REPLY = "echo reply"
VOLUME_BYTES = 65536
_LARGE_BYTES = 1150
"""With every tunnel's wrapping below the smallest MTU that tunnels are run over."""
_AT_ONCE = (4, 8)
"""At first, and at most: as a page begins to load."""
_ROUND_S = 3.0
_GAP_S = 1.0
"""After so long a gap what is missing of a round is lost."""
_FIRST_LARGE = 1000


def build_echo(source: Inner, destination: Inner, identifier: int, sequence: int, payload: bytes = _PAYLOAD) -> bytes:
    """Return an IP packet with an echo request that carries this; both addresses are of one family."""
    v6 = source.version == 6
    echo = build_request(identifier, sequence, payload, v6=v6)
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
    if version not in (4, 6) or head_bytes < 20 or len(packet) < head_bytes + 8:  # RFC 791: a header has 20 at least
        return "packet"
    if packet[protocol] not in (_ICMP, _ICMP_V6):
        return "packet"
    kind, _, _, seen = struct.unpack_from("!BBHH", packet, head_bytes)
    if kind == reply and seen == identifier:
        return ECHO_REPLY
    return f"icmp type {kind}"


def turn_echo(packet: bytes) -> bytes | None:
    """Return the reply to the echo request in an IP packet without options, as its host would; `None` = it is none."""
    if len(packet) < 28 or packet[0] not in (0x45, 0x60) or (packet[0] == 0x60 and len(packet) < 48):
        return None
    v6 = packet[0] == 0x60
    head_bytes, size = (40, 40 + int.from_bytes(packet[4:6], "big")) if v6 else (20, int.from_bytes(packet[2:4], "big"))
    protocol, request, reply = (packet[6], 128, 129) if v6 else (packet[9], 8, 0)
    echo = packet[head_bytes:size]
    if protocol != (_ICMP_V6 if v6 else _ICMP) or size > len(packet) or len(echo) < 8 or echo[0] != request:
        return None
    source, destination = (packet[8:24], packet[24:40]) if v6 else (packet[12:16], packet[16:20])
    echo = bytes((reply, 0, 0, 0)) + echo[4:]
    pseudo = destination + source + struct.pack("!II", len(echo), _ICMP_V6) if v6 else b""
    echo = echo[:2] + struct.pack("!H", compute_checksum(pseudo + echo)) + echo[4:]
    # With the addresses swapped the header's checksum still holds. Padding goes back as it came.
    head = packet[:8] if v6 else packet[:12]
    return head + destination + source + echo + packet[size:]


def carry_volume(
    ask: Ask,
    inner: tuple[Inner, Inner],
    identifier: int,
    send: Callable[[bytes], Send],
    take: Callable[[float], Reading[bytes | None]],
) -> Reading[int | None]:
    """Send large echoes, a few at a time, until 64 KB went each way; return the bytes, `None` = it stalled before.

    Filters have frozen connections after some 16 KB and after some two dozen packets. A lost packet is no stall: two
    rounds in a row without any answer are. What is on its way at once is little, as it is for a page that loads.
    """
    carried, sequence, barren = 0, _FIRST_LARGE, 0
    payload = ask.entropy(_LARGE_BYTES)  # which no tunnel makes smaller
    at_once, most = _AT_ONCE
    while carried < VOLUME_BYTES:
        for _ in range(at_once):
            yield send(build_echo(*inner, identifier, sequence, payload))
            sequence += 1
        came = 0
        until_s = ask.elapsed_s() + _ROUND_S
        for _ in range(2 * at_once):
            left_s = until_s - ask.elapsed_s()
            packet = yield from take(min(left_s, _GAP_S) if came else left_s)
            if packet is None:
                break
            if len(packet) > _LARGE_BYTES and name_packet(packet, identifier) == ECHO_REPLY:
                came += 1
            if came == at_once:
                break
        carried += came * _LARGE_BYTES
        at_once = min(most, 2 * at_once) if came == at_once else max(1, at_once // 2)
        barren = 0 if came else barren + 1
        if barren == 2:
            return None
    return carried
