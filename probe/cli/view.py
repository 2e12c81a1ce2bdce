"""The agent as the web sees it: joins agent, board, store and figures behind the web's `AgentView`."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from probe.daemon.agent import Agent
from probe.export.metrics.target import TargetChunk
from probe.export.stats import AgentStats
from probe.model.episode import Event
from probe.model.measurement import Measurement
from probe.model.snapshot import TargetSnapshot
from probe.model.stats import LogStats, ReloadStats, ScheduleStats, StoreStats
from probe.model.vantage import Baseline, Vantage
from probe.store.hours import HourCells
from probe.store.values import History, Run, StoredMeasurement


class View:
    """What the pages ask."""

    def __init__(
        self, agent: Agent, reload: Callable[[], Awaitable[None]], log_stats: Callable[[], LogStats] = LogStats
    ) -> None:
        self._agent = agent
        self._reload = reload
        self._log_stats = log_stats
        self.reload_stats = ReloadStats()

    @property
    def ready(self) -> bool:
        """Tell whether every target had its first turn."""
        return self._agent.ready

    def snapshots(self) -> Sequence[TargetSnapshot]:
        """Return the state of each target."""
        return self._agent.board.snapshots()

    def snapshot(self, target: str) -> TargetSnapshot | None:
        """Return the state of one target; `None` = there is no such target."""
        return self._agent.board.snapshot(target)

    def last_run(self, target: str) -> Measurement | None:
        """Return the last run of a target that is asked about often; `None` = it is not, or did not run."""
        return self._agent.probes.latest(target)

    async def run_now(self, target: str) -> None:
        """Run a target, or join its run."""
        await self._agent.probes.run(target)

    def wall_s(self) -> float:
        """Return the time."""
        return self._agent.environment.stack.clock.wall_s()

    def chunks(self) -> Sequence[TargetChunk]:
        """Return each target's ready metrics."""
        return self._agent.board.chunks()

    def vantage(self) -> Vantage:
        """Return where we stand."""
        return self._agent.environment.vantage

    def baseline(self) -> Baseline | None:
        """Return the last look at the vantage; `None` = there was none yet."""
        return self._agent.monitor.latest

    def stats(self) -> AgentStats:
        """Return the agent's figures."""
        agent = self._agent
        schedule, gate = agent.schedule.stats(), agent.gate.stats()
        return AgentStats(
            gate=gate,
            schedule=ScheduleStats(
                targets=schedule.targets,
                lag_s=agent.lag_s,
                in_flight=agent.in_flight,
                queued=agent.queued,
                missed_runs_total=schedule.missed_runs_total,
                stretch_ratio=schedule.stretch_ratio,
            ),
            store=agent.store.stats() if agent.store is not None else StoreStats(),
            reload=self.reload_stats,
            log=self._log_stats(),
            loop_lag_s=agent.lag.worst_s,
            check_durations=agent.board.durations.histograms(),
            start_lags=agent.start_lags.histogram(),
            controls=agent.environment.controls.health() if agent.environment.controls is not None else {},
            sham_interference_total=agent.sham_interference_total,
            crashes_total=agent.crashes_total,
        )

    async def runs(self, target: str, *, since: float, limit: int) -> Sequence[Run]:
        """Return stored runs, newest first."""
        store = self._agent.store
        if store is None:
            return ()
        until = self._agent.environment.stack.clock.wall_s() + 1
        return await asyncio.to_thread(store.load_runs, target, since, until, limit)

    async def measurement(self, measurement: str) -> Measurement | None:
        """Return one that is kept whole; `None` = none of this id is."""
        store = self._agent.store
        return None if store is None else await asyncio.to_thread(store.load_measurement, measurement)

    async def events(self, target: str, *, since: float, limit: int) -> Sequence[Event]:
        """Return stored events, newest first."""
        store = self._agent.store
        return () if store is None else await asyncio.to_thread(store.load_events, since, target or None, limit)

    async def history(self, target: str, *, since: float) -> History | None:
        """Return episodes and events of a target; `None` = nothing is stored."""
        store = self._agent.store
        return None if store is None else await asyncio.to_thread(store.load_history, target, since)

    async def kept(self, target: str, *, limit: int) -> Sequence[StoredMeasurement]:
        """Return a line for each measurement that is kept whole."""
        store = self._agent.store
        return () if store is None else await asyncio.to_thread(store.load_stored, target, limit=limit)

    async def baselines(self, *, since: float, limit: int) -> Sequence[Baseline]:
        """Return stored looks at the vantage, newest first."""
        store = self._agent.store
        return () if store is None else await asyncio.to_thread(store.load_baselines, since, limit)

    async def numbers(self) -> dict[str, int]:
        """Return the number of each target."""
        store = self._agent.store
        return {} if store is None else await asyncio.to_thread(store.load_numbers)

    async def hour(self, hour: int, parts: int) -> HourCells:
        """Return what every target came to in each part of an hour."""
        store = self._agent.store
        nothing = HourCells(hour=hour, parts=parts, cells=b"")
        return nothing if store is None else await asyncio.to_thread(store.load_hour, hour, parts)

    async def reload(self) -> None:
        """Read the configuration again."""
        await self._reload()
