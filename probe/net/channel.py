"""An open TCP connection on a raw non-blocking socket and the loop's `add_reader`: no transport, no tasks.

The reader stays registered from connect to close and reads in its callback, so that a chunk costs one system call, one
wake-up and no exception, and so that a reset is seen when it comes, not when somebody asks.
uvloop: libuv stops a handle on POLLERR, which a reset raises together with the last data, and uvloop then refuses the
descriptor until reader and writer are removed. Therefore the socket is looked at once more before anybody waits on it,
and `_watch` starts afresh where it must. The reader and the writer go before the socket is closed.
"""

import asyncio
import collections
import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable

from probe.model.endpoint import AddressFamily, Endpoint
from probe.net.capabilities import IP_MINTTL, IPV6_MINHOPCOUNT
from probe.net.clock import Clock
from probe.net.kernel_tcp import CLOSED, SYN_SENT, Arrivals, KernelView, read_arrivals, read_kernel_view

_READ_BYTES = 16384
_MOST_BUFFERED_BYTES = 65536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Channel:
    """One connection; one operation at a time. `connect` makes and closes it."""

    def __init__(self, sock: socket.socket, endpoint: Endpoint, clock: Clock) -> None:
        self.endpoint = endpoint
        self.rtt_s: float | None = None
        self.bytes_sent = 0
        self.bytes_received = 0
        self.local_port = 0
        self._sock = sock
        self._fd = sock.fileno()
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._chunks: collections.deque[bytes] = collections.deque()
        self._buffered_bytes = 0
        self._ended = False
        self._error: OSError | None = None
        self._late_error: OSError | None = None
        """A reset that `open` took from the socket; it comes after what is still to be read."""
        self._reading = False
        self._look_first = False
        """The reader may be deaf: look at the socket before waiting."""
        self._waiter: asyncio.Future[None] | None = None
        self._deadline_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_s = 0.0
        self._timed_out = False
        self._acked_before = 0
        """What the kernel had counted as acknowledged before our first byte: the SYN."""

    # Connecting

    async def open(self, deadline_s: float, *, tcp_info: bool) -> KernelView | None:
        """Finish a connect that is in progress and listen to the peer; return what the kernel saw of it.

        A reset that follows the handshake at once is not a failed connect: it waits for whoever reads or writes next.

        Raises:
            TimeoutError: the deadline passed; may be called again.
            OSError: the connection was refused or could not be made.
        """
        try:
            while True:
                self._watch(self._loop.add_writer, self._wake)
                await self._wait(deadline_s)
                view = read_kernel_view(self._sock) if tcp_info else None
                if view is not None and view.state not in (SYN_SENT, CLOSED):
                    break
                number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number in (errno.ECONNRESET, errno.EPIPE):
                    self._late_error = OSError(number, os.strerror(number))
                elif number:
                    raise OSError(number, os.strerror(number))
                if view is None or view.state == CLOSED:
                    break
            self._start_reading()  # before the writer goes, so that uvloop keeps its one handle
        finally:
            self._loop.remove_writer(self._fd)
        if view is not None:
            self.rtt_s = view.rtt_s
            self._acked_before = view.acked_bytes
        self.local_port = self._sock.getsockname()[1]
        return view

    # Receiving

    async def receive(self, limit: int, deadline_s: float) -> bytes:
        """Return up to `limit` bytes as soon as there are any; `b''` = FIN.

        Raises:
            TimeoutError: the deadline passed; the channel is still usable.
            OSError: the connection broke.
        """
        if not self._chunks:
            if self._look_first:
                self._read()
            while not (self._chunks or self._ended or self._error):
                self._start_reading()
                await self._wait(deadline_s)
        if self._chunks:
            return self._take(limit)
        if self._error is not None:
            raise self._error
        return b""

    def _take(self, limit: int) -> bytes:
        chunk = self._chunks.popleft()
        if len(chunk) > limit:
            self._chunks.appendleft(chunk[limit:])
            chunk = chunk[:limit]
        self._buffered_bytes -= len(chunk)
        return chunk

    def _read(self) -> None:
        try:
            data = self._sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            self._look_first = False
            return
        except OSError as error:
            self._error = error
            data = b""
        if data:
            self._look_first = True
            self.bytes_received += len(data)
            self._chunks.append(data)
            self._buffered_bytes += len(data)
            if self._buffered_bytes >= _MOST_BUFFERED_BYTES:
                self._stop_reading()
        else:
            self._error = self._error or self._late_error
            self._ended = True
            self._stop_reading()  # an ended socket is readable for ever
        self._wake()

    def _start_reading(self) -> None:
        if not self._reading and not self._ended:
            self._reading = True
            self._watch(self._loop.add_reader, self._read)

    def _stop_reading(self) -> None:
        if self._reading:
            self._reading = False
            self._loop.remove_reader(self._fd)

    # Sending

    async def send(self, data: bytes, deadline_s: float) -> None:
        """Hand all of `data` to the kernel.

        Raises:
            TimeoutError: the deadline passed.
            OSError: the connection broke.
        """
        rest = memoryview(data)
        while rest:
            if (error := self._error or self._late_error) is not None:
                raise error
            try:
                count = self._sock.send(rest)
            except (BlockingIOError, InterruptedError):
                await self._wait_writable(deadline_s)
                continue
            self.bytes_sent += count
            rest = rest[count:]

    async def _wait_writable(self, deadline_s: float) -> None:
        self._watch(self._loop.add_writer, self._wake)
        try:
            await self._wait(deadline_s)
        finally:
            self._loop.remove_writer(self._fd)

    # Waiting

    def _watch(self, add: Callable[[int, Callable[[], None]], None], callback: Callable[[], None]) -> None:
        """Register a callback for the socket, on a fresh handle where uvloop closed the old one."""
        try:
            add(self._fd, callback)
        except RuntimeError:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            add(self._fd, callback)
            self._look_first = True

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def _wait(self, deadline_s: float) -> None:
        """Wait for the reader or writer. One timer serves the whole connection: it looks when it fires."""
        self._deadline_s = deadline_s
        if self._timer is None or self._timer_at_s > deadline_s:
            self._arm(deadline_s)
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _arm(self, at_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at_s = at_s
        # uvloop cuts a delay to whole milliseconds: one more, or it fires early and is armed again and again.
        self._timer = self._loop.call_later(max(0.0, at_s - self._clock.boot_s()) + 0.001, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        if self._waiter is None or self._waiter.done():
            return
        if self._clock.boot_s() < self._deadline_s:
            self._arm(self._deadline_s)
            return
        # A loop that was busy meanwhile may have left the answer lying in the socket.
        if self._reading:
            self._read()
        if not self._waiter.done():
            self._timed_out = True
            self._waiter.set_exception(TimeoutError())

    # What the kernel knows, and the end

    def set_floor(self, ttl: int) -> None:
        """Have our kernel drop what comes from now on with a lower TTL or hop limit.

        Raises:
            OSError: this host has no such option.
        """
        level, option = (socket.IPPROTO_IP, IP_MINTTL)
        if self.endpoint.family is AddressFamily.V6:
            level, option = (socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT)
        self._sock.setsockopt(level, option, ttl)

    def acked_bytes(self) -> int | None:
        """Return how many of our bytes the peer's kernel acknowledged; `None` where ours does not say."""
        view = read_kernel_view(self._sock) if self._acked_before else None
        return None if view is None else max(0, min(view.acked_bytes - self._acked_before, self.bytes_sent))

    def arrivals(self) -> Arrivals | None:
        """Return in how many segments the peer's bytes came, and in what order; `None` where our kernel keeps it."""
        return read_arrivals(self._sock) if self._acked_before else None

    def close(self) -> None:
        """Close; what the peer never acknowledged is dropped with a reset, not sent again for minutes.

        An orphaned ClientHello would go on triggering a censor long after the measurement.
        """
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._stop_reading()
        if self._timed_out and self.bytes_sent and self.acked_bytes() != self.bytes_sent:
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self._sock.close()
