"""The daemon: what is due goes through the pipeline into episodes, store and board."""

import asyncio
import logging
import math
from collections.abc import Callable, Iterable

from probe.classify.facts.symptom import find_symptom
from probe.classify.heat import hot_places, was_heated
from probe.daemon.alarm import MassAlarm
from probe.daemon.board import Board
from probe.daemon.evidence import EvidenceMemory
from probe.daemon.figures import HELD_BACK_S, LAG_LIMIT_S, LoopLag, StartPace
from probe.daemon.gathering import Gathering
from probe.daemon.groups import Groups, is_news
from probe.daemon.probes import Probes
from probe.daemon.recall import find_evidence
from probe.daemon.retries import Retries, is_private_tunnel
from probe.daemon.run_log import log_run
from probe.daemon.states import States
from probe.export.metrics.durations import LagCounts
from probe.gate import Gate
from probe.model.endpoint import Endpoint
from probe.model.episode import EpisodeState, Event, EventKind, Fold, Pace
from probe.model.measurement import Measurement
from probe.model.target import Exposure, Target
from probe.model.vantage import Baseline, VantageState
from probe.model.verdict import Cause, Status
from probe.net.clock import Clock
from probe.pipeline.environment import Environment
from probe.pipeline.measure import Run
from probe.pipeline.monitor import VantageMonitor
from probe.pipeline.wish import Wish
from probe.schedule import DueRun, RunKind, Schedule
from probe.store.store import Store

log = logging.getLogger("wallprobe")
DEEP_EVERY_S = 86400.0
COLD_MARGIN_S = 0.5
STOP_WITHIN_S = 3.0
FIRST_RUN_CONNECTIONS = 6.0
"""Half the connection budget at three addresses a target: the spacing of hastened first runs."""
SHAM = "sham"
"""Label of the neutral targets whose findings are false positives."""
MOST_TOLD = 1000
"""Events that are looked through at the start for groups that were open."""


