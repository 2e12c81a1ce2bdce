"""Whether this host is using a tunnel at this moment: a check with the same key would cut its user off.

Read from the kernel's tables; elsewhere than on Linux nothing is known. Source: proc(5), `/proc/net/route`,
`/proc/net/tcp`; the kernel's net/ipv6/route.c for the columns of `/proc/net/ipv6_route`, whose addresses are in network
order, while sockets have theirs as words of 32 bits in this machine's order. Clients that take the default route over
keep a host route to their server beside it.
"""

import contextlib
import ipaddress
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from probe.model.endpoint import Endpoint
from probe.net.routes import read_lines

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_ESTABLISHED = "01"
_HOST_MASK = "FFFFFFFF"
_HOST_LENGTH = "80"
"""A prefix of 128 bits."""
_NOT_MADE_FOR_IT = 0x00000200 | 0x00100000 | 0x01000000 | 0x80000000
"""RTF_REJECT, RTF_ANYCAST, RTF_CACHE, RTF_LOCAL (linux/ipv6_route.h, linux/route.h): what the kernel has for itself."""
_MAPPED = bytes(10) + b"\xff\xff"


def is_in_use(endpoint: Endpoint, proc: Path = Path("/proc/net")) -> bool:
    """Tell whether a route was made for this server alone, or a connection to it is open."""
    address = ipaddress.ip_address(endpoint.address)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    address = address if mapped is None else mapped
    return _has_host_route(address, proc) or _is_connected(address, endpoint.port, proc)


def _has_host_route(address: _Address, proc: Path) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        written = _write_words(address.packed)
        routes = (line.split() for line in read_lines(proc / "route")[1:])
        return any(len(f) > 7 and f[1] == written and f[7] == _HOST_MASK for f in routes)
    written = address.packed.hex()
    found = (line.split() for line in read_lines(proc / "ipv6_route"))
    to_it = (f[8] for f in found if len(f) > 8 and f[0] == written and f[1] == _HOST_LENGTH)
    return any(not int(flags, 16) & _NOT_MADE_FOR_IT for flags in to_it)


def _is_connected(address: _Address, port: int, proc: Path) -> bool:
    places = {f"{written}:{port:04X}" for written in _write_as_sockets_do(address)}
    names = ("tcp", "udp", "tcp6", "udp6")
    sockets = (line.split() for name in names for line in read_lines(proc / name)[1:])
    open_here = {f[9] for f in sockets if len(f) > 9 and f[2] in places and f[3] == _ESTABLISHED}
    return bool(open_here) and not open_here <= _own_sockets()


def _write_as_sockets_do(address: _Address) -> Iterator[str]:
    """Return how the tables of sockets have an address; a socket of IPv6 may speak IPv4."""
    yield _write_words(address.packed)
    if isinstance(address, ipaddress.IPv4Address):
        yield _write_words(_MAPPED + address.packed)


def _write_words(packed: bytes) -> str:
    step = -1 if sys.byteorder == "little" else 1
    return "".join(packed[at : at + 4][::step].hex().upper() for at in range(0, len(packed), 4))


def _own_sockets() -> set[str]:
    """Return the inodes of this process's own sockets: a check is not its own user."""
    found: set[str] = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(os.readlink(path).removeprefix("socket:[").removesuffix("]"))
    return found
