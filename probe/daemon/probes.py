"""Runs that somebody asks for now, and the last run of the targets that somebody asks about.

Whole runs take memory, so only those of targets that were asked about lately are kept.
"""

import asyncio
from collections.abc import Callable, Container

from probe.model.measurement import Measurement
from probe.net.clock import Clock

KEPT_FOR_S = 3600.0


class Probes:
    """Shared by all who ask: a target that is run already is not run again."""

    def __init__(self, clock: Clock, start: Callable[[str], None]) -> None:
        self._clock = clock
        self._start = start
        """Has a target run as soon as the gate allows."""
        self._asked_at_s: dict[str, float] = {}
        self._kept: dict[str, Measurement] = {}
        self._waiting: dict[str, asyncio.Future[None]] = {}

    def latest(self, target_id: str) -> Measurement | None:
        """Return the last run of a target, from the second question about it on; `None` = only figures are known."""
        now_s = self._clock.boot_s()
        self._asked_at_s[target_id] = now_s
        return self._kept.get(target_id)

    async def run(self, target_id: str) -> None:
        """Wait until a run of the target has ended: the one under way, or one that starts now."""
        self._asked_at_s[target_id] = self._clock.boot_s()
        waiting = self._waiting.get(target_id)
        if waiting is None:
            waiting = self._waiting[target_id] = asyncio.get_running_loop().create_future()
            self._start(target_id)
        # Shielded: who gives up must not take the run from the others.
        await asyncio.shield(waiting)

    def take(self, measurement: Measurement) -> None:
        """Learn that a run has ended."""
        if not self._asked_at_s or measurement.continues:
            return
        target_id = measurement.target.id
        asked_at_s = self._asked_at_s.get(target_id)
        if asked_at_s is not None:
            if self._clock.boot_s() - asked_at_s <= KEPT_FOR_S:
                self._kept[target_id] = measurement
            else:
                del self._asked_at_s[target_id]
                self._kept.pop(target_id, None)
        self.done(target_id)

    def done(self, target_id: str) -> None:
        """Let those go on who wait for this target, also when its run came to nothing."""
        waiting = self._waiting.pop(target_id, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def forget(self, target_id: str) -> None:
        """Forget a target that has left the list."""
        self._asked_at_s.pop(target_id, None)
        self._kept.pop(target_id, None)
        self.done(target_id)

    def keep_only(self, targets: Container[str]) -> None:
        """Forget all that have left the list."""
        for gone in [name for name in (*self._asked_at_s, *self._waiting) if name not in targets]:
            self.forget(gone)
