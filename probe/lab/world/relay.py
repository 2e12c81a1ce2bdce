"""Joining streams: to a TLS end of our own after its first bytes were read, or to another server."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def relay(
    seen: bytes,
    near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    """Carry bytes both ways until both sides have ended; `seen` was read from the near side already."""
    far[1].write(seen)
    async with asyncio.TaskGroup() as ways:
        ways.create_task(_carry(near[0], far[1]))
        ways.create_task(_carry(far[0], near[1]))


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()


async def end_tls(
    seen: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext, serve: Serve
) -> None:
    """Serve TLS on a connection whose first bytes were read already."""
    outer, inner = socket.socketpair()
    loop = asyncio.get_running_loop()
    protocol = asyncio.StreamReaderProtocol(asyncio.StreamReader(), serve)
    far = await asyncio.open_connection(sock=outer)

    async def accept() -> None:
        # A client that leaves during the handshake is no fault of ours.
        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(lambda: protocol, inner, ssl=context)

    async with asyncio.TaskGroup() as ends:
        ends.create_task(accept())
        ends.create_task(relay(seen, (reader, writer), far))
    far[1].close()
