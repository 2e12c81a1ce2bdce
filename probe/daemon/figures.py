"""How late the event loop wakes, which an analyst needs beside round-trip times, and how starts are held back by it."""

import asyncio

PERIOD_S = 0.25
WORST_OF = 20
"""The exported figure is the worst of this many samples: five seconds."""
LAG_LIMIT_S = 0.02
"""Starts are held back while the loop wakes later than this: a burst falsifies timings."""
HELD_BACK_S = 0.02
"""One start in this time then, or in half the time between two that the list asks for: a host that is always slow must
measure as well, and holding back more than comes in would only make a queue."""
STARTS_AT_ONCE = 8


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


class StartPace:
    """How many runs may start now."""

    def __init__(self) -> None:
        self._apart_s = HELD_BACK_S
        self._credit = 0.0
        self._looked_at_s: float | None = None

    def expect(self, checks_per_s: float) -> None:
        """Learn how many starts the list asks for."""
        self._apart_s = min(HELD_BACK_S, 0.5 / checks_per_s) if checks_per_s > 0 else HELD_BACK_S

    def allow(self, now_s: float, *, lagging: bool) -> int:
        """Return how many; while the loop lags, by the time that has passed, for a late wake must not cost the pace."""
        passed_s = self._apart_s if self._looked_at_s is None else max(0.0, now_s - self._looked_at_s)
        self._looked_at_s = now_s
        if not lagging:
            self._credit = 1.0
            return STARTS_AT_ONCE
        self._credit = min(float(STARTS_AT_ONCE), self._credit + passed_s / self._apart_s)
        allowed = int(self._credit)
        self._credit -= allowed
        return allowed