class Agent:
    """Runs targets until it is stopped."""

    def __init__(
        self,
        *,
        environment: Environment,
        monitor: VantageMonitor,
        gate: Gate,
        store: Store | None,
        schedule: Schedule,
        board: Board,
        states: dict[str, EpisodeState],
    ) -> None:
        self.environment = environment
        self.monitor = monitor
        self.gate = gate
        self.store = store
        self.schedule = schedule
        self.board = board
        self._states = States(states, store)
        self.lag = LoopLag()
        self.pace = StartPace()
        self.crashes_total = 0
        self.sham_interference_total = 0
        self.first_round = False
        self.on_event: Callable[[Event], None] | None = None
        self._clock: Clock = environment.stack.clock
        self._targets: dict[str, Target] = {}
        self._unseen: set[str] = set()
        """Targets of which nothing is known yet: neither from this process nor from an earlier one."""
        self.probes = Probes(self._clock, self._run_soon)
        self._groups = Groups()
        self._gathering = Gathering(store.load_events(limit=MOST_TOLD) if store is not None else ())
        self._retries = Retries()
        self._memory = EvidenceMemory()
        self._unread = {n for n, s in states.items() if s.episode is not None and s.episode.status is not Status.OK}
        """Targets that were failing when an earlier process stopped, of which no run was made since."""
        self._alarm = MassAlarm()
        self._tasks: dict[asyncio.Task[None], Run] = {}
        self._wake = asyncio.Event()
        self._vantage_state: VantageState | None = None
        self._lag_s = 0.0
        self.start_lags = LagCounts()

    @property
    def states(self) -> dict[str, EpisodeState]:
        """Return what folding knows, by target."""
        return self._states.known

    @property
    def in_flight(self) -> int:
        """Return how many runs are under way."""
        return len(self._tasks)

    @property
    def lag_s(self) -> float:
        """Return how late the last run started."""
        return self._lag_s

    @property
    def queued(self) -> int:
        """Return how many runs are due and have not started."""
        return self.schedule.count_due(self._clock.boot_s())

    @property
    def ready(self) -> bool:
        """Tell whether something is known of every target, or was once."""
        return self.first_round or not self._unseen

    def adopt(self, targets: tuple[Target, ...]) -> None:
        """Run these from now on; whoever stays keeps phase, state and counters."""
        self._targets = {target.id: target for target in targets}
        self.schedule.replace(targets, self._clock.boot_s())
        self._groups.adopt(targets)
        self._retries.keep_only(self._targets)
        self._memory.keep_only(self._targets)
        self.probes.keep_only(self._targets)
        ran_at = {snapshot.target.id: snapshot.last_run_at for snapshot in self.board.snapshots()}
        self._unseen = {target.id for target in targets if not ran_at.get(target.id)}
        self.first_round = self.first_round or not self._unseen
        wall_s = self._clock.wall_s()
        self._hasten([t for t in targets if not 0 <= wall_s - ran_at.get(t.id, -math.inf) <= t.interval_s])
        self._wake.set()

    def _hasten(self, waiting: list[Target]) -> None:
        """Run what was never run, or not for long, soon: nobody wants to wait a whole interval for a first answer.

        At half the budget, so that regular runs fit in as well; the last ones may come by their own slot first.
        """
        now_s = self._clock.boot_s()
        apart_s = FIRST_RUN_CONNECTIONS / self.environment.settings.limits.connections_per_s
        for number, target in enumerate(waiting):
            if number * apart_s <= target.interval_s / 2:
                self.schedule.follow_up(target.id, now_s + number * apart_s)

    def _run_soon(self, target_id: str) -> None:
        """Run a target because somebody asks; the run that is under way is as good."""
        if not self.schedule.is_running(target_id):
            self.schedule.follow_up(target_id, self._clock.boot_s())
            self._wake.set()

    async def serve(self) -> None:
        """Run what is due until cancelled; then stop what is under way and store what was measured."""
        loop = asyncio.get_running_loop()
        self.lag.start(loop)
        try:
            while True:
                wait_s = self._start_due()
                self._wake.clear()
                # uvloop rounds timers down to whole milliseconds: round up, or the last one is spent spinning.
                with_timeout = math.ceil(wait_s * 1000) / 1000
                try:
                    async with asyncio.timeout(with_timeout):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            self.lag.stop()
            await self._stop_runs()
            self._states.save(self._clock.boot_s(), at_once=True)

    def _start_due(self) -> float:
        """Start what is due as far as limits allow; return how long to sleep at most."""
        now_s = self._clock.boot_s()
        self._note_clock_step(now_s)
        self._states.save(now_s)
        room = self.environment.settings.limits.sockets // 2 - len(self._tasks)
        lagging = self.lag.recent_s > LAG_LIMIT_S
        for due in self.schedule.due(now_s, max(0, min(room, self.pace.allow(now_s, lagging=lagging)))):
            self._start(due, now_s)
        if room <= 0 or lagging:
            return HELD_BACK_S
        next_due_s = self.schedule.next_due_s()
        return 1.0 if next_due_s is None else min(1.0, max(0.001, next_due_s - self._clock.boot_s()))

    def _start(self, due: DueRun, now_s: float) -> None:
        target = self._targets.get(due.target)
        if target is None:
            self.schedule.done(due.target)
            return
        experiments = (e for pending in due.pending for e in pending.experiments)
        hot_until_s = self._hot_until((e.endpoint, e.over_udp) for e in experiments if e.endpoint is not None)
        if hot_until_s is not None:
            self.schedule.postpone(due, hot_until_s + COLD_MARGIN_S)
            return
        self._lag_s = max(0.0, now_s - due.due_s)
        self.start_lags.observe(self._lag_s)
        run = Run(self.environment, self.monitor, target, self._wish(due, target, now_s))
        task = asyncio.get_running_loop().create_task(self._complete(run, due, target))
        self._tasks[task] = run
        task.add_done_callback(self._forget)

    def _hot_until(self, ways: Iterable[tuple[Endpoint, bool]]) -> float | None:
        """Return when the last of these places is cold again, by TCP or by UDP as is said; `None` = all are."""
        times = [self.gate.hot_until(endpoint, over_udp=over_udp) for endpoint, over_udp in set(ways)]
        return max((time for time in times if time is not None), default=None)

    def _wish(self, due: DueRun, target: Target, now_s: float) -> Wish:
        if target.id in self._unread and self.store is not None:
            self._unread.discard(target.id)
            if not self.environment.veil.covers(target):  # what is kept of it has other addresses
                self._memory.recall(target.id, find_evidence(self.store, target.id, self._clock.wall_s()))
        cites = self._memory.cites(target.id, self._clock.wall_s())
        if due.kind is RunKind.PENDING:
            return Wish(continues=due.continues, pending=due.pending, cites=cites)
        deep = self._memory.deep_due(target.id, now_s, DEEP_EVERY_S) and self.gate.deep_allowed
        unlooked = target.exposure is Exposure.PUBLIC and not self._memory.looked(target.id)
        before = self.board.snapshot(target.id)
        fine = before is not None and before.verdict is not None and before.verdict.status is Status.OK
        return Wish(cites=cites, deep=deep, first_sight=unlooked, confirms=fine and not deep)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        self._wake.set()

    async def _complete(self, run: Run, due: DueRun, target: Target) -> None:
        try:
            await run.complete()
            if run.is_deep:
                self._memory.note_deep(target.id, self._clock.boot_s())
            self._take(run.finish(interrupted=False))
        except asyncio.CancelledError:
            self._keep_interrupted(run, target)
            raise
        except Exception:
            # A fault of our own says nothing about the target.
            self.crashes_total += 1
            log.exception("measurement crashed", extra={"target": target.id})
        finally:
            self.schedule.done(target.id)
            self.probes.done(target.id)
            self._unseen.discard(target.id)
            self.first_round = self.first_round or not self._unseen

    def _keep_interrupted(self, run: Run, target: Target) -> None:
        try:
            if self.store is not None and run.has_observations:
                self.store.add(self.environment.veil.cover(run.finish(interrupted=True)))
        except Exception:
            self.crashes_total += 1
            log.exception("interrupted measurement crashed", extra={"target": target.id})

    def _take(self, seen: Measurement) -> None:
        """Fold a finished run into everything that remembers: only what is asked again has to know real addresses."""
        measurement = self.environment.veil.cover(seen)
        target, now_s = measurement.target, self._clock.boot_s()
        # A run that takes longer than its interval leaves no gap: without this, nothing slow could ever be confirmed.
        interval_s = max(self.schedule.effective_interval_s(target), measurement.runtime_s)
        known = self.states.get(target.id)
        folded = self._states.fold(measurement, interval_s)
        self._watch_mass(measurement, known, now_s)
        if measurement.verdict.status is not Status.INSUFFICIENT:
            self._memory.take(seen, find_symptom(seen.observations))
        phases = self.board.update(measurement, folded.state, interval_s)
        log_run(measurement)
        self.probes.take(measurement)
        self._reschedule(seen, folded, now_s)
        if measurement.target.labels.get(SHAM) and measurement.verdict.cause is Cause.NETWORK:
            self.sham_interference_total += 1
            log.warning("interference found on a neutral target", extra={"target": target.id})
        if self.store is not None:
            self.store.add(measurement, episode=folded.state.episode, events=folded.events, phases=phases)
        for event in folded.events:
            self._tell(event)
        for event in self._gathering.take(measurement, folded.events):
            log.warning("changed together", extra={"said": event.text, "members": ",".join(event.members[:20])})
            if self.store is not None:
                self.store.add_events(event)
            if self.on_event is not None:
                self.on_event(event)
        group = self._groups.fold(measurement, self.board.snapshot)
        if group is not None:
            self._take_group(group, interval_s)

    def _take_group(self, measurement: Measurement, interval_s: float) -> None:
        """Fold what now holds for a group into its own episode; it is stored when it says something new."""
        group = measurement.target.id
        before = self.board.snapshot(group)
        folded = self._states.fold(measurement, max(interval_s, measurement.target.interval_s))
        phases = self.board.update(measurement, folded.state, measurement.target.interval_s)
        if self.store is not None and (folded.events or is_news(before, measurement.verdict)):
            self.store.add(measurement, episode=folded.state.episode, events=folded.events, phases=phases)
        for event in folded.events:
            self._tell(event)

    def _watch_mass(self, measurement: Measurement, known: EpisodeState | None, now_s: float) -> None:
        was_reachable = known is not None and known.episode is not None and known.episode.status.reachable
        failed = not measurement.verdict.status.reachable
        if self._alarm.take(measurement.target.id, now_s, was_reachable=was_reachable, failed=failed):
            self.monitor.alarm()

    def _reschedule(self, measurement: Measurement, folded: Fold, now_s: float) -> None:
        target_id = measurement.target.id
        if is_private_tunnel(measurement.target):
            self._retries.reschedule(self.schedule, measurement, folded, now_s)
            self._wake.set()
            return
        hot_until_s = self._hot_until(hot_places(measurement)) if was_heated(measurement.verdict) else None
        if hot_until_s is not None:
            self.schedule.follow_up(target_id, hot_until_s + COLD_MARGIN_S)
        elif folded.confirmation is not None:
            started_s = now_s - measurement.runtime_s
            self.schedule.follow_up(target_id, max(now_s, started_s + folded.confirmation.after_s))
        else:
            self.schedule.cancel_follow_up(target_id)
        match folded.pace:
            case Pace.BACK_OFF:
                self.schedule.back_off(target_id)
            case Pace.RESUME:
                self.schedule.resume(target_id, now_s)
            case Pace.KEEP:
                pass
        if measurement.verdict.pending and not measurement.continues:
            self.schedule.defer(target_id, now_s, measurement.id, measurement.verdict.pending)
        self._wake.set()

    def _tell(self, event: Event) -> None:
        log.info(
            "state changed",
            extra={
                "target": event.target,
                "event": event.kind.value,
                "before": event.before.value if event.before else "",
                "after": event.after.value if event.after else "",
                "patterns": ",".join(event.patterns),
                "measurement": event.measurement,
            },
        )
        if self.on_event is not None:
            self.on_event(event)

    def take_baseline(self, baseline: Baseline) -> None:
        """Remember a look at the vantage; a change of its state is an event of its own."""
        if self.store is not None:
            self.store.add_baseline(baseline)
        if baseline.state is self._vantage_state:
            return
        before, self._vantage_state = self._vantage_state, baseline.state
        text = f"vantage {baseline.state.value}" + (f", was {before.value}" if before else "")
        log.warning("vantage changed", extra={"state": baseline.state.value, "was": before.value if before else ""})
        if before is not None and self.store is not None:
            self.store.add_events(Event(kind=EventKind.VANTAGE, at=baseline.started_at, text=text))

    def _note_clock_step(self, now_s: float) -> None:
        step_s = self.schedule.anchor(self._clock.wall_s(), now_s)
        if not step_s:
            return
        self._states.reanchor(step_s)
        text = f"the wall clock was stepped by {step_s:+.0f} s"
        log.warning("clock stepped", extra={"step_s": round(step_s, 1)})
        if self.store is not None:
            self.store.add_events(Event(kind=EventKind.CLOCK_STEP, at=self._clock.wall_s(), text=text))

    async def _stop_runs(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=STOP_WITHIN_S)
