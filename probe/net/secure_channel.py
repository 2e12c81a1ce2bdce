"""Application data over a finished TLS handshake."""

from probe.model.endpoint import Endpoint
from probe.net.channel import Channel
from probe.net.kernel_tcp import Arrivals
from probe.protocols.engines.tls import TLSEngine

_READ_BYTES = 16384


class SecureChannel:
    """Application data over a finished handshake; a `ByteStream`."""

    __slots__ = ("_channel", "_engine", "_unsent")

    def __init__(self, channel: Channel, engine: TLSEngine, unsent: bytes) -> None:
        self._channel = channel
        self._engine = engine
        self._unsent = unsent

    @property
    def endpoint(self) -> Endpoint:
        """Return the address and port it leads to."""
        return self._channel.endpoint

    @property
    def rtt_s(self) -> float | None:
        """Return the round trip of the TCP handshake in seconds; `None` = not known."""
        return self._channel.rtt_s

    @property
    def bytes_sent(self) -> int:
        """Return bytes handed to the kernel, TLS framing included."""
        return self._channel.bytes_sent

    @property
    def bytes_received(self) -> int:
        """Return bytes that came from the kernel, TLS framing included."""
        return self._channel.bytes_received

    async def receive(self, limit: int, deadline_s: float) -> bytes:
        """Return up to `limit` bytes as soon as there are any; `b''` = the peer closed, with TLS or without.

        Raises:
            TimeoutError: the deadline passed; the stream is still usable.
            OSError: the connection broke; `ssl.SSLError` is one of them.
        """
        if self._unsent:
            await self._flush(deadline_s)
        engine = self._engine
        while True:
            if engine.has_input:
                data = engine.open(limit)
                if reply := engine.take_unsent():
                    await self._channel.send(reply, deadline_s)
                if data is not None:
                    return data
            chunk = await self._channel.receive(_READ_BYTES, deadline_s)
            if not chunk:
                return b""
            engine.add(chunk)

    async def send(self, data: bytes, deadline_s: float) -> None:
        """Hand all of `data` to the kernel as records.

        Raises:
            TimeoutError: the deadline passed.
            OSError: the connection broke; `ssl.SSLError` is one of them.
        """
        sealed = self._unsent + self._engine.seal(data)
        self._unsent = b""
        await self._channel.send(sealed, deadline_s)

    async def _flush(self, deadline_s: float) -> None:
        unsent, self._unsent = self._unsent, b""
        await self._channel.send(unsent, deadline_s)

    def acked_bytes(self) -> int | None:
        """Return how many of our bytes were acknowledged, TLS framing included; `None` = the kernel does not tell."""
        return self._channel.acked_bytes()

    def arrivals(self) -> Arrivals | None:
        """Return in how many segments the peer's bytes came, and in what order; `None` = the kernel does not tell."""
        return self._channel.arrivals()
