"""A stream that plays a script on a clock of its own: no sockets, no waiting."""

from typing import Any

from probe.model.endpoint import Endpoint
from probe.net.context import Context, Journal
from probe.net.kernel_tcp import Arrivals
from tests.fakes import FakeClock, make_context

ENDPOINT = Endpoint(address="192.0.2.1", port=80)


class ScriptedStream:
    """Plays `(delay_s, bytes or exception)`; after the script it is silent."""

    def __init__(
        self, clock: FakeClock, script: list[tuple[float, bytes | OSError]], *, rtt_s: float | None = 0.05
    ) -> None:
        self.endpoint = ENDPOINT
        self.rtt_s = rtt_s
        self.bytes_sent = 100
        self.bytes_received = 50
        self.sent = b""
        self.send_error: OSError | None = None
        self._clock = clock
        self._script = list(script)
        self._next_at_s: float | None = None

    async def receive(self, limit: int, deadline_s: float) -> bytes:
        now_s = self._clock.boot_s()
        if self._script and self._next_at_s is None:
            self._next_at_s = now_s + self._script[0][0]
        if self._next_at_s is None or self._next_at_s > deadline_s:
            self._clock.advance(max(0.0, deadline_s - now_s))
            raise TimeoutError
        self._clock.advance(max(0.0, self._next_at_s - now_s))
        _, item = self._script.pop(0)
        self._next_at_s = None
        if isinstance(item, OSError):
            raise item
        if len(item) > limit:
            self._script.insert(0, (0.0, item[limit:]))
        self.bytes_received += len(item[:limit])
        return item[:limit]

    async def send(self, data: bytes, deadline_s: float) -> None:
        if self.send_error is not None:
            raise self.send_error
        self.sent += data
        self.bytes_sent += len(data)

    def arrivals(self) -> Arrivals | None:
        return Arrivals(segments=40, early=5)

    def acked_bytes(self) -> int | None:
        return len(self.sent)


def make_scripted(
    script: list[tuple[float, bytes | OSError]], *, rtt_s: float | None = 0.05, **fields: Any
) -> tuple[Context, ScriptedStream]:
    """Return a context whose clock the stream moves, and the stream."""
    clock = FakeClock()
    stack: Any = None  # an exchange opens nothing
    ctx = make_context(stack, journal=Journal(clock), **({"timeout_s": 10.0} | fields))
    return ctx, ScriptedStream(clock, script, rtt_s=rtt_s)
