"""One connection to an echo port: TLS for any name, HTTP for any host, a sink for whatever else.

The first bytes tell: a TLS record (RFC 8446 section 5.1) gets a handshake and then the same again inside it, a request
line gets a page; the rest is swallowed, and once enough of it has come, that is said. `GET /flow/BYTES/RATE` gets so
many bytes at that rate, to see who slows them.
Nothing of what came is ever sent back: a censor's block page or a forged reset must not be mistaken for our answer, and
nobody can use us to send a third party anything.
"""

import asyncio
import ssl
from collections.abc import Callable
from enum import StrEnum
from typing import cast

from probe.control.inner_tls import ServerTls
from probe.protocols.flow import read_flow
from probe.protocols.sink import ANSWER as SWALLOWED
from probe.protocols.sink import ENOUGH_BYTES

LONGEST_LIFE_S = 15.0
MOST_BYTES = 256 * 1024
"""Swallowed of one connection; then it is closed."""
MOST_HEAD_BYTES = 16384
_RECORD_HANDSHAKE = 0x16
_TLS_MAJOR = 0x03
_METHODS = (b"GET ", b"HEAD ", b"POST ", b"PUT ", b"OPTIONS ")
_LONGEST_METHOD = max(map(len, _METHODS))
_PAGE = b"<!doctype html><title>Wallprobe echo</title><p>This page answers for any name. Nothing is served here.</p>\n"
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nCache-Control: no-store\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n%b"
) % (len(_PAGE), _PAGE)
FLOW_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nCache-Control: no-store\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n"
)
_TICK_S = 0.02


class Spoken(StrEnum):
    """What a connection turned out to be."""

    TLS = "tls"
    HTTP = "http"
    SINK = "sink"


def tell(first: bytes) -> Spoken | None:
    """Tell what the first bytes begin; `None` = too few to say."""
    if not first:
        return None
    if first[0] == _RECORD_HANDSHAKE:
        if len(first) < 2:
            return None
        return Spoken.TLS if first[1] == _TLS_MAJOR else Spoken.SINK
    if any(first.startswith(method) for method in _METHODS):
        return Spoken.HTTP
    if len(first) < _LONGEST_METHOD and any(method.startswith(first) for method in _METHODS):
        return None
    return Spoken.SINK


class EchoConnection(asyncio.Protocol):
    """One accepted connection."""

    def __init__(
        self,
        context: ssl.SSLContext,
        opened: Callable[["EchoConnection"], None],
        closed: Callable[["EchoConnection"], None],
    ) -> None:
        self._context = context
        self._opened = opened
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._tls: ServerTls | None = None
        self._buffer = b""
        self._received = 0
        self._kind: Spoken | None = None
        self._left = 0
        """Bytes of a flow that are still to be sent."""
        self._rate = 0
        self._pouring: asyncio.TimerHandle | None = None
        self.spoken: Spoken | None = None
        """What the outermost layer was."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take it, for a while."""
        # A cast, not a check: uvloop's transport has the methods without the base class.
        self._transport = cast(asyncio.Transport, transport)
        self._opened(self)
        self._timer = asyncio.get_running_loop().call_later(LONGEST_LIFE_S, self.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        if self._timer is not None:
            self._timer.cancel()
        if self._pouring is not None:
            self._pouring.cancel()
        self._tls = None
        self._transport = None
        self._closed(self)

    def abort(self) -> None:
        """Drop it."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Find out what is spoken, and answer it."""
        self._received += len(data)
        if self._received > MOST_BYTES:
            self._close()
        elif self._tls is not None:
            self._feed_tls(data)
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        """Read plain bytes, of the connection itself or from inside TLS."""
        if self._kind is Spoken.SINK:
            self._swallow()
            return
        self._buffer += data
        if self._kind is None:
            self._kind = tell(self._buffer)
            if self._kind is None:
                return
            self.spoken = self.spoken or self._kind
        match self._kind:
            case Spoken.TLS if self._tls is None:
                first, self._buffer, self._kind = self._buffer, b"", None
                self._tls = ServerTls(self._context)
                self._feed_tls(first)
            case Spoken.HTTP:
                if b"\r\n\r\n" in self._buffer or len(self._buffer) > MOST_HEAD_BYTES:
                    self._answer()
            case _:
                self._buffer = b""
                self._swallow()

    def _swallow(self) -> None:
        """Say, once enough has come, that it arrived."""
        if self._received >= ENOUGH_BYTES:
            self._say(SWALLOWED)
            self._close()

    def _answer(self) -> None:
        if self._left:
            return
        flow = read_flow(self._buffer)
        if flow is None:
            self._say(ANSWER)
            self._close()
            return
        self._left, self._rate = flow
        self._say(FLOW_HEAD % self._left)
        self._pour()

    def _pour(self) -> None:
        """Send what a tick's worth of the rate allows, until all is sent: slower than asked for is not our doing."""
        if self._transport is None or self._transport.is_closing():
            return
        size = min(self._left, max(1, round(self._rate * _TICK_S)))
        self._left -= size
        self._say(b"." * size)
        if self._left:
            self._pouring = asyncio.get_running_loop().call_later(_TICK_S, self._pour)
        else:
            self._close()

    def _say(self, data: bytes) -> None:
        """Send, through TLS if that is spoken."""
        if self._tls is None:
            self._write(data)
        else:
            self._tls.seal(data)
            self._flush()

    def _feed_tls(self, data: bytes) -> None:
        assert self._tls is not None
        try:
            for plain in self._tls.open(data):
                self._take(plain)
        except (ssl.SSLError, OSError):
            self._flush()  # the alert
            self._close()
            return
        self._flush()
        if self._tls.ended:
            self._close()

    def _flush(self) -> None:
        if self._tls is not None and (data := self._tls.take_unsent()):
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _close(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.close()
