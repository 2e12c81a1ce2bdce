"""Bounds on what a client can hold: how many connections, and how long each may take to ask, to read and to idle.

aiohttp reads a head for as long as it takes to come and writes for as long as it takes to go. A thin protocol in front
of its own notes when bytes came and when a request was being served; one timer aborts what took too long.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from probe.web.limits import WebLimits


class Guarded(asyncio.Protocol):
    """One connection: passes everything on to the server's protocol, and keeps the time."""

    def __init__(self, inner: asyncio.Protocol, connections: "Connections") -> None:
        self.inner = inner
        self._connections = connections
        self.transport: asyncio.Transport | None = None
        self.deadline_s = 0.0
        self.serving = False
        self._turned_away = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it in, or drop it."""
        # A cast, not a check: uvloop's transport has the methods without the base class.
        self.transport = cast(asyncio.Transport, transport)
        self._connections.join(self)
        self.inner.connection_made(transport)
        if not self._connections.admits(self.transport):
            self._turned_away = True
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Start the clock of a head, if these are its first bytes."""
        if self._turned_away:
            return
        self._connections.heard(self)
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass on."""
        return self.inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count it out."""
        self._connections.leave(self)
        self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass on: the reader is slow."""
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on."""
        self.inner.resume_writing()


class Connections:
    """All connections of the server."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: WebLimits,
        admits: Callable[[asyncio.BaseTransport], bool] = lambda _transport: True,
    ) -> None:
        self._loop = loop
        self.admits = admits
        """Tells whether who connects may stay: by the certificate that it showed."""
        self._limits = limits
        self._open: dict[Any, Guarded] = {}
        self._reading: set[Guarded] = set()
        self._timer = loop.call_later(limits.sweep_s, self._sweep)

    def guard(self, make_inner: Callable[[], asyncio.Protocol]) -> Callable[[], asyncio.Protocol]:
        """Return a protocol factory that puts a guard before each protocol."""
        return lambda: Guarded(make_inner(), self)

    def close(self) -> None:
        """Stop the timer."""
        self._timer.cancel()

    def join(self, guarded: Guarded) -> None:
        """Take a new connection in; if there are too many, in place of the one that has held its place for longest.

        Whoever watches over us asks for `/-/healthy` on a new one: readers that do not read must not make us look dead.
        """
        if len(self._open) >= self._limits.connections:
            # Who has not asked yet goes before who is being answered.
            oldest = min(self._open.values(), key=lambda one: (one.serving, one.deadline_s))
            self.leave(oldest)
            if oldest.transport is not None:
                oldest.transport.abort()
        self._open[guarded.inner] = guarded
        self._reading.add(guarded)
        guarded.deadline_s = self._loop.time() + self._limits.head_s

    def leave(self, guarded: Guarded) -> None:
        """Forget a connection."""
        self._open.pop(guarded.inner, None)
        self._reading.discard(guarded)

    def heard(self, guarded: Guarded) -> None:
        """Note bytes: between requests they begin a head."""
        if not guarded.serving and guarded not in self._reading:
            self._reading.add(guarded)
            guarded.deadline_s = self._loop.time() + self._limits.head_s

    def serve(self, inner: object) -> None:
        """Note that a request's head is complete; `inner` is what `request.protocol` gives."""
        if (guarded := self._open.get(inner)) is not None:
            self._reading.discard(guarded)
            guarded.serving = True
            guarded.deadline_s = self._loop.time() + self._limits.serve_s

    def served(self, inner: object) -> None:
        """Note that it is answered."""
        if (guarded := self._open.get(inner)) is not None:
            guarded.serving = False
            guarded.deadline_s = self._loop.time() + self._limits.idle_s

    def _sweep(self) -> None:
        now_s = self._loop.time()
        for guarded in [one for one in self._open.values() if one.deadline_s < now_s]:
            if guarded.transport is not None:
                guarded.transport.abort()
        self._timer = self._loop.call_later(self._limits.sweep_s, self._sweep)
