"""The listening sockets, and who is on the way in.

asyncio's own server knows a TLS connection once its handshake is done. Until then it holds a descriptor and half a
megabyte for whoever connects and says nothing, as many as come: so handshakes are counted here, and of too many the
oldest goes.
"""

import asyncio
import errno
import logging
import socket
import ssl
from collections.abc import Callable

from probe.web.limits import WebLimits
from probe.web.listen import format_address

log = logging.getLogger("wallprobe")
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S = 1.0
"""After which accepting is tried again when the machine has run out of something."""


class Doors:
    """Each listening socket, served under the context of the day."""

    def __init__(
        self, sockets: list[socket.socket], factory: Callable[[], asyncio.Protocol], limits: WebLimits
    ) -> None:
        self._sockets = sockets
        self._factory = factory
        self._limits = limits
        self._context: ssl.SSLContext | None = None
        self._servers: list[asyncio.Server] = []
        self._accepting: list[asyncio.Task[None]] = []
        self._shaking: dict[asyncio.Task[None], None] = {}
        """Handshakes under way, oldest first."""
        self.addresses = tuple(format_address(one) for one in sockets)

    async def open(self, context: ssl.SSLContext | None) -> None:
        """Accept from now on."""
        self._context = context
        for one in self._sockets:
            one.listen(self._limits.backlog)
        if context is not None:
            self._accepting = [asyncio.create_task(self._accept(one)) for one in self._sockets]
            return
        loop = asyncio.get_running_loop()
        backlog = self._limits.backlog
        self._servers = [
            await loop.create_server(self._factory, sock=one.dup(), backlog=backlog) for one in self._sockets
        ]

    def renew(self, context: ssl.SSLContext | None) -> None:
        """Let those in under this context who come from now on: there was one before. Who is inside stays."""
        self._context = context

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, _ = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    log.error("connection not accepted", extra={"error": error.strerror})
                    await asyncio.sleep(_PAUSE_S)
                continue
            while len(self._shaking) >= self._limits.handshakes:
                oldest = next(iter(self._shaking))
                del self._shaking[oldest]
                oldest.cancel()
            task = asyncio.create_task(self._shake_hands(accepted))
            self._shaking[task] = None
            task.add_done_callback(lambda done: self._shaking.pop(done, None))

    async def _shake_hands(self, accepted: socket.socket) -> None:
        """Bring a client in; one that does not get that far is nobody's fault. The loop closes what it was given."""
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(
                self._factory, accepted, ssl=self._context, ssl_handshake_timeout=self._limits.handshake_s
            )
        except OSError as error:
            log.debug("no handshake", extra={"reason": type(error).__name__})

    def close(self) -> None:
        """Stop accepting."""
        for server in self._servers:
            server.close()
        for task in (*self._accepting, *self._shaking):
            task.cancel()
        for one in self._sockets:
            one.close()
