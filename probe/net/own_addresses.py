"""The addresses of this host, so that they can be kept out of what leaves it. Nothing is sent to learn them."""

import contextlib
import ipaddress
import socket
from pathlib import Path

from probe.net.routes import read_lines

_ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Documentation addresses (RFC 5737, RFC 3849): the kernel picks a source for them; a datagram is never sent."""
_DISCARD = 9


def find_own_addresses(proc: Path = Path("/proc/net")) -> tuple[str, ...]:
    """Return the literals that this host has beyond loopback, as far as its kernel tells."""
    found = [*_read_v4(proc / "fib_trie"), *_read_v6(proc / "if_inet6")]
    for family, there in _ELSEWHERE.items():
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.connect((there, _DISCARD))
            found.append(str(asking.getsockname()[0]))
    return tuple(dict.fromkeys(address for address in found if not _is_everywhere(address)))


def _read_v4(path: Path) -> list[str]:
    """Read the routing trie: a leaf that is `host LOCAL` is an address of ours."""
    found, leaf = [], ""
    for line in read_lines(path):
        words = line.split()
        if words[:1] == ["|--"]:
            leaf = words[1]
        elif words[-2:] == ["host", "LOCAL"] and leaf:
            found.append(leaf)
    return found


def _read_v6(path: Path) -> list[str]:
    return [str(ipaddress.IPv6Address(bytes.fromhex(line.split()[0]))) for line in read_lines(path) if line.strip()]


def _is_everywhere(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return parsed.is_loopback or parsed.is_unspecified


def has_address(address: str, proc: Path = Path("/proc/net")) -> bool:
    """Tell whether an interface of this host has this address: a tunnel is up here whose inner address it is.

    That it can be bound is not enough where the kernel lets foreign addresses be (`ip_nonlocal_bind`).
    """
    try:
        wanted = ipaddress.ip_interface(address).ip
        family = socket.AF_INET6 if wanted.version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.bind((str(wanted), 0))
    except (OSError, ValueError):
        return False
    listed = _read_v6(proc / "if_inet6") if wanted.version == 6 else _read_v4(proc / "fib_trie")
    return not listed or str(wanted) in listed
