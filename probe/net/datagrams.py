"""A UDP socket of one's own, connected to one place: fresh source port, error queue, no transport.

Source: ip(7), ipv6(7). The source port lies above the peer's: at least one filter passes over QUIC from a port at or
below the one it goes to, so a try from there would prove nothing.
"""

import asyncio
import contextlib
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


class Datagrams:
    """The socket; one operation at a time."""

    def __init__(
        self, endpoint: Endpoint, capabilities: Capabilities, clock: Clock, tunnel: Tunnel | None = None
    ) -> None:
        """Open it.

        Raises:
            OSError: no descriptor left, no such family, no way there.
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
            if self.local_port <= endpoint.port < _HIGHEST_PORT:
                self._rise(v6=v6)
        except OSError:
            self._sock.close()
            raise

    def _rise(self, *, v6: bool) -> None:
        """Take a source port above the peer's; where all that are tried are taken, keep the one there is."""
        for _ in range(_PORT_TRIES):
            higher = socket.socket(self._sock.family, socket.SOCK_DGRAM)
            try:
                higher.setblocking(False)
                bind_to_device(higher, self._tunnel)
                higher.bind(("::" if v6 else "0.0.0.0", random.randint(self.endpoint.port + 1, _HIGHEST_PORT)))
                if self._has_errors:
                    error_queue.enable(higher)
                higher.connect((self.endpoint.address, self.endpoint.port))
            except OSError:
                higher.close()
                continue
            self._sock.close()
            self._sock = higher
            self.local_port = higher.getsockname()[1]
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
        """Return the last ICMP error that the kernel kept for this socket."""
        errors = error_queue.drain(self._sock) if self._has_errors else ()
        return errors[-1] if errors else None

    def close(self) -> None:
        """Close it."""
        self._sock.close()
