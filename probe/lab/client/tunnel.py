"""A small tunnel, for the scenario of a client whose default route is one: IP packets in UDP datagrams, in clear.

Run as `python -m probe.lab.client.tunnel near|far ADDRESS`, at the client's end and at that address of the world. The
routes and the interface are there as long as the process is. When all is set it says so, in one line.
"""

import ipaddress
import os
import select
import socket
import sys

import msgspec
from pyroute2 import IPRoute

from probe.lab import syscalls

PORT = 1195
MTU_BYTES = 1380
"""Room for the outer headers in what an Ethernet card carries."""
NAME = "tun0"
OUTER_CARD = "eth0"
METRIC = 50
"""Below that of the card's own default routes, so this one is taken."""


class End(msgspec.Struct, frozen=True, kw_only=True):
    """One end's own addresses inside the tunnel."""

    v4: str
    v6: str


ENDS = {"near": End(v4="10.8.0.2", v6="fd00:8::2"), "far": End(v4="10.8.0.1", v6="fd00:8::1")}


def set_up(end: End, *, takes_all: bool) -> int:
    """Make the interface with its addresses, and default routes into it if told; return its descriptor.

    Raises:
        OSError: the kernel refuses the interface.
    """
    descriptor = syscalls.open_tun(NAME)
    with IPRoute() as routes:
        index = routes.link_lookup(ifname=NAME)[0]
        routes.addr("add", index=index, address=end.v4, prefixlen=24)
        routes.addr("add", index=index, address=end.v6, prefixlen=64)
        routes.link("set", index=index, state="up", mtu=MTU_BYTES)
        for family in (socket.AF_INET, socket.AF_INET6) if takes_all else ():
            routes.route("add", dst="default", oif=index, family=family, priority=METRIC)
    return descriptor


def carry(tunnel: int, outer: socket.socket, peer: tuple[str, int] | None) -> None:
    """Carry packets both ways for ever; the far end learns its peer from what comes."""
    while True:
        ready, _, _ = select.select([tunnel, outer.fileno()], [], [])
        if outer.fileno() in ready:
            data, peer = outer.recvfrom(65536)
            os.write(tunnel, data)
        if tunnel in ready:
            data = os.read(tunnel, 65536)
            if peer is not None:
                outer.sendto(data, peer)


def main() -> int:
    """Be one end until killed."""
    role, address = sys.argv[1], str(ipaddress.IPv4Address(sys.argv[2]))
    outer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    is_near = role == "near"
    if is_near:
        # Else the tunnel's own packets would go into the tunnel.
        outer.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, OUTER_CARD.encode())
    else:
        outer.bind((address, PORT))
    tunnel = set_up(ENDS[role], takes_all=is_near)
    print("up", flush=True)
    carry(tunnel, outer, (address, PORT) if is_near else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
