"""The reference servers of a control: ports that speak a tunnel's protocol, and answer harmless questions as well.

Both on the same port, because that is the comparison: what lets a STUN question or a page pass there and ends a
tunnel's beginning reacts to the protocol.
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
from probe.model.errors import ProtocolError
from probe.protocols.flow import read_flow

_LONGEST_LIFE_S = 15.0
_MOST_BYTES = 262144
_MOST_CONNECTIONS = 512
_GET = b"GET "


class HelloPorts:
    """Listens from `start` to `close`; inside the running loop."""

    def __init__(self, ports: dict[Hello, int], hosts: tuple[str, ...]) -> None:
        self._ports = ports
        self._hosts = hosts
        self._servers: list[asyncio.Server] = []
        self._transports: list[asyncio.DatagramTransport] = []
        self._open: set[_Stream] = set()
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
                context = self._context if hello.in_tls else None
                self._servers.append(await loop.create_server(self._factory(hello), host, port, ssl=context))
                with contextlib.suppress(NotImplementedError):
                    transport, _ = await loop.create_datagram_endpoint(
                        functools.partial(_Datagrams, hello),
                        local_addr=(host, port),
                    )
                    self._transports.append(transport)

    def _factory(self, hello: Hello) -> "Callable[[], _Stream]":
        return lambda: _Stream(hello, self._open)

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

    def __init__(self, hello: Hello, everybody: "set[_Stream]") -> None:
        self._take = open_stream(hello)
        self._everybody = everybody
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._head = b""
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._everybody.add(self)
        self._timer = asyncio.get_running_loop().call_later(_LONGEST_LIFE_S, self.abort)
        if len(self._everybody) > _MOST_CONNECTIONS:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._everybody.discard(self)
        self._transport = None

    def abort(self) -> None:
        """Drop it."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        transport = self._transport
        if transport is None or self._received > _MOST_BYTES:
            self.abort()
            return
        if self._head or _GET.startswith(data[:4]) or data.startswith(_GET):
            self._head += data
            if b"\r\n\r\n" in self._head or len(self._head) > MOST_HEAD_BYTES:
                # A page as long as it is asked for shows how bytes flow from here where no tunnel is seen.
                flow = read_flow(self._head)
                transport.write(ANSWER if flow is None else FLOW_HEAD % flow[0] + b"." * flow[0])
                transport.close()
            return
        try:
            answer = self._take(data)
        except ProtocolError:
            transport.close()
            return
        if answer is not None:
            transport.write(answer)
