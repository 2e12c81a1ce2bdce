"""The reference servers of a control: ports that speak a tunnel's protocol, and answer harmless questions as well.

Both on the same port, because that is the comparison: what lets a STUN question or a page pass there and ends a
tunnel's beginning reacts to the protocol. There is room for so many connections, those that still shake hands by TLS
among them; of too many the oldest that has said nothing yet goes.
"""

import asyncio
import contextlib
import datetime
import functools
import ssl
from collections.abc import Callable
from typing import cast

from probe.control.certificates import build_echo_context, make_certificate
from probe.control.echo_service import ANSWER, FLOW_HEAD, MOST_HEAD_BYTES
from probe.control.hello_answers import Hello, open_datagrams, open_stream
from probe.control.inner_tls import ServerTls
from probe.model.errors import ProtocolError
from probe.protocols.flow import read_flow

_LONGEST_LIFE_S = 15.0
_MOST_BYTES = 262144
_MOST_CONNECTIONS = 512
_GET = b"GET "


class HelloPorts:
    """Listens from `start` to `close`; inside the running loop."""

    def __init__(self, ports: dict[Hello, int], hosts: tuple[str, ...], room: int = _MOST_CONNECTIONS) -> None:
        self._ports = ports
        self._hosts = hosts
        self._room = room
        self._servers: list[asyncio.Server] = []
        self._transports: list[asyncio.DatagramTransport] = []
        self._open: dict[_Stream, None] = {}
        """Oldest first."""
        self._context: ssl.SSLContext | None = None
        if any(hello.in_tls for hello in ports):
            certificate = make_certificate("localhost", datetime.datetime.now(datetime.UTC))
            self._context = build_echo_context(*certificate)[0]

    async def start(self) -> None:
        """Listen on TCP and UDP of every port.

        Raises:
            OSError: one is taken.
        """
        loop = asyncio.get_running_loop()
        for hello, port in self._ports.items():
            for host in self._hosts:
                self._servers.append(await loop.create_server(self._factory(hello), host, port))
                with contextlib.suppress(NotImplementedError):
                    transport, _ = await loop.create_datagram_endpoint(
                        functools.partial(_Datagrams, hello),
                        local_addr=(host, port),
                    )
                    self._transports.append(transport)

    def _factory(self, hello: Hello) -> "Callable[[], _Stream]":
        context = self._context if hello.in_tls else None
        return lambda: _Stream(hello, context, self._open, self._room)

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """Return where it listens by TCP."""
        names = [one.getsockname() for server in self._servers for one in server.sockets]
        return tuple((str(name[0]), int(name[1])) for name in names)

    async def close(self) -> None:
        """Accept nobody any more and drop who is there."""
        for server in self._servers:
            server.close()
        for transport in self._transports:
            transport.close()
        for stream in tuple(self._open):
            stream.abort()


class _Datagrams(asyncio.DatagramProtocol):
    """Answers each datagram for itself."""

    def __init__(self, hello: Hello) -> None:
        self._answer = open_datagrams(hello)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # A cast, not a check: uvloop's transport has the methods without the base class.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._answer(data)
        if answer is not None:
            self._transport.sendto(answer, addr)


class _Stream(asyncio.Protocol):
    """One accepted connection: a page for a browser, the protocol's answer for whoever begins it."""

    def __init__(
        self, hello: Hello, context: ssl.SSLContext | None, everybody: "dict[_Stream, None]", room: int
    ) -> None:
        self._take = open_stream(hello)
        self._tls = None if context is None else ServerTls(context)
        self._everybody = everybody
        self._room = room
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._head = b""
        self._received = 0
        self.has_spoken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._everybody[self] = None
        self._timer = asyncio.get_running_loop().call_later(_LONGEST_LIFE_S, self.abort)
        if len(self._everybody) > self._room:
            next((one for one in self._everybody if not one.has_spoken), self).abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._everybody.pop(self, None)
        self._transport = None

    def abort(self) -> None:
        """Drop it; whoever comes at this moment has its place already."""
        self._everybody.pop(self, None)
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > _MOST_BYTES:
            self.abort()
            return
        if self._tls is None:
            self._hear(data)
            return
        try:
            for plain in self._tls.open(data):
                self._hear(plain)
        except ssl.SSLError:
            self._close()
            return
        self._flush()
        if self._tls.ended:
            self._close()

    def _hear(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        self.has_spoken = True
        if self._head or _GET.startswith(data[:4]) or data.startswith(_GET):
            self._head += data
            if b"\r\n\r\n" in self._head or len(self._head) > MOST_HEAD_BYTES:
                # A page as long as it is asked for shows how bytes flow from here where no tunnel is seen.
                flow = read_flow(self._head)
                self._say(ANSWER if flow is None else FLOW_HEAD % flow[0] + b"." * flow[0])
                self._close()
            return
        try:
            answer = self._take(data)
        except ProtocolError:
            self._close()
            return
        if answer is not None:
            self._say(answer)

    def _say(self, data: bytes) -> None:
        if self._tls is not None:
            self._tls.seal(data)
            self._flush()
        elif self._transport is not None:
            self._transport.write(data)

    def _close(self) -> None:
        """Hang up, with a goodbye in TLS, once all is sent."""
        if self._tls is not None:
            self._tls.say_goodbye()
            self._flush()
        if self._transport is not None:
            self._transport.close()

    def _flush(self) -> None:
        if self._tls is None or self._transport is None or self._transport.is_closing():
            return
        if data := self._tls.take_unsent():
            self._transport.write(data)
