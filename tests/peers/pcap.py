"""Writes conversations into a capture file, as if seen on a wire. Source: RFC 791, 768, 9293; pcap's classic format."""

import struct
from collections.abc import Iterable
from pathlib import Path

import msgspec

CLIENT, SERVER = bytes((10, 1, 0, 2)), bytes((198, 51, 100, 9))
_ETHERNET = bytes((2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0))
_MSS = 1400
_SYN, _ACK, _PUSH = 0x02, 0x10, 0x08


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation; messages of the client are marked true."""

    name: str
    client_port: int
    server_port: int
    stream: bool
    messages: list[tuple[bool, bytes]]


def write_pcap(path: Path, flows: Iterable[Flow]) -> None:
    """Write all packets of all flows, one flow after the other."""
    at_us = 1_790_000_000_000_000
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for flow in flows:
            for packet in _stream(flow) if flow.stream else _datagrams(flow):
                at_us += 5000
                frame = _ETHERNET + packet
                file.write(struct.pack("<IIII", at_us // 1_000_000, at_us % 1_000_000, len(frame), len(frame)) + frame)


def _datagrams(flow: Flow) -> Iterable[bytes]:
    for ours, data in flow.messages:
        ports = (flow.client_port, flow.server_port) if ours else (flow.server_port, flow.client_port)
        yield _ip(ours, 17, struct.pack("!HHHH", *ports, 8 + len(data), 0) + data)


def _stream(flow: Flow) -> Iterable[bytes]:
    sequence = {True: 1000, False: 5000}

    def segment(ours: bool, flags: int, data: bytes = b"") -> bytes:
        ports = (flow.client_port, flow.server_port) if ours else (flow.server_port, flow.client_port)
        acked = sequence[not ours] if flags & _ACK else 0
        packet = struct.pack("!HHIIBBHHH", *ports, sequence[ours], acked, 5 << 4, flags, 64240, 0, 0) + data
        sequence[ours] += len(data) + bool(flags & _SYN)
        return _ip(ours, 6, packet)

    yield segment(True, _SYN)
    yield segment(False, _SYN | _ACK)
    yield segment(True, _ACK)
    for ours, data in flow.messages:
        for start in range(0, len(data), _MSS):
            yield segment(ours, _ACK | _PUSH, data[start : start + _MSS])


def _ip(ours: bool, protocol: int, payload: bytes) -> bytes:
    ends = CLIENT + SERVER if ours else SERVER + CLIENT
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0) + ends
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", ~total & 0xFFFF) + head[12:] + payload
