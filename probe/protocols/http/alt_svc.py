"""Where a site says that it is to be had as well: the Alt-Svc header.

Source: RFC 7838 section 3 (grammar), section 2 (the alternative is of the same host when none is named); RFC 9114
section 3.1.1 (`h3`). Less than the RFC: `ma` and `persist` are not read, because we remember nothing.
"""

import re
from collections.abc import Iterable

_ENTRY = re.compile(r'\s*([^\s=;,"]{1,64})="([^"\\]{0,255})"((?:\s*;\s*[^\s=;,"]+=(?:"[^"]*"|[^\s;,"]*))*)\s*(?:,|$)')
_MOST_CHARS = 4096


def find_h3_port(headers: Iterable[tuple[str, str]]) -> int:
    """Return the first port at which the same host offers HTTP/3; 0 = it says nothing of it."""
    for name, value in headers:
        if len(name) == 7 and name.lower() == "alt-svc":
            for protocol, host, port in parse_alt_svc(value):
                if protocol == "h3" and not host:
                    return port
    return 0


def parse_alt_svc(value: str) -> tuple[tuple[str, str, int], ...]:
    """Return protocol, host (empty = the same) and port of each alternative; reading ends at what is no entry."""
    found: list[tuple[str, str, int]] = []
    value = value[:_MOST_CHARS]
    at = 0
    while entry := _ENTRY.match(value, at):
        host, _, port = entry[2].rpartition(":")
        if port.isascii() and port.isdecimal() and 0 < int(port) < 65536:
            found.append((entry[1], host, int(port)))
        at = entry.end()
        if at >= len(value):
            break
    return tuple(found)
