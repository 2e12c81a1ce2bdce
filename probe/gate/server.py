"""The gate's socket: lets the other commands of this machine share the daemon's budgets and its memory of hot places.

A client is a process of the same user: the socket has mode 0600 from before it accepts anybody. A client that dies
gives back all it held. Nothing a client sends can cost more than its own connection. Who measured beside the daemon
hands its runs over here as well: only the daemon writes the database.
"""

import asyncio
import contextlib
import itertools
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import assert_never

from probe.gate import wire
from probe.gate.gate import Gate
from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError, UserError
from probe.model.experiment import Grant
from probe.net.context import TooSoon

_MAX_CLIENTS = 64
_MAX_ASKS = 1024
"""Of one client, waiting or granted."""
_MAX_UNREAD_BYTES = 1 << 20
"""Answers that a client does not read: then it is cut off."""


Keep = Callable[[bytes], bool]
"""Takes a client's run as it came; tells whether it will be stored."""


def keep_nothing(_run: bytes) -> bool:
    """Take no run: there is no database."""
    return False


class GateServer:
    """Serves one gate on one path."""

    def __init__(self, gate: Gate, path: Path, keep: Keep = keep_nothing) -> None:
        self._gate = gate
        self._keep = keep
        self._path = path
        self._server: asyncio.Server | None = None
        self._inode: tuple[int, int] | None = None
        self._clients: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)

    async def start(self) -> None:
        """Listen.

        Raises:
            UserError: another daemon listens there, or the path cannot be used.
        """
        listener = _bind(self._path)
        status = os.stat(self._path)
        self._inode = (status.st_dev, status.st_ino)
        self._server = await asyncio.start_unix_server(self._serve, sock=listener, limit=wire.LINE_BYTES)

    async def close(self) -> None:
        """Stop listening, cut off the clients, and remove the socket unless somebody else's is there now."""
        if self._server is None:
            return
        self._server.close()
        clients = list(self._clients)
        for task in clients:
            task.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        self._server = None
        with contextlib.suppress(OSError):
            status = os.stat(self._path)
            if (status.st_dev, status.st_ino) == self._inode:
                self._path.unlink()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "a stream's callback runs in a task"
        self._clients.add(task)
        try:
            if len(self._clients) > _MAX_CLIENTS:
                writer.write(wire.build_line(wire.Refused(reason="too many clients")))
                return
            await _Client(self._gate, self._keep, next(self._numbers), writer).run(reader)
        except asyncio.CancelledError:
            pass  # we are closing; the stream's own callback would log this as an error
        finally:
            self._clients.discard(task)
            writer.close()


