"""When questions want to be called: one heap and one timer for all of them.

An answered question costs a push, never a timer of its own; its entry is skipped when its time comes.
"""

import asyncio
import heapq
import itertools
import math

from probe.net.clock import Clock
from probe.net.inquiry import Inquiry


class Timers:
    """Calls `Inquiry.tick` when it is due."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Inquiry]] = []
        self._serials = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at_s = 0.0

    def add(self, inquiry: Inquiry) -> None:
        """Call `inquiry.tick` at its `due_s`."""
        heapq.heappush(self._heap, (inquiry.due_s, next(self._serials), inquiry))
        if self._timer is None or inquiry.due_s < self._timer_at_s:
            self._arm(inquiry.due_s)

    def _arm(self, due_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        # Whole milliseconds, rounded up: uvloop rounds down and would spin.
        delay_s = math.ceil(max(0.0, due_s - self._clock.boot_s()) * 1000) / 1000
        self._timer_at_s = due_s
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now = self._clock.boot_s()
        while self._heap and (self._heap[0][0] <= now or self._heap[0][0] != self._heap[0][2].due_s):
            due_s, _, inquiry = heapq.heappop(self._heap)
            if due_s != inquiry.due_s:
                continue
            inquiry.tick(now)
            if inquiry.due_s:
                heapq.heappush(self._heap, (inquiry.due_s, next(self._serials), inquiry))
        if self._heap:
            self._arm(self._heap[0][0])

    def close(self) -> None:
        """Call nobody any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._heap.clear()
