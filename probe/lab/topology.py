"""Two network namespaces with one interface each, whose other ends are descriptors in the forwarder's hands.

TAP where /dev/net/tun can be opened, else a veth pair whose far end is read through AF_PACKET: frames either way.
Not TUN: to a client an interface without Ethernet looks like a VPN's, and this is to look like any network card.
"""

import contextlib
import os
import socket
from pathlib import Path

import msgspec
from pyroute2 import IPRoute

from probe.lab import syscalls
from probe.lab.forwarder import MTU_BYTES, Port
from probe.lab.world.atlas import CLIENT_PREFIXES, CLIENT_V4, CLIENT_V6, GATEWAY_V4, GATEWAY_V6, NAT64

CARD = "eth0"
OWN_MAC = "02:5e:10:00:00:02"
ROUTER_MAC = "02:5e:10:00:00:01"
_WORLD_LINK_V4 = "45.90.255.2"
_WORLD_ROUTER_V4 = "45.90.255.1"
_WORLD_LINK_V6 = "2a0d:5600:f::2"
_WORLD_ROUTER_V6 = "2a0d:5600:f::1"
_METRIC = 100
"""As network managers give a card's default route, so that a tunnel's may come before it."""
_TABLE_LOCAL = 255
_ALL_UIDS = "0 2147483647"

_SETTINGS = {
    "ipv4/tcp_no_metrics_save": "1",
    "ipv4/icmp_ratelimit": "0",
    "ipv6/icmp/ratelimit": "0",
    "ipv6/conf/all/accept_dad": "0",
    "ipv6/conf/default/accept_dad": "0",
    "ipv6/conf/all/accept_ra": "0",
    "ipv6/conf/default/accept_ra": "0",
    "ipv4/conf/all/rp_filter": "0",
    "ipv4/conf/default/rp_filter": "0",
    "ipv4/ip_nonlocal_bind": "1",
    "ipv6/ip_nonlocal_bind": "1",
}


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace, open for joining, and the descriptor at the far end of its card."""

    namespace: int
    card: int


def build_client() -> Place:
    """Make the client's namespace and stay in it.

    Raises:
        OSError: the kernel refuses namespaces, or both kinds of interface.
    """
    place = _open_place()
    with IPRoute() as routes:
        index = _raise_links(routes)
        routes.addr("add", index=index, address=CLIENT_V4, prefixlen=24)
        routes.addr("add", index=index, address=CLIENT_V6, prefixlen=64)
        for gateway, family in ((GATEWAY_V4, socket.AF_INET), (GATEWAY_V6, socket.AF_INET6)):
            _know_neighbour(routes, index, gateway, family)
            routes.route("add", dst="default", gateway=gateway, oif=index, family=family, priority=_METRIC)
    for allowed in (_ALL_UIDS, "0 0"):
        # In a user namespace only mapped groups are accepted; where even that fails pings need CAP_NET_RAW.
        with contextlib.suppress(OSError):
            Path("/proc/sys/net/ipv4/ping_group_range").write_text(allowed)
            break
    return place


def build_world(addresses: tuple[str, ...]) -> Place:
    """Make the world's namespace, with all its addresses, and stay in it.

    Raises:
        OSError: the kernel refuses namespaces, or both kinds of interface.
    """
    place = _open_place()
    with IPRoute() as routes:
        index = _raise_links(routes)
        routes.addr("add", index=index, address=_WORLD_LINK_V4, prefixlen=30)
        routes.addr("add", index=index, address=_WORLD_LINK_V6, prefixlen=64)
        links = ((_WORLD_ROUTER_V4, socket.AF_INET), (_WORLD_ROUTER_V6, socket.AF_INET6))
        for (router, family), client in zip(links, CLIENT_PREFIXES, strict=True):
            _know_neighbour(routes, index, router, family)
            routes.route("add", dst=client, gateway=router, oif=index, family=family)
            # What is nowhere in the world goes to the client, which drops it; both families seem to work here.
            routes.route("add", dst="default", gateway=router, oif=index, family=family)
        loopback = routes.link_lookup(ifname="lo")[0]
        # All that a NAT64 makes of IPv4 addresses is ours as well, as soon as somebody listens there.
        routes.route("add", dst=NAT64, type="local", oif=loopback, family=socket.AF_INET6, table=_TABLE_LOCAL)
        for address in addresses:
            routes.addr("add", index=loopback, address=address, prefixlen=128 if ":" in address else 32)
    return place


def build_port(card: int) -> Port:
    """Return the card's far end with the Ethernet headers that reach its near end."""
    near, far = (bytes.fromhex(mac.replace(":", "")) for mac in (OWN_MAC, ROUTER_MAC))
    return Port(descriptor=card, header_v4=near + far + b"\x08\x00", header_v6=near + far + b"\x86\xdd")


def _open_place() -> Place:
    """Make a namespace with a card."""
    syscalls.unshare(syscalls.CLONE_NEWNET)
    namespace = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    for path, value in _SETTINGS.items():
        # A kernel without IPv6 lacks some of these; it then has no IPv6 to keep quiet either.
        with contextlib.suppress(OSError):
            Path("/proc/sys/net", path).write_text(value)
    try:
        card = syscalls.open_tap(CARD)
    except OSError:
        card = _open_veth(namespace)
    with IPRoute() as routes:
        index = routes.link_lookup(ifname=CARD)[0]
        routes.link("set", index=index, address=OWN_MAC, mtu=MTU_BYTES)
    return Place(namespace=namespace, card=card)


def _open_veth(namespace: int) -> int:
    """Make a veth pair whose far end lies in a namespace of its own, kept alive by the socket on it alone."""
    syscalls.unshare(syscalls.CLONE_NEWNET)
    with contextlib.suppress(OSError):
        Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
    with IPRoute() as routes:
        routes.link("add", ifname="far0", kind="veth", peer={"ifname": CARD, "net_ns_fd": namespace})
        index = routes.link_lookup(ifname="far0")[0]
        routes.link("set", index=index, state="up", address=ROUTER_MAC, mtu=MTU_BYTES)
    syscalls.disable_offload("far0")
    card = syscalls.open_packet_socket("far0")
    syscalls.enter(namespace, syscalls.CLONE_NEWNET)
    syscalls.disable_offload(CARD)
    return card


def _raise_links(routes: IPRoute) -> int:
    loopback = routes.link_lookup(ifname="lo")[0]
    index: int = routes.link_lookup(ifname=CARD)[0]
    for one in (loopback, index):
        routes.link("set", index=one, state="up")
    return index


def _know_neighbour(routes: IPRoute, index: int, address: str, family: int) -> None:
    """Enter a neighbour for good: nobody answers ARP or neighbour discovery here."""
    permanent = 0x80
    routes.neigh("add", dst=address, lladdr=ROUTER_MAC, ifindex=index, state=permanent, family=family)