class _Client:
    """One connection: its waiting asks and its grants, by the client's own numbers."""

    def __init__(self, gate: Gate, keep: Keep, number: int, writer: asyncio.StreamWriter) -> None:
        self._gate = gate
        self._keep = keep
        self._prefix = f"client-{number}:"
        self._writer = writer
        self._waiting: dict[int, asyncio.Task[None]] = {}
        self._granted: dict[int, Grant] = {}
        self._visited: set[Endpoint] = set()

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Answer until the client hangs up or talks nonsense; then take everything back."""
        self._send(wire.Hello(version=wire.VERSION))
        try:
            async with asyncio.TaskGroup() as asks:
                try:
                    while data := await _read_line(reader):
                        line = wire.parse_client_line(data)
                        if isinstance(line, wire.Keep):
                            self._send(wire.Kept(id=line.id, stored=self._keep(await reader.readexactly(line.size))))
                        else:
                            self._take(line, asks)
                except ProtocolError as error:
                    self._send(wire.Refused(reason=str(error)))
                except (OSError, EOFError):
                    pass  # it died; there is nobody to tell
                for task in self._waiting.values():
                    task.cancel()
        finally:
            for grant in self._granted.values():
                self._gate.release(grant)

    def _take(self, line: wire.GateLine, asks: asyncio.TaskGroup) -> None:
        match line:
            case wire.AskFor():
                self._check_room(line.id)
                self._waiting[line.id] = asks.create_task(self._ask(line))
            case wire.Claim():
                self._check_room(line.id)
                self._waiting[line.id] = asks.create_task(self._claim(line))
            case wire.Reserve():
                self._check_room(line.id)
                self._waiting[line.id] = asks.create_task(self._reserve(line))
            case wire.Cancel():
                task = self._waiting.pop(line.id, None)
                if task is not None:
                    task.cancel()
                self._release(line.id)
            case wire.Release():
                self._release(line.id, line.bytes_sent, line.bytes_received)
            case wire.Triggered():
                if line.endpoint not in self._visited:
                    raise ProtocolError(f"nothing was ever granted for {line.endpoint}")
                self._gate.triggered(line.endpoint, over_udp=line.over_udp)
            case _:
                assert_never(line)

    def _check_room(self, number: int) -> None:
        if number in self._waiting or number in self._granted:
            raise ProtocolError(f"id {number} is in use")
        if len(self._waiting) + len(self._granted) >= _MAX_ASKS:
            raise ProtocolError(f"more than {_MAX_ASKS} grants at once")

    async def _claim(self, line: wire.Claim) -> None:
        try:
            await self._gate.claim_handshake(line.identity, line.spacing_s, line.patience_s)
        except TooSoon as error:
            self._send(wire.Claimed(id=line.id, wait_s=error.wait_s))
        else:
            self._send(wire.Claimed(id=line.id))
        finally:
            self._waiting.pop(line.id, None)

    async def _reserve(self, line: wire.Reserve) -> None:
        number: int | None = None
        try:
            number = await self._gate.reserve(line.counter, line.at_least, line.count)
        except OSError:
            pass  # the client is told, and measures nothing
        finally:
            self._waiting.pop(line.id, None)
        self._send(wire.Reserved(id=line.id, number=number))

    async def _ask(self, line: wire.AskFor) -> None:
        try:
            grant = await self._gate.ask(line.traffic, line.endpoint, self._prefix + line.holder)
        finally:
            self._waiting.pop(line.id, None)  # one that is cancelled before its first step never comes here
        self._granted[line.id] = grant
        if line.endpoint is not None:
            self._visited.add(line.endpoint)
        self._send(wire.Granted(id=line.id, queued_s=grant.queued_s, hot=grant.hot))

    def _release(self, number: int, sent: int = 0, received: int = 0) -> None:
        grant = self._granted.pop(number, None)
        if grant is not None:
            self._gate.release(grant, bytes_sent=sent, bytes_received=received)

    def _send(self, line: wire.ServerLine) -> None:
        self._writer.write(wire.build_line(line))
        if self._writer.transport.get_write_buffer_size() > _MAX_UNREAD_BYTES:
            self._writer.transport.abort()


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    """Read one line; empty = the client hung up, in the middle of a line or between two.

    Raises:
        ProtocolError: the line is longer than any of ours.
    """
    try:
        return await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError:
        return b""
    except asyncio.LimitOverrunError as error:
        raise ProtocolError(f"a line of more than {wire.LINE_BYTES} bytes") from error


def _bind(path: Path) -> socket.socket:
    """Bind and restrict the socket before it listens, so nobody can get in between.

    Raises:
        UserError: another daemon listens there, or the path cannot be used.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise UserError(str(path), "this system has no unix sockets", "run the daemon on Linux")
    _clear_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(path))
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
        listener.listen(_MAX_CLIENTS)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        what = f"cannot listen there ({error.strerror or error})"
        raise UserError(str(path), what, "choose a folder that this user can write to, with a short path") from error
    return listener


def _clear_stale(path: Path) -> None:
    """Remove a socket that nobody answers; anything else stays."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise UserError(str(path), "something that is no socket is there", "move it away")
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
            knock.connect(str(path))
    except FileNotFoundError:
        return
    except ConnectionRefusedError:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        return
    except OSError as error:
        raise UserError(str(path), f"cannot be used ({error.strerror or error})", "look at who owns it") from error
    raise UserError(
        str(path), "another wallprobe daemon serves there", "stop it, or give this one another state folder"
    )
