"""How late the event loop wakes: what an analyst needs beside round-trip times, and what holds starts back."""

import asyncio

PERIOD_S = 0.25
WORST_OF = 20
"""The exported figure is the worst of this many samples: five seconds."""


class LoopLag:
    """Samples the loop with a timer of its own."""

    def __init__(self) -> None:
        self.recent_s = 0.0
        """The last sample."""
        self._samples: list[float] = []
        self._timer: asyncio.TimerHandle | None = None
        self._due_s = 0.0

    @property
    def worst_s(self) -> float:
        """Return the worst of the last seconds."""
        return max(self._samples, default=0.0)

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to sample."""
        self._due_s = loop.time() + PERIOD_S
        self._timer = loop.call_at(self._due_s, self._sample, loop)

    def _sample(self, loop: asyncio.AbstractEventLoop) -> None:
        # Timers have a grain of a millisecond, so less than that is no lag.
        self.recent_s = max(0.0, loop.time() - self._due_s - 0.001)
        self._samples = [*self._samples[-(WORST_OF - 1) :], self.recent_s]
        self.start(loop)

    def stop(self) -> None:
        """Stop sampling."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
