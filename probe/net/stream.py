"""What a request travels on: an open TCP channel, or TLS over one. The steps above do not care which."""

from typing import Protocol

from probe.model.endpoint import Endpoint
from probe.net.kernel_tcp import Arrivals


class ByteStream(Protocol):
    """An open connection. Deadlines are moments of the context's clock (`boot_s`), never durations."""

    @property
    def endpoint(self) -> Endpoint:
        """Return the address and port it leads to."""
        ...

    @property
    def rtt_s(self) -> float | None:
        """Return the round trip of its handshake in seconds; `None` = could not be told."""
        ...

    @property
    def bytes_sent(self) -> int:
        """Return how many bytes were handed to the kernel, TLS framing included."""
        ...

    @property
    def bytes_received(self) -> int:
        """Return how many bytes came from the kernel, TLS framing included."""
        ...

    async def receive(self, limit: int, deadline_s: float) -> bytes:
        """Return between 1 and `limit` bytes as soon as there are any; `b''` = the peer closed.

        Raises:
            TimeoutError: the deadline passed.
            OSError: the connection broke, or TLS did.
        """
        ...

    async def send(self, data: bytes, deadline_s: float) -> None:
        """Hand all of `data` to the kernel.

        Raises:
            TimeoutError: the deadline passed.
            OSError: the connection broke.
        """
        ...

    def acked_bytes(self) -> int | None:
        """Return how many of our bytes the peer's kernel acknowledged; `None` where ours does not say."""
        ...

    def arrivals(self) -> Arrivals | None:
        """Return in how many segments the peer's bytes came, and in what order; `None` where our kernel keeps it."""
        ...
