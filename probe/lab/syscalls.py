"""The kernel calls for namespaces that Python 3.11 lacks, by ctypes.

Source: unshare(2), setns(2), mount(2), prctl(2), packet(7); Linux's include/uapi/linux: sched.h, mount.h, if_tun.h,
prctl.h, sockios.h, ethtool.h.
"""

import ctypes
import fcntl
import os
import signal
import socket
import struct

CLONE_NEWNS = 0x00020000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8

_PR_SET_PDEATHSIG = 1
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_TAP, _IFF_NO_PI = 0x0001, 0x0002, 0x1000
_SIOCETHTOOL = 0x8946
_ETHTOOL_SETTERS = (0x15, 0x17, 0x19, 0x1F, 0x21, 0x24, 0x2C)
"""ETHTOOL_S{RXCSUM,TXCSUM,SG,TSO,UFO,GSO,GRO}: what leaves packets unfinished or joined on a veth."""

_libc = ctypes.CDLL(None, use_errno=True)


def _check(returned: int, what: str) -> None:
    if returned != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def unshare(flags: int) -> None:
    """Leave the namespaces named by the flags for new ones.

    Raises:
        OSError: the kernel refuses.
    """
    _check(_libc.unshare(flags), "unshare")


def enter(namespace: int, flags: int) -> None:
    """Join the namespace behind a descriptor of /proc/PID/ns.

    Raises:
        OSError: the kernel refuses.
    """
    _check(_libc.setns(namespace, flags), "setns")


def mount(source: str, target: str, kind: str = "", flags: int = 0) -> None:
    """Mount, bind, or change the propagation of a mount.

    Raises:
        OSError: the kernel refuses.
    """
    _check(_libc.mount(source.encode(), target.encode(), kind.encode() or None, flags, None), f"mount {target}")


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")


def open_tap(name: str) -> int:
    """Make a TAP interface in the current network namespace and return its descriptor, which does not block.

    Raises:
        OSError: there is no /dev/net/tun, or it is not ours to open.
    """
    return _open_tuntap(name, _IFF_TAP, os.O_NONBLOCK)


def open_tun(name: str) -> int:
    """Make a TUN interface in the current network namespace and return its descriptor.

    Raises:
        OSError: there is no /dev/net/tun, or it is not ours to open.
    """
    return _open_tuntap(name, _IFF_TUN, 0)


def _open_tuntap(name: str, kind: int, flags: int) -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | flags)
    try:
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", name.encode(), kind | _IFF_NO_PI))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def disable_offload(name: str) -> None:
    """Have an interface finish its checksums and cut its segments itself; what it cannot switch is left."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        for command in _ETHTOOL_SETTERS:
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sP16x", name.encode(), ctypes.addressof(value))
            try:
                fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
            except OSError:
                continue


def open_packet_socket(name: str) -> int:
    """Return the descriptor of a raw socket on an interface of the current network namespace: frames in, frames out.

    Raises:
        OSError: AF_PACKET is missing or not allowed.
    """
    every_protocol = socket.htons(0x0003)
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, every_protocol)
    raw.bind((name, 0x0003))
    sol_packet, packet_ignore_outgoing = 263, 23
    raw.setsockopt(sol_packet, packet_ignore_outgoing, 1)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    return raw.detach()
