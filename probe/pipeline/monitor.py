"""The vantage on its own clock: a quick look after a failure, a full one every minute, both shared by all who wait."""

import asyncio

from probe.model.vantage import Baseline, VantageState
from probe.net.clock import Clock
from probe.pipeline.baseline import BaselineRun
from probe.pipeline.environment import Environment


class VantageMonitor:
    """Owns the baselines of a process."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._clock: Clock = environment.stack.clock
        self._looking: asyncio.Task[Baseline] | None = None
        self._looking_since_s = 0.0
        self.latest: Baseline | None = None
        """The newest one, quick or full."""
        self.latest_full: Baseline | None = None
        self.taken_total = 0

    async def look_after(self, boot_s: float) -> Baseline:
        """Return a baseline that started at or after this moment: quick, then full when the quick one is unfit."""
        baseline = await self._shared(boot_s, quick=True)
        if baseline.state in (VantageState.ONLINE, VantageState.DEGRADED):
            return baseline
        return await self._shared(boot_s, quick=False)

    async def look(self, *, quick: bool = False) -> Baseline:
        """Return a baseline that starts now."""
        return await self._shared(self._clock.boot_s(), quick=quick)

    async def _shared(self, boot_s: float, *, quick: bool) -> Baseline:
        """Join the look in progress, or the last one, if it started late enough; else start one."""
        while True:
            kept = self._kept(boot_s, quick=quick)
            if kept is not None:
                return kept
            if self._looking is None:
                self._looking_since_s = self._clock.boot_s()
                self._looking = asyncio.get_running_loop().create_task(self._look(quick=quick))
            await asyncio.shield(self._looking)

    def _kept(self, boot_s: float, *, quick: bool) -> Baseline | None:
        latest = self.latest if quick else self.latest_full
        return latest if latest is not None and latest.started_boot_s >= boot_s else None

    async def _look(self, *, quick: bool) -> Baseline:
        try:
            baseline = await BaselineRun(self._environment, quick=quick).complete()
            self.latest = baseline
            if not quick:
                self.latest_full = baseline
            self.taken_total += 1
            return baseline
        finally:
            self._looking = None

    async def close(self) -> None:
        """Stop a look in progress."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
