"""A small Internet on loopback: a DNS server, servers that misbehave on purpose, and a stack that knows them."""

import asyncio
import contextlib
import functools
import socket
import ssl
import struct
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import dns.flags
import dns.message
import dns.rrset
import trustme

from probe.checks import web
from probe.model.observation import HTTPExchange
from probe.model.target import CheckName, Target
from probe.net.capabilities import probe_capabilities
from probe.net.clock import SystemClock
from probe.net.context import Context
from probe.net.dns_pool import DnsSockets
from probe.net.stack import Stack
from probe.net.system_resolver import SystemResolver
from probe.net.trust import Trust
from tests.fakes import OpenGate, make_context

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Seen = TypeVar("Seen")

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 18\r\n\r\n<title>Ok</title>!"


class NameServer(asyncio.DatagramProtocol):
    """Answers A and AAAA from a table; a name that is not in it does not exist."""

    def __init__(self, table: dict[str, list[str]]) -> None:
        self.asked: list[str] = []
        self._table = table
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: Any) -> None:
        question = dns.message.from_wire(data)
        name = question.question[0].name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.question[0].rdtype)
        self.asked.append(f"{name} {kind}")
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        addresses = [a for a in self._table.get(name, []) if (":" in a) == (kind == "AAAA")]
        if name not in self._table:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif addresses and kind in ("A", "AAAA"):
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", kind, *addresses))
        assert self._transport is not None
        self._transport.sendto(answer.to_wire(), addr)


@functools.cache
def authority() -> tuple[trustme.CA, str]:
    """Return a throw-away CA and the file with its root."""
    ca = trustme.CA()
    path = Path(_folder().name) / "root.pem"
    ca.cert_pem.write_to_path(str(path))
    return ca, str(path)


@functools.cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    """Return a folder that goes when the run ends: it is removed with the object."""
    return tempfile.TemporaryDirectory(prefix="wallprobe-test-")


class World:
    """The servers of one test, and what it takes to check against them."""

    def __init__(self, stack: Stack, names: dict[str, list[str]], nameserver: NameServer) -> None:
        self.stack = stack
        self.names = names
        self.nameserver = nameserver
        self.requests: list[bytes] = []
        """Heads of the requests that `answer` servers got."""
        self._servers: list[asyncio.Server] = []

    async def serve(
        self, behaviour: Behaviour, *addresses: str, port: int = 0, certificate_for: tuple[str, ...] = ()
    ) -> int:
        """Serve at one port of one or more addresses; return the port."""
        tls: ssl.SSLContext | None = None
        if certificate_for:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            authority()[0].issue_cert(*certificate_for).configure_cert(tls)
        for address in addresses or ("127.0.0.1",):
            server = await asyncio.start_server(behaviour, address, port, ssl=tls, backlog=1000)
            self._servers.append(server)
            port = server.sockets[0].getsockname()[1]
        return port

    def answer(self, *answers: bytes) -> Behaviour:
        """Return a behaviour that answers request after request, the last answer for ever."""
        rest = list(answers)

        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(rest.pop(0) if len(rest) > 1 else rest[0])
                await writer.drain()
                writer.close()

        return behave

    async def check(self, *, host: str, port: int, secure: bool = False, path: str = "/", **fields: Any) -> Context:
        """Run the web check; return its context, with the observations in the journal."""
        of_target = {name: fields.pop(name) for name in ("request", "family") if name in fields}
        target = Target(
            id="t", check=CheckName.WEB, address="x", host=host, port=port, secure=secure, path=path, **of_target
        )
        stack: Any = self.stack
        # Loopback answers look forged, so each question would go on listening.
        ctx = make_context(stack, **({"families": (4,), "hold_s": 0.01} | fields))
        await web.run(target, ctx)
        return ctx

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        await self.stack.close()


@contextlib.asynccontextmanager
async def open_world(**names: list[str]) -> AsyncIterator[World]:
    """Open a world; `names` maps a name (`_` for `.`) to addresses."""
    table = {name.replace("_", "."): addresses for name, addresses in names.items()}
    loop = asyncio.get_running_loop()
    transport, nameserver = await loop.create_datagram_endpoint(lambda: NameServer(table), local_addr=("127.0.0.1", 0))
    clock = SystemClock()
    with tempfile.TemporaryDirectory() as folder:
        resolv_conf = Path(folder) / "resolv.conf"
        resolv_conf.write_text("nameserver 127.0.0.1\n", encoding="utf-8")
        stack = Stack(
            clock=clock,
            trust=Trust(ca_file=authority()[1]),
            dns=DnsSockets(clock),
            names=SystemResolver(str(resolv_conf), port=transport.get_extra_info("sockname")[1]),
            capabilities=probe_capabilities(),
        )
        world = World(stack, table, nameserver)
        try:
            yield world
        finally:
            await world.close()
            transport.close()


def seen(ctx: Context, kind: type[Seen]) -> list[Seen]:
    """Return the observations of one kind."""
    return [observation for observation in ctx.journal.observations if isinstance(observation, kind)]


def the_exchange(ctx: Context) -> HTTPExchange:
    """Return the only exchange."""
    (exchange,) = seen(ctx, HTTPExchange)
    return exchange


def assert_all_released(ctx: Context) -> None:
    """Hold that every grant was given back."""
    assert isinstance(ctx.gate, OpenGate)
    assert sorted(g.serial for g in ctx.gate.asked) == sorted(g.serial for g in ctx.gate.released)


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the request and reset."""
    await reader.read(10)
    raw = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read the request and close."""
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read and never answer."""
    with contextlib.suppress(OSError):
        while await reader.read(1000):
            pass
    writer.close()


def say(*pieces: bytes, every_s: float = 0.0, close: bool = True) -> Behaviour:
    """Return a behaviour that reads a request and says the pieces one by one."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(every_s)
            if not close:
                await reader.read(1)
        writer.close()

    return behave


def stream_forever(head: bytes, piece: bytes, every_s: float = 0.0) -> Behaviour:
    """Return a behaviour that sends until the client goes away."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head)
            while not writer.is_closing():
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(every_s)
        writer.close()

    return behave
