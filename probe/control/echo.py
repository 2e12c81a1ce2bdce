"""The echo ports: a range of them, so that a censored name can be sent to an address that has nothing to do with it.

A censor that reacts to a name may punish the address and port for minutes; each port is used once per cool-down. All
ports hang on the one loop as plain readers: a port costs two descriptors and no task.
"""

import asyncio
import contextlib
import datetime
import errno
import socket
from collections import Counter
from collections.abc import Iterable

from probe.control.certificates import build_echo_context, make_certificate
from probe.control.echo_quic import QuicEcho, build_configuration
from probe.control.echo_service import EchoConnection
from probe.control.settings import EchoSettings
from probe.control.wire import EchoOffer

_BACKLOG = 16
_ACCEPTED_AT_ONCE = 16
_READ_AT_ONCE = 64
_LONGEST_DATAGRAM = 2048
_OUT_OF_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class EchoPorts:
    """Listens from `start` to `close`; inside the running loop."""

    def __init__(self, settings: EchoSettings, hosts: tuple[str, ...], not_these: frozenset[int]) -> None:
        self._settings = settings
        self._hosts = hosts
        self._not_these = not_these
        self._loop = asyncio.get_running_loop()
        certificate, key = make_certificate("localhost", datetime.datetime.now(datetime.UTC))
        self._context, self._cert_sha256 = build_echo_context(certificate, key)
        self._quic = QuicEcho(build_configuration((certificate, key)), settings.connections, self._loop.time)
        self._sockets: list[socket.socket] = []
        self._open: set[EchoConnection] = set()
        self._joining: set[asyncio.Task[None]] = set()
        self._tcp: set[int] = set()
        self._udp: set[int] = set()
        self.connections = 0
        """Accepted and not yet closed."""
        self.accepted: Counter[str] = Counter()
        self.dropped_total = 0
        self.datagrams_total = 0

    @property
    def ports(self) -> int:
        """Return how many ports listen."""
        return len(self._tcp)

    def start(self) -> None:
        """Listen on every port of the range that is free; the others are not offered."""
        for port in range(self._settings.low, self._settings.high + 1) if self._settings.low else ():
            if port in self._not_these:
                continue
            if self._listen(port, socket.SOCK_STREAM):
                self._tcp.add(port)
            if self._listen(port, socket.SOCK_DGRAM):
                self._udp.add(port)

    def offer(self) -> EchoOffer:
        """Say which ports there are."""
        return EchoOffer(tcp=_fold(self._tcp), udp=_fold(self._udp), cert_sha256=self._cert_sha256)

    async def close(self) -> None:
        """Stop listening and drop what is open."""
        for one in self._sockets:
            self._loop.remove_reader(one.fileno())
            one.close()
        self._sockets.clear()
        self._quic.close()
        for connection in tuple(self._open):
            connection.abort()
        for task in self._joining:
            task.cancel()
        await asyncio.gather(*self._joining, return_exceptions=True)

    def _listen(self, port: int, kind: socket.SocketKind) -> bool:
        """Listen at one port of every host; all of them or none."""
        bound: list[socket.socket] = []
        try:
            for host in self._hosts:
                bound.append(_bind(host, port, kind))
        except OSError as error:
            for one in bound:
                one.close()
            if error.errno in _OUT_OF_ROOM:
                raise
            return False
        for one in bound:
            react = self._accept if kind == socket.SOCK_STREAM else self._swallow
            self._loop.add_reader(one.fileno(), react, one)
        self._sockets += bound
        return True

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                accepted, _ = listener.accept()
            except OSError:
                return  # nobody is there any more, or there is no descriptor left
            if self.connections >= self._settings.connections:
                accepted.close()
                self.dropped_total += 1
                continue
            accepted.setblocking(False)
            self.connections += 1
            task = self._loop.create_task(self._join(accepted))
            self._joining.add(task)
            task.add_done_callback(self._joining.discard)

    async def _join(self, accepted: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: EchoConnection(self._context, self._open.add, self._closed), accepted
            )
        except (OSError, asyncio.CancelledError) as error:
            accepted.close()  # it was gone before we looked, or we are going
            self.connections -= 1
            if not isinstance(error, OSError):
                raise

    def _closed(self, connection: EchoConnection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            self.connections -= 1
            self.accepted[connection.spoken.value if connection.spoken else "nothing"] += 1

    def _swallow(self, sink: socket.socket) -> None:
        """Read what came: QUIC is answered, all else is swallowed."""
        with contextlib.suppress(OSError):
            for _ in range(_READ_AT_ONCE):
                data, peer = sink.recvfrom(_LONGEST_DATAGRAM)
                self.datagrams_total += 1
                self._quic.take(sink, data, peer)


def _bind(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    v6 = ":" in host
    bound = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, kind)
    try:
        if kind == socket.SOCK_STREAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if v6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.setblocking(False)
        bound.bind((host, port))
        if kind == socket.SOCK_STREAM:
            bound.listen(_BACKLOG)
    except BaseException:
        bound.close()
        raise
    return bound


def _fold(ports: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return the ports as ranges, both ends in them."""
    ranges: list[tuple[int, int]] = []
    for port in sorted(ports):
        if ranges and ranges[-1][1] == port - 1:
            ranges[-1] = (ranges[-1][0], port)
        else:
            ranges.append((port, port))
    return tuple(ranges)
