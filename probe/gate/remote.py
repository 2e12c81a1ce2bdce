"""The daemon's gate, seen from another process of this machine; speaks the lines of `wire`."""

import asyncio
import contextlib
import errno
import itertools
import socket
from pathlib import Path
from typing import TypeAlias, assert_never

from probe.gate import wire
from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError
from probe.model.experiment import Grant, Traffic
from probe.net.context import TooSoon

_CONNECT_TIMEOUT_S = 2.0
_Answer: TypeAlias = wire.Granted | wire.Claimed | wire.Reserved | wire.Kept


class GateUnreachable(Exception):  # noqa: N818 - a state that the caller answers with a ledger of its own
    """No daemon grants anything. No `OSError`: a step must not take it for the network's failure."""


class RemoteGate:
    """Implements `probe.net.context.Gatekeeper` over the daemon's socket.

    When the daemon goes away, what is in flight goes on, and the next ask tries once to find it again (a restart);
    asks that wait then are put to the new one.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._link: _Link | None = None
        self._opening = asyncio.Lock()
        self._serials = itertools.count(1)
        self._links: dict[int, _Link] = {}
        """Which connection each grant in flight came over."""

    @classmethod
    async def connect(cls, path: Path) -> "RemoteGate":
        """Find the daemon.

        Raises:
            GateUnreachable: there is none, it is another user's, or it speaks another version.
        """
        gate = cls(path)
        await gate._live_link()
        return gate

    async def ask(self, traffic: Traffic, endpoint: Endpoint | None, holder: str) -> Grant:
        """Wait for a grant of the daemon's.

        Raises:
            GateUnreachable: the daemon went away and is not back.
        """
        while True:
            link = await self._live_link()
            serial = next(self._serials)
            line = wire.AskFor(id=serial, traffic=traffic, endpoint=endpoint, holder=holder)
            granted = await link.ask(line)
            if isinstance(granted, wire.Granted):
                self._links[serial] = link
                return Grant(
                    serial=serial, traffic=traffic, endpoint=endpoint, queued_s=granted.queued_s, hot=granted.hot
                )

    def release(self, grant: Grant, *, bytes_sent: int = 0, bytes_received: int = 0) -> None:
        """Tell that the operation's socket is closed. A daemon that went away has taken the grant back already."""
        link = self._links.pop(grant.serial, None)
        if link is not None:
            link.send(wire.Release(id=grant.serial, bytes_sent=bytes_sent, bytes_received=bytes_received))

    def triggered(self, endpoint: Endpoint, *, over_udp: bool = False) -> None:
        """Tell that a step failed there after a name or a protocol signature was sent."""
        if self._link is not None:
            self._link.send(wire.Triggered(endpoint=endpoint, over_udp=over_udp))

    async def claim_handshake(self, identity: str, spacing_s: float, patience_s: float) -> None:
        """Note with the daemon that a full handshake begins now.

        Raises:
            TooSoon: it would be longer than `patience_s` until it may.
            GateUnreachable: the daemon went away and is not back.
        """
        while True:
            link = await self._live_link()
            line = wire.Claim(id=next(self._serials), identity=identity, spacing_s=spacing_s, patience_s=patience_s)
            claimed = await link.ask(line)
            if isinstance(claimed, wire.Claimed):
                if claimed.wait_s > 0:
                    raise TooSoon(claimed.wait_s)
                return

    async def reserve(self, counter: str, at_least: int, count: int) -> int:
        """Return the first of `count` numbers that the daemon never gave for this counter.

        Raises:
            OSError: it could not be written.
            GateUnreachable: the daemon went away and is not back.
        """
        while True:
            link = await self._live_link()
            line = wire.Reserve(id=next(self._serials), counter=counter, at_least=at_least, count=count)
            reserved = await link.ask(line)
            if isinstance(reserved, wire.Reserved):
                if reserved.number is None:
                    raise OSError(errno.EIO, "the daemon could not write the counter")
                return reserved.number

    async def keep(self, run: bytes) -> bool:
        """Hand a run over to the daemon's database; tell whether it will be there."""
        if not 0 < len(run) <= wire.KEEP_BYTES:
            return False
        try:
            link = await self._live_link()
        except GateUnreachable:
            return False
        kept = await link.ask(wire.Keep(id=next(self._serials), size=len(run)), run)
        return isinstance(kept, wire.Kept) and kept.stored

    async def close(self) -> None:
        """Hang up; the daemon takes back what is left."""
        if self._link is not None:
            await self._link.close()
            self._link = None

    async def _live_link(self) -> "_Link":
        async with self._opening:
            if self._link is None or self._link.lost:
                if self._link is not None:
                    await self._link.close()
                    self._link = None
                self._link = await _open(self._path)
            return self._link


