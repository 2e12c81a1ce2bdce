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
