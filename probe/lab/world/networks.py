"""Whose addresses the world's are, as the file that an operator would have: an mmdb with AS numbers.

Source: the MaxMind DB file format 2.0 (binary search tree with records of 24 bits, data section, metadata).
Less than the format: no aliases for mapped IPv4, no shared data.
"""

import ipaddress

from probe.lab.world.atlas import CDN, HOME, HOSTERS

_RECORD_BITS = 24
_MARKER = b"\xab\xcd\xefMaxMind.com"
_MAP, _TEXT, _UINT16, _UINT32 = 7, 2, 5, 6
_UINT64, _ARRAY = 9, 11
"""Types above 7 are written as an extra byte."""
EPOCH = 1_700_000_000
ACCESS_AS = 64501
NETWORKS = {
    ACCESS_AS: HOME,
    64510: ("62.115", "2001:2034"),
    64511: ("80.231", "2001:5a0"),
    64530: CDN,
    **{64520 + number: prefixes for number, prefixes in enumerate(HOSTERS)},
}
"""AS numbers for private use (RFC 6996), with the first half of their addresses."""


def build_asn_file() -> bytes:
    """Return the mmdb file of the world."""
    nodes: list[list[int | None]] = [[None, None]]
    data = b""
    leaves: list[tuple[int, int, int]] = []
    for asn, prefixes in NETWORKS.items():
        offset = len(data)
        data += _write({"autonomous_system_number": asn})
        for bits in (_bits_of(prefix) for prefix in prefixes):
            here = 0
            for bit in bits[:-1]:
                following = nodes[here][bit]
                if following is None:
                    following = nodes[here][bit] = len(nodes)
                    nodes.append([None, None])
                here = following
            leaves.append((here, bits[-1], offset))
    records = [[len(nodes) if side is None else side for side in node] for node in nodes]
    for node, side, offset in leaves:
        records[node][side] = len(nodes) + 16 + offset
    tree = b"".join(value.to_bytes(_RECORD_BITS // 8, "big") for node in records for value in node)
    return tree + bytes(16) + data + _MARKER + _write_metadata(len(nodes))


def _bits_of(prefix: str) -> list[int]:
    """Return the path in a tree of IPv6 addresses; IPv4 lies at ::/96."""
    if ":" in prefix:
        number, length = int(ipaddress.ip_address(f"{prefix}::")), 16 * len(prefix.split(":"))
    else:
        number, length = int(ipaddress.ip_address(f"{prefix}.0.0")), 96 + 8 * len(prefix.split("."))
    return [number >> (127 - at) & 1 for at in range(length)]


def _write_metadata(node_count: int) -> bytes:
    entries = (
        ("node_count", _number(_UINT32, node_count)),
        ("record_size", _number(_UINT16, _RECORD_BITS)),
        ("ip_version", _number(_UINT16, 6)),
        ("database_type", _text("Lab-ASN")),
        ("languages", bytes([1, _ARRAY - 7]) + _text("en")),
        ("binary_format_major_version", _number(_UINT16, 2)),
        ("binary_format_minor_version", _number(_UINT16, 0)),
        ("build_epoch", bytes([4, _UINT64 - 7]) + EPOCH.to_bytes(4, "big")),
        ("description", bytes([_MAP << 5 | 1]) + _text("en") + _text("the lab's networks")),
    )
    return bytes([_MAP << 5 | len(entries)]) + b"".join(_text(key) + value for key, value in entries)


def _write(numbers: dict[str, int]) -> bytes:
    body = b"".join(_text(key) + _number(_UINT32, value) for key, value in numbers.items())
    return bytes([_MAP << 5 | len(numbers)]) + body


def _number(kind: int, value: int) -> bytes:
    size = (value.bit_length() + 7) // 8
    return bytes([kind << 5 | size]) + value.to_bytes(size, "big")


def _text(text: str) -> bytes:
    """Return a string of at most 28 bytes."""
    return bytes([_TEXT << 5 | len(text)]) + text.encode("ascii")
