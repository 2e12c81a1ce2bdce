"""Reading a stream inside a dialogue: bytes come cut anywhere, messages are taken out whole.

Every read ends in one of three ways: what was asked for, `None` (nothing more came in time, or the peer hung up), or
`ProtocolError` when more is asked for than any honest peer would send.
"""

from collections.abc import Callable, Generator
from typing import TypeAlias, TypeVar

from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Event, Receive

T = TypeVar("T")
Reading: TypeAlias = Generator[Event, bytes | None, T]
"""A piece of a dialogue that ends with a value: `value = yield from …`."""

DEFAULT_LIMIT_BYTES = 131072


class Incoming:
    """What came on a stream and was not yet read."""

    def __init__(self, timeout_s: float, *, limit_bytes: int = DEFAULT_LIMIT_BYTES, secret: bool = False) -> None:
        self.timeout_s = timeout_s
        self.pending = b""
        self.ended = False
        """The peer closed the stream."""
        self.secret = secret
        """What comes from here on is kept out of the transcript."""
        self._limit_bytes = limit_bytes

    def more(self) -> Reading[bool]:
        """Wait for more bytes; false if none came in time or the peer hung up.

        Raises:
            ProtocolError: the peer sends and sends, and no message ends.
        """
        if self.ended:
            return False
        chunk = yield Receive(self.timeout_s, secret=self.secret)
        if chunk is None:
            return False
        if not chunk:
            self.ended = True
            return False
        if len(self.pending) + len(chunk) > self._limit_bytes:
            raise ProtocolError(f"no message ends in {self._limit_bytes} bytes: {self.pending[:16].hex()}")
        self.pending += chunk
        return True

    def take(self, size: int) -> Reading[bytes | None]:
        """Return exactly so many bytes; `None` if they do not come.

        Raises:
            ProtocolError: a peer announces more than we hold.
        """
        if size > self._limit_bytes:
            raise ProtocolError(f"a message of {size} bytes is announced: {self.pending[:16].hex()}")
        while len(self.pending) < size:
            if not (yield from self.more()):
                return None
        taken, self.pending = self.pending[:size], self.pending[size:]
        return taken

    def take_line(self) -> Reading[bytes | None]:
        """Return the bytes up to a line feed, without it and a carriage return before it; `None` if none comes.

        Raises:
            ProtocolError: the line does not end.
        """
        while (end := self.pending.find(b"\n")) < 0:
            if not (yield from self.more()):
                return None
        line, self.pending = self.pending[:end], self.pending[end + 1 :]
        return line.removesuffix(b"\r")

    def take_message(self, split: Callable[[bytes], tuple[T, int] | None]) -> Reading[T | None]:
        """Return the next message as `split` reads it from the front of what is pending; `None` if it stays partial.

        `split` returns the message and the bytes it took, or `None` for "need more"; what it raises rises.
        """
        while (found := split(self.pending)) is None:
            if not (yield from self.more()):
                return None
        message, used = found
        self.pending = self.pending[used:]
        return message
