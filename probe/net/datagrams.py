"""A UDP socket of one's own, connected to one place: fresh source port, error queue, no transport.

Source: ip(7), ipv6(7); Zohaib et al. 2025. The source port lies above the peer's, unless it is asked for otherwise: at
least one filter passes over QUIC from a port at or below the one it goes to, so a try from there would prove nothing.
"""

import asyncio
import contextlib
import errno
import random
import socket

from probe.model.endpoint import AddressFamily, Endpoint
from probe.model.failure import IcmpError
from probe.net import error_queue
from probe.net.capabilities import Capabilities
from probe.net.clock import Clock
from probe.net.tunnel import Tunnel, bind_to_device, refuse_datagrams

_READ_BYTES = 65536
_PORT_TRIES = 20
_HIGHEST_PORT = 65535
_FIRST_FREE_PORT = 1024
"""Lower ones take a privilege, or a host that gives them to everybody."""
_NEAR = 100
"""Below that many ports under the peer's own are those of services that servers refuse to answer."""


class Datagrams:
    """The socket; one operation at a time."""

    def __init__(
        self,
        endpoint: Endpoint,
        capabilities: Capabilities,
        clock: Clock,
        tunnel: Tunnel | None = None,
        *,
        low_port: bool = False,
    ) -> None:
        """Open it; `low_port` = from a source port that is not above the peer's.

        Raises:
            OSError: no descriptor left, no such family, no way there, no leave to take a low port.
        """
        v6 = endpoint.family is AddressFamily.V6
        self.endpoint = endpoint
        self.datagrams_sent = 0
        self.datagrams_received = 0
        self.bytes_sent = 0
        self.bytes_received = 0
        self._clock = clock
        self._has_errors = capabilities.error_queue
        self._tunnel = tunnel
        refuse_datagrams(tunnel)
        self._sock = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._sock.setblocking(False)
            bind_to_device(self._sock, tunnel)
            if self._has_errors:
                error_queue.enable(self._sock)
            self._sock.connect((endpoint.address, endpoint.port))
            self.local_port = self._sock.getsockname()[1]
            if low_port:
                self._move(lowest := _lowest_below(endpoint.port), endpoint.port, v6=v6)
                if not lowest <= self.local_port <= endpoint.port:
                    raise PermissionError(errno.EACCES, "no source port below the peer's is to be had")
            elif self.local_port <= endpoint.port < _HIGHEST_PORT:
                self._move(endpoint.port + 1, _HIGHEST_PORT, v6=v6)
        except OSError:
            self._sock.close()
            raise

    def _move(self, low: int, high: int, *, v6: bool) -> None:
        """Take a source port between these; where all that are tried are taken, keep the one there is."""
        for _ in range(_PORT_TRIES):
            moved = socket.socket(self._sock.family, socket.SOCK_DGRAM)
            try:
                moved.setblocking(False)
                bind_to_device(moved, self._tunnel)
                moved.bind(("::" if v6 else "0.0.0.0", random.randint(low, high)))
                if self._has_errors:
                    error_queue.enable(moved)
                moved.connect((self.endpoint.address, self.endpoint.port))
            except OSError:
                moved.close()
                continue
            self._sock.close()
            self._sock = moved
            self.local_port = moved.getsockname()[1]
            return

    def send(self, data: bytes) -> None:
        """Send one datagram; a full buffer loses it, as the network may.

        Raises:
            OSError: an ICMP error came, or there is no way there.
        """
        try:
            self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            return
        self.datagrams_sent += 1
        self.bytes_sent += len(data)

    def take(self) -> bytes | None:
        """Return a datagram that has arrived, or `None`.

        Raises:
            OSError: an ICMP error came.
        """
        try:
            data = self._sock.recv(_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return None
        self.datagrams_received += 1
        self.bytes_received += len(data)
        return data

    async def receive(self, deadline_s: float) -> bytes:
        """Wait for a datagram until a moment of the clock (`boot_s`).

        Raises:
            TimeoutError: none came in time.
            OSError: an ICMP error came.
        """
        while (data := self.take()) is None:
            rest_s = deadline_s - self._clock.boot_s()
            if rest_s <= 0:
                raise TimeoutError
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest_s):
                    await self._wait_readable()
        return data

    async def _wait_readable(self) -> None:
        """Wait for one event. The reader is made anew each time, because uvloop goes deaf on POLLERR."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        descriptor = self._sock.fileno()
        loop.add_reader(descriptor, lambda: None if ready.done() else ready.set_result(None))
        try:
            await ready
        finally:
            loop.remove_reader(descriptor)

    def take_icmp(self) -> IcmpError | None:
        """Return the last ICMP error that the kernel kept for this socket; `None` = none came."""
        errors = error_queue.drain(self._sock) if self._has_errors else ()
        return errors[-1] if errors else None

    def close(self) -> None:
        """Close it."""
        self._sock.close()


def _lowest_below(port: int) -> int:
    """Return the lowest source port to be tried where none may be above this one."""
    return _FIRST_FREE_PORT if port > _FIRST_FREE_PORT else max(1, port - _NEAR)
