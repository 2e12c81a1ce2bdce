"""Whether this host is using a tunnel at this moment: a check with the same key would cut its user off.

Read from the kernel's tables; elsewhere than on Linux nothing is known. Source: proc(5), `/proc/net/route` and
`/proc/net/tcp`; clients that take the default route over keep a host route to their server beside it.
"""

import contextlib
import ipaddress
import os
from pathlib import Path

from probe.model.endpoint import Endpoint

_ESTABLISHED = "01"
_HOST_MASK = "FFFFFFFF"


def is_in_use(endpoint: Endpoint, proc: Path = Path("/proc/net")) -> bool:
    """Tell whether a route was made for this server alone, or a connection to it is open."""
    address = ipaddress.ip_address(endpoint.address)
    if isinstance(address, ipaddress.IPv6Address):
        return False
    written = address.packed[::-1].hex().upper()
    routes = (line.split() for line in _lines(proc / "route")[1:])
    if any(len(f) > 7 and f[1] == written and f[7] == _HOST_MASK for f in routes):
        return True
    place = f"{written}:{endpoint.port:04X}"
    sockets = (line.split() for name in ("tcp", "udp") for line in _lines(proc / name)[1:])
    open_here = {f[9] for f in sockets if len(f) > 9 and f[2] == place and f[3] == _ESTABLISHED}
    return bool(open_here) and not open_here <= _own_sockets()


def _own_sockets() -> set[str]:
    """Return the inodes of this process's own sockets: a check is not its own user."""
    found: set[str] = set()
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found.add(os.readlink(path).removeprefix("socket:[").removesuffix("]"))
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("ascii", "replace").splitlines()
    except OSError:
        return []
