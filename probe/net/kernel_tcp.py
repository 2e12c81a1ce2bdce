"""What Linux knows of a TCP connection that no client can measure for itself.

Source: tcp(7) `TCP_INFO`, `struct tcp_info` of linux/tcp.h (`tcpi_bytes_acked` since 4.1).
"""

import contextlib
import socket
import struct

import msgspec

_STATE_AND_RTT = struct.Struct("=B67xI28xI16xQ")
"""Offsets: 0 `tcpi_state`, 68 `tcpi_rtt` (us), 100 `tcpi_total_retrans`, 120 `tcpi_bytes_acked`."""
_READ_BYTES = _STATE_AND_RTT.size
_ARRIVALS = struct.Struct("=152xI68xI")
"""Offsets: 152 `tcpi_data_segs_in` (since 4.6), 224 `tcpi_rcv_ooopack` (since 5.4)."""
SYN_SENT = 2
CLOSED = 7


class KernelView(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a connection."""

    state: int
    rtt_s: float | None
    """Smoothed round trip; `None` = none measured yet."""
    retransmits: int
    """Segments sent again since the connection was made, the SYN among them."""
    acked_bytes: int
    """Acknowledged sequence numbers, so the SYN counts one."""


class Arrivals(msgspec.Struct, frozen=True, kw_only=True):
    """How a peer's data came in."""

    segments: int
    """Segments with data."""
    early: int
    """Those before which something was missing: it was lost, or overtaken."""


def read_arrivals(sock: socket.socket) -> Arrivals | None:
    """Ask the kernel how data came in; `None` where it does not say."""
    with contextlib.suppress(OSError):
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ARRIVALS.size)
        if len(data) == _ARRIVALS.size:
            segments, early = _ARRIVALS.unpack(data)
            return Arrivals(segments=segments, early=early)
    return None


def read_kernel_view(sock: socket.socket) -> KernelView | None:
    """Ask the kernel; `None` where it does not say."""
    with contextlib.suppress(OSError):
        # Older kernels return less than is asked for.
        data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _READ_BYTES)
        if len(data) == _READ_BYTES:
            state, rtt_us, retransmits, acked = _STATE_AND_RTT.unpack(data)
            return KernelView(
                state=state, rtt_s=rtt_us / 1e6 if rtt_us else None, retransmits=retransmits, acked_bytes=acked
            )
    return None