class _Link:
    """One connection, and who waits for an answer on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.lost = False
        self._writer = writer
        self._waiting: dict[int, asyncio.Future[_Answer | None]] = {}
        self._listener = asyncio.create_task(self._listen(reader))

    async def ask(
        self, line: wire.AskFor | wire.Claim | wire.Reserve | wire.Keep, body: bytes = b""
    ) -> "_Answer | None":
        """Return the answer; None = the connection was lost before it came."""
        if self.lost:
            return None
        answer: asyncio.Future[_Answer | None] = asyncio.get_running_loop().create_future()
        self._waiting[line.id] = answer
        self.send(line, body)
        try:
            return await answer
        except BaseException:
            self.send(wire.Cancel(id=line.id))  # also when it was granted in this very turn
            raise
        finally:
            self._waiting.pop(line.id, None)

    def send(self, line: wire.ClientLine, body: bytes = b"") -> None:
        """Send, unless nobody is there any more."""
        if not self.lost:
            self._writer.write(wire.build_line(line) + body)

    async def close(self) -> None:
        """Hang up."""
        self.lost = True
        self._listener.cancel()
        await asyncio.gather(self._listener, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                line = wire.parse_server_line(await reader.readuntil(b"\n"))
                match line:
                    case wire.Granted() | wire.Claimed() | wire.Reserved() | wire.Kept():
                        answer = self._waiting.pop(line.id, None)
                        if answer is not None and not answer.done():
                            answer.set_result(line)
                    case wire.Refused():
                        return
                    case wire.Hello():
                        pass
                    case _:
                        assert_never(line)
        except (OSError, EOFError, asyncio.LimitOverrunError, ProtocolError):
            pass  # whatever ended it, the answer is the same: it is lost
        finally:
            self.lost = True
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_result(None)
            self._writer.close()


async def _open(path: Path) -> _Link:
    """Connect and read the greeting.

    Raises:
        GateUnreachable: nobody is there, or nobody we understand.
    """
    if not hasattr(socket, "AF_UNIX"):
        raise GateUnreachable("this system has no unix sockets")
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_unix_connection(path, limit=wire.LINE_BYTES)
    except OSError as error:  # with TimeoutError, its subclass
        raise GateUnreachable(f"no daemon answers on {path}: {error.strerror or 'silence'}") from error
    try:
        async with asyncio.timeout(_CONNECT_TIMEOUT_S):
            line = wire.parse_server_line(await reader.readuntil(b"\n"))
    except (OSError, EOFError, asyncio.LimitOverrunError, ProtocolError) as error:
        writer.close()
        raise GateUnreachable(f"what answers on {path} is no gate of ours") from error
    except BaseException:
        writer.close()
        raise
    if isinstance(line, wire.Hello) and line.version == wire.VERSION:
        return _Link(reader, writer)
    writer.close()
    why = line.reason if isinstance(line, wire.Refused) else "it speaks another version"
    raise GateUnreachable(f"the daemon on {path} refuses: {why}")
