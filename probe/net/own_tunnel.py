"""Whether this host is using a tunnel at this moment: a check with the same key would cut its user off.

Read from the kernel's tables; elsewhere than on Linux nothing is known. Source: proc(5), `/proc/net/route` and
`/proc/net/tcp`; clients that take the default route over keep a host route to their server beside it.
"""

import ipaddress
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
    return any(len(f) > 3 and f[2] == place and f[3] == _ESTABLISHED for f in sockets)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("ascii", "replace").splitlines()
    except OSError:
        return []
