"""Which way out this host has, read from the kernel's tables. Elsewhere than Linux: none known."""

import hashlib
import ipaddress
from pathlib import Path

import msgspec

_TUNNEL_TYPES = frozenset({"65534", "512", "768", "769", "776", "778"})
"""ARPHRD numbers of interfaces without link-layer peers: none (tun, WireGuard), ppp, tunnels, sit, gre."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A default route; the gateway is empty for a point-to-point interface."""

    family: int
    interface: str
    gateway: str = ""


def default_routes(proc: Path = Path("/proc/net")) -> tuple[Route, ...]:
    """Return the default routes of both families, or none where the kernel does not tell."""
    return (*_read_v4(proc / "route"), *_read_v6(proc / "ipv6_route"))


def _read_v4(path: Path) -> tuple[Route, ...]:
    routes = []
    for line in read_lines(path)[1:]:
        fields = line.split()
        if len(fields) >= 8 and fields[1] == "00000000" and fields[7] == "00000000":
            gateway = str(ipaddress.ip_address(int.from_bytes(bytes.fromhex(fields[2]), "little")))
            routes.append(Route(family=4, interface=fields[0], gateway="" if gateway == "0.0.0.0" else gateway))
    return tuple(routes)


def _read_v6(path: Path) -> tuple[Route, ...]:
    routes = []
    for line in read_lines(path):
        fields = line.split()
        if len(fields) < 10 or fields[0] != "0" * 32 or fields[1] != "00" or fields[9] == "lo":
            continue
        gateway = str(ipaddress.IPv6Address(bytes.fromhex(fields[4])))
        routes.append(Route(family=6, interface=fields[9], gateway="" if gateway == "::" else gateway))
    return tuple(routes)


def identify_network(proc: Path = Path("/proc/net"), resolv_conf: Path = Path("/etc/resolv.conf")) -> str:
    """Return a hash that differs from network to network: of the gateways, their hardware addresses, nameservers.

    It names no network; empty = no way out.
    """
    routes = default_routes(proc)
    hardware = {line.split()[0]: line.split()[3] for line in read_lines(proc / "arp")[1:] if len(line.split()) > 3}
    parts = [f"{r.family} {r.gateway} {hardware.get(r.gateway, '')}" for r in routes]
    parts += [line for line in read_lines(resolv_conf) if line.startswith("nameserver")]
    return hashlib.blake2s("\n".join(parts).encode(), digest_size=8).hexdigest() if routes else ""


def is_tunnel(interface: str, sys_class: Path = Path("/sys/class/net")) -> bool:
    """Tell whether an interface is a tunnel: what passes it is not what this access network passes."""
    return "".join(read_lines(sys_class / interface / "type")).strip() in _TUNNEL_TYPES


def read_lines(path: Path) -> list[str]:
    """Return the lines of one of the kernel's tables; what cannot be read has none."""
    try:
        return path.read_text("ascii", "replace").splitlines()
    except OSError:
        return []
