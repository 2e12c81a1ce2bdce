"""Asking a QUIC server which versions it has, before any name is said, and telling QUIC packets apart from outside.

Source: RFC 8999 section 5.1 (the long header of every version) and 6 (version negotiation), RFC 9000 sections 6.1,
14.1 (1,200 bytes) and 15 (versions kept free), RFC 9369 section 3.2 (version 2 numbers its packet types anew).
"""

import struct

import msgspec

from probe.model.errors import ProtocolError
from probe.model.observation import QUICStage

NOBODYS_VERSION = 0xBABABABA
"""One of the pattern 0x?a?a?a?a, which no server may have: it must answer with those that it has."""
SMALLEST_BYTES = 1200
"""Servers drop first packets in smaller datagrams."""
ID_BYTES = 8
_LONG, _FIXED = 0x80, 0x40
_LONGEST_ID_BYTES = 20
_V2 = 0x6B3343CF
_MOST_VERSIONS = 64


class LongHeader(msgspec.Struct, frozen=True, kw_only=True):
    """The part of a long header that is the same in every version."""

    first: int
    version: int
    destination: bytes
    source: bytes
    rest: bytes

    @property
    def stage(self) -> QUICStage:
        """Return how far a server has come that sends this."""
        if self.version == 0:
            return QUICStage.VERSIONS
        kind = self.first >> 4 & 3
        return QUICStage.RETRY if kind == (0 if self.version == _V2 else 3) else QUICStage.INITIAL


def build_ping(destination: bytes, source: bytes) -> bytes:
    """Return a first packet of a version that nobody has, padded as a first packet must be."""
    head = struct.pack("!BI", _LONG | _FIXED, NOBODYS_VERSION)
    head += bytes((len(destination),)) + destination + bytes((len(source),)) + source
    return head.ljust(SMALLEST_BYTES, b"\0")


def parse_versions(data: bytes, destination: bytes, source: bytes) -> tuple[int, ...]:
    """Read the versions that a server offers in answer to the ping with these connection ids.

    Raises:
        ProtocolError: it is no such answer, or not to this ping.
    """
    header = parse_long_header(data)
    if header.version != 0 or header.destination != source or header.source != destination:
        raise ProtocolError(f"no version negotiation of ours: {data[:32].hex()}")
    if not header.rest or len(header.rest) % 4:
        raise ProtocolError(f"no list of versions: {header.rest[:32].hex()}")
    return struct.unpack(f"!{len(header.rest) // 4}I", header.rest)[:_MOST_VERSIONS]


def parse_long_header(data: bytes) -> LongHeader:
    """Read what every version's first packets begin with.

    Raises:
        ProtocolError: it is none.
    """
    if len(data) < 7 or not data[0] & _LONG:
        raise ProtocolError(f"no long header: {data[:32].hex()}")
    version = int.from_bytes(data[1:5], "big")
    destination, at = _read_id(data, 5, version)
    source, at = _read_id(data, at, version)
    return LongHeader(first=data[0], version=version, destination=destination, source=source, rest=data[at:])


def _read_id(data: bytes, at: int, version: int) -> tuple[bytes, int]:
    """Return a connection id and where the next field begins; only a negotiation may carry long ones."""
    size = data[at] if at < len(data) else 256
    if at + 1 + size > len(data) or (version and size > _LONGEST_ID_BYTES):
        raise ProtocolError(f"a connection id of {size} bytes: {data[:32].hex()}")
    return data[at + 1 : at + 1 + size], at + 1 + size
