"""What the first bytes of a stream look like to a censor: HTTP, TLS, SSH, or nothing it knows.

Source: RFC 9112 sections 3 and 5; the "fully encrypted" test is algorithm 1 of Wu et al., USENIX Security 2023.
"""

import re

_REQUEST = re.compile(rb"^(GET|HEAD|POST|PUT|OPTIONS|DELETE|CONNECT|PATCH|TRACE) ")
_HOST = re.compile(rb"\r\nhost:[ \t]*([^\r\n]*)", re.IGNORECASE)
_PRINTABLE = frozenset(range(0x20, 0x7F))


def read_host(stream: bytes) -> str | None:
    """Return the Host field of a cleartext request, lower-case and without port; `None` if there is none (yet)."""
    if not _REQUEST.match(stream):
        return None
    found = _HOST.search(stream)
    if found is None:
        return None
    return found.group(1).decode("latin-1").strip().lower().rsplit(":", 1)[0]


def read_head(stream: bytes) -> bytes:
    """Return the head of a cleartext request, as far as it has come; empty if it is not one."""
    return stream.split(b"\r\n\r\n", 1)[0] if _REQUEST.match(stream) else b""


def is_known_protocol(first: bytes) -> bool:
    """Tell whether a protocol allow-list would let it pass: HTTP, TLS, or DNS over TCP."""
    if _REQUEST.match(first) or first[:2] == b"\x16\x03":
        return True
    return len(first) >= 14 and int.from_bytes(first[:2], "big") == len(first) - 2 and first[4] & 0xF8 == 0


def is_fully_encrypted(first: bytes) -> bool:
    """Tell whether none of the five exemptions of the filter holds for the first payload."""
    if not first or _REQUEST.match(first) or first[:2] == b"\x16\x03":
        return False
    ones_per_byte = sum(byte.bit_count() for byte in first) / len(first)
    if ones_per_byte <= 3.4 or ones_per_byte >= 4.6:
        return False
    printable = [byte in _PRINTABLE for byte in first]
    if all(printable[:6]) or sum(printable) * 2 > len(first):
        return False
    run = longest = 0
    for one in printable:
        run = run + 1 if one else 0
        longest = max(longest, run)
    return longest <= 20
