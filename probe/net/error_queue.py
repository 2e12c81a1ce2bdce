"""Who sent the ICMP error: the error queue of an ordinary socket, no privilege needed.

Source: ip(7) `IP_RECVERR`, ipv6(7) `IPV6_RECVERR`; `struct sock_extended_err` of linux/errqueue.h.
Linux only: elsewhere `enable` returns False and `drain` nothing, so that fact is missing, never wrong.
Trap: under uvloop a callback that drained the queue must re-arm its reader (`remove_reader`, `add_reader`),
because libuv stops a handle on POLLERR.
"""

import errno
import socket
import struct
import sys

from probe.model.failure import IcmpError
from probe.net.capabilities import IP_RECVERR, IPV6_RECVERR

_ORIGIN_ICMP = 2
_ORIGIN_ICMP6 = 3
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_MOST_ERRORS = 16
"""One question gets a handful of errors at most; a flood of forged ones must not hold the loop."""

_ON_LINUX = sys.platform == "linux"


def enable(sock: socket.socket) -> bool:
    """Ask the kernel to queue ICMP errors for this socket; False where it cannot."""
    if not _ON_LINUX:
        return False
    try:
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    except OSError:
        return False
    return True


def drain(sock: socket.socket) -> tuple[IcmpError, ...]:
    """Take the ICMP errors waiting for this socket, oldest first; never waits, never raises."""
    if not _ON_LINUX:
        return ()
    errors: list[IcmpError] = []
    flags = socket.MSG_ERRQUEUE | socket.MSG_DONTWAIT
    for _ in range(_MOST_ERRORS):
        try:
            _, ancillary, _, _ = sock.recvmsg(0, 256, flags)
        except OSError as error:
            if error.errno == errno.EINTR:
                continue
            break
        errors.extend(icmp for _, kind, data in ancillary if (icmp := _parse_ancillary(kind, data)) is not None)
    return tuple(errors)


def _parse_ancillary(kind: int, data: bytes) -> IcmpError | None:
    if kind not in (IP_RECVERR, IPV6_RECVERR):
        return None
    return parse_extended_error(data)


def parse_extended_error(data: bytes) -> IcmpError | None:
    """Read a `sock_extended_err` and the offender behind it; `None` when it is not an ICMP error."""
    if len(data) < _EXTENDED_ERROR.size:
        return None
    _, origin, icmp_type, code, _, _, _ = _EXTENDED_ERROR.unpack_from(data)
    if origin not in (_ORIGIN_ICMP, _ORIGIN_ICMP6):
        return None
    return IcmpError(type=icmp_type, code=code, offender=_parse_offender(data[_EXTENDED_ERROR.size :]))


def _parse_offender(sockaddr: bytes) -> str:
    """Return the literal in a `struct sockaddr`, or an empty string when the kernel knows none."""
    if len(sockaddr) < 2:
        return ""
    (family,) = struct.unpack_from("=H", sockaddr)
    if family == socket.AF_INET and len(sockaddr) >= 8:
        return socket.inet_ntop(socket.AF_INET, sockaddr[4:8])
    if family == socket.AF_INET6 and len(sockaddr) >= 24:
        return socket.inet_ntop(socket.AF_INET6, sockaddr[8:24])
    return ""
