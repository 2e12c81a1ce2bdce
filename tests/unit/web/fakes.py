"""An agent that says what the test gave it."""

import asyncio
from collections.abc import Sequence

from probe.export.metrics.target import TargetChunk, render_target
from probe.export.stats import AgentStats
from probe.model.episode import Event
from probe.model.errors import UserError
from probe.model.measurement import Measurement
from probe.model.settings import PerTarget
from probe.model.snapshot import TargetSnapshot
from probe.model.vantage import Baseline, Vantage
from probe.store.hours import QUARTERS, HourCells
from probe.store.values import History, Kept, Run, StoredMeasurement
from tests.unit.export.snapshots import NOW


class FakeAgent:
    def __init__(self, snapshots: Sequence[TargetSnapshot] = (), level: PerTarget = PerTarget.FULL) -> None:
        self.ready = True
        self.baseline_now: Baseline | None = None
        self.stats_now = AgentStats()
        self.vantage_now = Vantage(id="sh-1", asn=4134, country_code="CN", software_version="0.1.0")
        self.kept_whole: dict[str, Measurement] = {}
        self.histories: dict[str, History] = {}
        self.all_baselines: list[Baseline] = []
        self.hours: dict[int, bytes] = {}
        self.hours_asked: list[int] = []
        self.all_runs: list[Run] = []
        self.all_events: list[Event] = []
        self.asked: list[tuple[str, str, float, int]] = []
        self.reloads = 0
        self.last_runs: dict[str, Measurement] = {}
        self.runs_now = 0
        self.running = asyncio.Event()
        self.now_s = NOW + 60
        self.reload_error: UserError | None = None
        self.level = level
        self.put(snapshots)

    def put(self, snapshots: Sequence[TargetSnapshot]) -> None:
        self._snapshots = list(snapshots)
        self._chunks = [render_target(snapshot, self.level) for snapshot in snapshots]

    def show(self, number: int, snapshot: TargetSnapshot) -> None:
        """Take in another run of a target."""
        self._snapshots[number] = snapshot
        self._chunks[number] = render_target(snapshot, self.level, self._chunks[number])

    def snapshots(self) -> Sequence[TargetSnapshot]:
        return self._snapshots

    def snapshot(self, target: str) -> TargetSnapshot | None:
        return next((one for one in self._snapshots if one.target.id == target), None)

    def last_run(self, target: str) -> Measurement | None:
        return self.last_runs.get(target)

    async def run_now(self, target: str) -> None:
        self.runs_now += 1
        await self.running.wait()

    def wall_s(self) -> float:
        return self.now_s

    def chunks(self) -> Sequence[TargetChunk]:
        return self._chunks

    def vantage(self) -> Vantage:
        return self.vantage_now

    def baseline(self) -> Baseline | None:
        return self.baseline_now

    def stats(self) -> AgentStats:
        return self.stats_now

    async def runs(self, target: str, *, since: float, limit: int) -> Sequence[Run]:
        self.asked.append(("runs", target, since, limit))
        return [run for run in self.all_runs if run.target == target][:limit]

    async def measurement(self, measurement: str) -> Measurement | None:
        return self.kept_whole.get(measurement)

    async def events(self, target: str, *, since: float, limit: int) -> Sequence[Event]:
        self.asked.append(("events", target, since, limit))
        return self.all_events[:limit]

    async def history(self, target: str, *, since: float) -> History | None:
        return self.histories.get(target)

    async def kept(self, target: str, *, limit: int) -> Sequence[StoredMeasurement]:
        found = [
            StoredMeasurement(
                id=one.id, target=one.target.id, started_at=one.started_at, status=one.verdict.status, kept=Kept.FAILING
            )
            for one in self.kept_whole.values()
            if one.target.id == target
        ]
        return found[:limit]

    async def baselines(self, *, since: float, limit: int) -> Sequence[Baseline]:
        return self.all_baselines[:limit]

    async def numbers(self) -> dict[str, int]:
        return {snapshot.target.id: number for number, snapshot in enumerate(self._snapshots, 1)}

    async def hour(self, hour: int, parts: int) -> HourCells:
        self.hours_asked.append(hour)
        quarters = self.hours.get(hour, b"")
        cells = await asyncio.to_thread(lambda: b"".join(bytes([code]) * (parts // QUARTERS) for code in quarters))
        return HourCells(hour=hour, parts=parts, cells=cells)

    async def reload(self) -> None:
        self.reloads += 1
        if self.reload_error is not None:
            raise self.reload_error
