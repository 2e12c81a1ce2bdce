"""What this host lets an ordinary process ask of its sockets, probed once.

Source: ip(7), ipv6(7), tcp(7), icmp(7); option numbers from linux/in.h and linux/in6.h, because Python names few.
What is absent (macOS, a container, no privilege) means that its fact has no data; it never makes a status wrong.
"""

import contextlib
import socket
import sys

import msgspec

from probe.model.errors import UserError

IP_TTL = 2
IP_RECVERR = 11
IP_RECVTTL = 12
IP_MINTTL = 21
IPV6_RECVERR = 25
IPV6_UNICAST_HOPS = 16
IPV6_RECVHOPLIMIT = 51
IPV6_HOPLIMIT = 52
IPV6_MINHOPCOUNT = 73

_ON_LINUX = sys.platform == "linux"


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """Which facts can be had here; `Capabilities()` has none, as the poorest host."""

    error_queue: bool = False
    """`IP_RECVERR`: who sent an ICMP error."""
    reply_ttl: bool = False
    """`IP_RECVTTL`: the TTL that a datagram arrived with."""
    min_ttl: bool = False
    """`IP_MINTTL`: drop what arrives with a lower TTL."""
    min_hop_count: bool = False
    """`IPV6_MINHOPCOUNT`: the same for IPv6."""
    tcp_info: bool = False
    """`TCP_INFO`: the kernel's round trip, retransmits and acknowledged bytes."""
    ping_socket: bool = False
    """ICMP echo without privilege (`net.ipv4.ping_group_range`)."""
    ping_socket_v6: bool = False
    raw_socket: bool = False
    """`CAP_NET_RAW`."""
    raw_socket_v6: bool = False


ALL = Capabilities(**dict.fromkeys(Capabilities.__struct_fields__, True))
LINUX_ONLY = ("error_queue", "reply_ttl", "min_ttl", "min_hop_count", "tcp_info")
"""Options of ordinary sockets that only Linux has."""
MASK_VARIABLE = "WALLPROBE_MASK"


def mask_capabilities(found: Capabilities, wanted: str) -> Capabilities:
    """Return what is left when these are taken away: names with commas between them, or `linux` for Linux's own.

    It shows what a check would say on a host without them.

    Raises:
        UserError: there is no such capability.
    """
    names = {name.strip() for name in wanted.split(",") if name.strip()}
    if "linux" in names:
        names = (names - {"linux"}) | set(LINUX_ONLY)
    unknown = sorted(names - set(Capabilities.__struct_fields__))
    if unknown:
        known = ", ".join(("linux", *Capabilities.__struct_fields__))
        raise UserError(MASK_VARIABLE, f"there is no {unknown[0]!r} to mask", f"choose from {known}")
    return msgspec.structs.replace(found, **dict.fromkeys(names, False))


def probe_capabilities() -> Capabilities:
    """Open one socket of each kind, ask, close it; nothing is sent."""
    return Capabilities(
        error_queue=_accepts(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_IP, IP_RECVERR),
        reply_ttl=_accepts(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_IP, IP_RECVTTL),
        min_ttl=_accepts(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_IP, IP_MINTTL),
        min_hop_count=_accepts(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT),
        tcp_info=_has_tcp_info(),
        ping_socket=_opens(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
        ping_socket_v6=_opens(socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6),
        raw_socket=_opens(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        raw_socket_v6=_opens(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6),
    )


def _accepts(family: int, kind: int, level: int, option: int) -> bool:
    """Tell whether the option can be set; its number means something else on another system."""
    if not _ON_LINUX:
        return False
    with contextlib.suppress(OSError), socket.socket(family, kind) as sock:
        sock.setsockopt(level, option, 1)
        return True
    return False


def _opens(family: int, kind: int, protocol: int) -> bool:
    with contextlib.suppress(OSError), socket.socket(family, kind, protocol):
        return True
    return False


def _has_tcp_info() -> bool:
    """Tell whether `TCP_INFO` is there and long enough for `tcpi_bytes_acked` (Linux 4.1)."""
    if not _ON_LINUX:
        return False
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        return len(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)) >= 128
    return False
