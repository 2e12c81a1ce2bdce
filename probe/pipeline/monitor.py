"""The vantage on its own clock: a quick look after a failure, a full one every minute, both shared by all who wait."""

import asyncio

from probe.model.vantage import Baseline, VantageState
from probe.net.clock import Clock
from probe.pipeline.baseline import BaselineRun
from probe.pipeline.environment import Environment

ALARM_S = 60.0
UNFIT_FOR_S = 60.0
ALARM_APART_S = 5.0
"""Full looks are coalesced: at most one in this time (CONTRACT section 3)."""


class VantageMonitor:
    """Owns the baselines of a process."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._clock: Clock = environment.stack.clock
        self._looking: asyncio.Task[Baseline] | None = None
        self.latest: Baseline | None = None
        """The newest one, quick or full."""
        self.latest_full: Baseline | None = None
        self._alarmed_until_s = float("-inf")
        self._turn = -1

    async def look_after(self, boot_s: float) -> Baseline:
        """Return a baseline that started at or after this moment: quick, then full when the quick one is unfit."""
        if self._clock.boot_s() < self._alarmed_until_s:
            first = await self._shared(boot_s, quick=False)
            second = await self._shared(first.started_boot_s + ALARM_APART_S, quick=False)
            return second if first.fit else first
        if not self._was_unfit_just_now():
            baseline = await self._shared(boot_s, quick=True)
            if _is_enough(baseline):
                return baseline
        # Anchors under somebody else's certificate: inspection or a portal, and only the full look asks which.
        return await self._shared(boot_s, quick=False)

    def _was_unfit_just_now(self) -> bool:
        """Tell whether the last look was no good and is not long ago: another quick one would only take its time."""
        latest = self.latest
        return (
            latest is not None and not _is_enough(latest) and self._clock.boot_s() - latest.started_boot_s < UNFIT_FOR_S
        )

    async def look_fully_after(self, boot_s: float) -> Baseline:
        """Return a full baseline that started then or later: the quick one does not look at the clock."""
        return await self._shared(boot_s, quick=False)

    def adopt(self, environment: Environment) -> None:
        """Look with other settings from now on, as after a reload."""
        self._environment = environment

    def alarm(self) -> None:
        """Have every failure wait for two full looks, for a minute: many targets fail at once."""
        self._alarmed_until_s = self._clock.boot_s() + ALARM_S

    async def touch_anchor(self) -> bool:
        """Ask the next anchor in turn; tell whether it proved itself."""
        foreign = self._environment.settings.anchors.foreign
        if not foreign:
            return True
        self._turn = (self._turn + 1) % len(foreign)
        return await BaselineRun(self._environment, quick=True).try_one(foreign[self._turn])

    async def look(self, *, quick: bool = False) -> Baseline:
        """Return a baseline that starts now."""
        return await self._shared(self._clock.boot_s(), quick=quick)

    async def _shared(self, boot_s: float, *, quick: bool) -> Baseline:
        """Join the look in progress, or the last one, if it started late enough; else start one."""
        while True:
            kept = self._kept(boot_s, quick=quick)
            if kept is not None:
                return kept
            early_s = boot_s - self._clock.boot_s()
            if early_s > 0:
                await asyncio.sleep(early_s)
                continue
            if self._looking is None:
                self._looking = asyncio.get_running_loop().create_task(self._look(quick=quick))
            await asyncio.shield(self._looking)

    def _kept(self, boot_s: float, *, quick: bool) -> Baseline | None:
        latest = self.latest if quick else self.latest_full
        return latest if latest is not None and latest.started_boot_s >= boot_s else None

    async def _look(self, *, quick: bool) -> Baseline:
        try:
            previous = self.latest.anchors if self.latest is not None else ()
            baseline = await BaselineRun(self._environment, quick=quick, previous=previous).complete()
            self.latest = baseline
            if not quick:
                self.latest_full = baseline
            return baseline
        finally:
            self._looking = None

    async def close(self) -> None:
        """Stop a look in progress."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)


def _is_enough(baseline: Baseline) -> bool:
    """Tell whether a look settles by itself that failures may be judged: neutral places proved themselves."""
    proven = any(anchor.ok for anchor in baseline.anchors)
    return proven and baseline.state in (VantageState.ONLINE, VantageState.DEGRADED)
