"""One target through the flow: check, facts, plan, experiments, verdict.

Check and experiments run in one TaskGroup and append to one list; after each append that is not plainly good, the
planner is asked what would change the verdict. The run ends when nothing is in flight and nothing more is wanted.
"""

import asyncio
import contextlib
import dataclasses
import math
from collections.abc import Coroutine
from typing import Any

import msgspec

from probe.checks import CHECKS
from probe.checks.experiment import run_experiment
from probe.checks.vpn import HARMLESS
from probe.classify.case import Case
from probe.classify.clean import judge_clean, looks_clean
from probe.classify.facts.path_facts import build_table
from probe.classify.facts.residual import is_moot
from probe.classify.facts.tunnel_facts import clock_tolerance_s
from probe.classify.fitness import needs_baseline
from probe.classify.greeting import leave_open
from probe.classify.judge import judge
from probe.classify.plans.plan import calls_for_echoes, count_echoes, is_calm, is_calm_alone, plan
from probe.classify.plans.share import is_share_moot, share_later
from probe.classify.settled import is_settled
from probe.model.experiment import Design, Experiment, Traffic
from probe.model.measurement import Measurement
from probe.model.observation import DNSLookup, Observation, Role, TCPConnect
from probe.model.target import CheckName, Target
from probe.model.vantage import Baseline
from probe.model.verdict import Status, Verdict
from probe.net.context import Context, Journal
from probe.pipeline.case import build_case
from probe.pipeline.elsewhere import Elsewhere
from probe.pipeline.environment import Environment
from probe.pipeline.ids import new_id
from probe.pipeline.later import run_in_order, second_round
from probe.pipeline.monitor import VantageMonitor
from probe.pipeline.wish import Wish

HOLD_S = 2.0
"""How long a suspicious DNS question keeps listening: forged answers come within 0.4 s, real ones within 2 s."""
GATHER_S = 0.004
"""How long the end of one experiment waits for others before it is planned anew: nothing beside a round trip."""
RETRY_S = 1.0
RETRIES = 5
"""Each waits twice as long as the one before: after 31 s a run that may not ask ends, and the next one asks instead."""
HELD_AT_MOST_S = 30.0
"""A failure waits this long for a look at the vantage; then it is not judged (CONTRACT section 3)."""
FEW_STEPS = 40
"""A late design of more asks the storm guard first, as follow-ups do that are not left for later."""
RECENT_S = 60.0
"""A page in the clear is believed when a look at the vantage this young was fit."""


async def measure(
    environment: Environment, monitor: VantageMonitor, target: Target, wish: Wish | None = None
) -> Measurement:
    """Run one target once and return what was seen and concluded. Cancelling it keeps nothing."""
    run = Run(environment, monitor, target, wish or Wish())
    await run.complete()
    return run.finish(interrupted=False)


class Run:
    """A measurement in the making."""

    def __init__(self, environment: Environment, monitor: VantageMonitor, target: Target, wish: Wish) -> None:
        target = environment.veil.lift(target)  # one that is shown under an alias is asked at its address
        self._environment = environment
        self._monitor = monitor
        self._target = target
        self._wish = wish
        self._journal = Journal(environment.stack.clock)
        self._id = new_id(self._journal.started_at)
        self._experiments: list[Experiment] = []
        self._running: set[str] = set()
        self._baseline: Baseline | None = None
        self._clean: Verdict | None = None
        """Given at the very end of a run in which nothing was wrong: `finish` need not judge again."""
        self._looking = False
        self._elsewhere = Elsewhere(environment, target, wish, self._journal, self._is_idle_but_for)
        self._settled = False
        self._proofs = environment.proofs_of(target) if target.check is CheckName.VPN else ()
        self._check: asyncio.Task[Any] | None = None
        self._spawned: list[asyncio.Task[None]] = []
        self._replan_due = False
        self._counted = 0
        """Observations at the last append."""
        self._retrying = False
        self._retries = 0
        self._group: asyncio.TaskGroup | None = None
        families = environment.vantage.families if target.family is None else (int(target.family),)
        self._context = Context(
            stack=environment.stack,
            gate=environment.gate,
            journal=self._journal,
            holder=self._id,
            timeout_s=target.timeout_s,
            hold_s=HOLD_S,
            families=families,
            body_limit_bytes=wish.body_limit_bytes,
            asn_of=environment.asn_of,
            secrets_of=environment.secrets_of,
            manners=environment.manners,
            references={reference.id: reference for reference in (*environment.references, HARMLESS)},
            confirms=wish.confirms,
        )

    @property
    def is_deep(self) -> bool:
        """Tell whether it looks further than a plain run; what was to, and has no budget, does not."""
        return self._wish.deep

    @property
    def has_observations(self) -> bool:
        """Tell whether anything was seen yet."""
        return bool(self._journal.observations)

    async def complete(self) -> None:
        """Run check, experiments and baseline until nothing more would change the verdict."""
        self._journal.on_append = self._on_append
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                if self._wish.pending:
                    group.create_task(self._run_pending())
                else:
                    await self._run_check()
            await self._await_baseline()
        finally:
            self._journal.on_append = None
            self._group = None

    async def _run_check(self) -> None:
        """Run the check itself here; only a settled verdict ends it early."""
        self._check = asyncio.current_task()
        try:
            await CHECKS[self._target.check](self._target, self._context)
        except asyncio.CancelledError:
            check = asyncio.current_task()
            if not self._settled or check is None or check.uncancel() > 0:
                raise
        self._check = None
        self._consider_page()
        if self._replan_due:
            self._replan()

    def finish(self, *, interrupted: bool) -> Measurement:
        """Return the measurement as it stands, with real addresses: whoever shows or stores it covers it first."""
        return Measurement(
            id=self._id,
            target=self._target,
            vantage=self._environment.vantage,
            started_at=self._journal.started_at,
            runtime_s=self._journal.elapsed_s(),
            observations=tuple(self._journal.observations),
            experiments=tuple(self._experiments),
            baseline=self._baseline,
            controls=tuple(self._elsewhere.reports),
            proofs=self._proofs,
            cites=self._wish.cites,
            continues=self._wish.continues,
            rounds_apart_s=self._environment.settings.limits.rounds_apart_s,
            deep=self._wish.deep,
            unlooked=self._wish.first_sight and not self._wish.deep,
            verdict=self._judge(),
            interrupted=interrupted,
        )

    def _judge(self) -> Verdict:
        if self._clean is not None:
            return self._clean
        case = self._case()
        if (clean := judge_clean(case)) is not None:
            return clean
        verdict = judge(case)
        unjudged = verdict.status is Status.INSUFFICIENT and self._target.check is not CheckName.VPN
        unfit = self._baseline is None or not self._baseline.fit
        if self._wish.greets or (unjudged and unfit):
            return leave_open(verdict) if self._wish.greets else verdict
        more = share_later(case, build_table(case))
        if verdict.status is not Status.OK:
            more = (*plan(case).later, *second_round(case, verdict), *more)
        return msgspec.structs.replace(verdict, pending=more)

    def _case(self) -> Case:
        return build_case(
            self._environment,
            self._target,
            self._wish,
            tuple(self._elsewhere.reports),
            observations=tuple(self._journal.observations),
            silences=tuple(self._journal.silences),
            experiments=tuple(self._experiments),
            running=tuple(self._running),
            proofs=self._proofs,
            baseline=self._baseline,
            echoes=self._elsewhere.echoes.get(Traffic.CONNECT, ()),
            quic_echoes=self._elsewhere.echoes.get(Traffic.DATAGRAM, ()),
        )

    def _on_append(self) -> None:
        """Plan after every append that is not plainly good; several in one turn of the loop are one."""
        if self._replan_due or self._group is None:
            return
        newest = self._journal.observations[-1] if self._journal.observations else None
        counted, self._counted = self._counted, len(self._journal.observations)
        if newest is not None and counted < self._counted and newest.experiment in self._running:
            return  # a step of an experiment that goes on: its end plans anew
        if newest is not None and self._is_calm() and looks_clean(newest) and not self._may_deepen(newest):
            return
        self._replan_due = True
        asyncio.get_running_loop().call_soon(self._replan_if_due)

    def _is_calm(self) -> bool:
        """Tell whether nothing was odd so far: what a deep run asks by itself is all still on its way."""
        begun = self._experiments
        calm = not begun or (len(self._running) == len(begun) and all(map(is_calm_alone, begun)))
        return calm and not self._journal.silences

    def _may_deepen(self, newest: Observation) -> bool:
        """Tell whether a deep run has more to ask at a step that went well.

        It asks others and sends other hellos while the check goes on: afterwards it would take longer. Once is enough:
        planning stands between an answer and the next step, and is part of the time to the verdict.
        """
        wanted = {DNSLookup: Design.RESOLVERS, TCPConnect: Design.HELLO}.get(type(newest))
        return self._wish.deep and wanted is not None and all(e.design is not wanted for e in self._experiments)

    def _consider_page(self) -> None:
        """On first sight a page in the clear is held against the encrypted one, and a tunnel's reference is met."""
        if self._wish.deep and self._target.check in (CheckName.WEB, CheckName.VPN):
            self._replan()

    def _replan_if_due(self) -> None:
        """Plan, unless the step that appended has ended meanwhile and its task did so."""
        if self._replan_due:
            self._replan()

    def _replan(self) -> None:
        self._replan_due = False
        group = self._group
        if group is None or self._settled or self._wish.greets:
            return
        case = self._case()
        planned = plan(case)
        wanted = planned.now
        if self._experiments and self._settle(case, wanted):
            return
        for traffic in planned.wants_echoes:
            if traffic not in self._elsewhere.echoes:
                self._elsewhere.echoes[traffic] = ()
                self._spawn(group, self._take_echoes(traffic))
        if not self._looking and wanted and not is_calm(case, wanted):
            self._looking = True
            self._spawn(group, self._look_at_vantage())
            self._spawn(group, self._ask_control())
        for experiment in wanted:
            if not self._environment.may_follow_up(len(experiment.ttls) or 1):
                # The storm guard's budget is spent; what is left out now is asked for again in a moment.
                if self._wish.deep and not self._looking:
                    # Nothing is odd: the verdict does not wait for a deep look, which comes with a later run.
                    self._wish = dataclasses.replace(self._wish, deep=False)
                elif not self._retrying and self._retries < RETRIES:
                    self._retrying = True
                    self._spawn(group, self._replan_later())
                break
            self._experiments.append(experiment)
            self._running.add(experiment.id)
            self._spawn(group, self._run_experiment(experiment))

    def _spawn(self, group: asyncio.TaskGroup, work: Coroutine[Any, Any, None]) -> None:
        self._spawned.append(group.create_task(work))

    def _settle(self, case: Case, wanted: tuple[Experiment, ...]) -> bool:
        """End everything once the verdict is settled: what is still in flight could not change it."""
        if not is_settled(case, [*(e for e in self._experiments if e.id in self._running), *wanted]):
            return False
        self._settled = True
        for task in (*self._spawned, *([self._check] if self._check is not None else [])):
            task.cancel()
        return True

    async def _ask_control(self) -> None:
        """Ask for the outside view, once in a run, and for its echo ports where those would tell more."""
        before = len(self._elsewhere.reports)
        await self._elsewhere.ask()
        if len(self._elsewhere.reports) == before:
            return
        late = self._elsewhere.reports[-1].late
        if not self._wish.pending and not late and calls_for_echoes(self._case()):
            await self._elsewhere.take_echoes(Traffic.CONNECT, count_echoes(self._case()))
        self._replan()

    async def _take_echoes(self, traffic: Traffic) -> None:
        await self._elsewhere.take_echoes(traffic)
        self._replan()

    def _is_idle_but_for(self, tasks: frozenset[asyncio.Task[Any]]) -> bool:
        """Tell whether the check is over and every task of the run has ended but these."""
        return self._check is None and all(task.done() or task in tasks for task in self._spawned)

    async def _look_at_vantage(self) -> None:
        """Look at once after the first sign of trouble: nothing can be settled without it."""
        self._baseline = await self._look_after(self._context.stack.clock.boot_s())
        self._replan()

    async def _run_experiment(self, experiment: Experiment) -> None:
        await run_experiment(experiment, self._context, self._target)
        self._running.discard(experiment.id)
        if self._running:
            # Those that were started together end together: one look at what they found, not six.
            if not self._replan_due:
                self._replan_due = True
                asyncio.get_running_loop().call_later(GATHER_S, self._replan_if_due)
            return
        # In this task, not in a callback: the group ends with its last task, and takes no new ones then.
        self._replan()

    async def _replan_later(self) -> None:
        await asyncio.sleep(RETRY_S * 2**self._retries)
        self._retrying = False
        self._retries += 1
        self._replan()

    async def _run_pending(self) -> None:
        """Run late experiments one after another: the order is the design."""
        await self._ask_control()
        for pending in self._wish.pending:
            size = len(pending.experiments)
            # What many targets leave for later at once must not become a storm; a few steps of each are none.
            if size <= FEW_STEPS or self._environment.may_follow_up(size):
                await run_in_order(pending.experiments, self._run_late)

    async def _run_late(self, experiment: Experiment) -> None:
        table = build_table(self._case())
        if not is_moot(experiment, table) and not is_share_moot(experiment, table):
            self._experiments.append(experiment)
            await run_experiment(experiment, self._context, self._target)

    async def _await_baseline(self) -> None:
        """Get a look at the vantage that started after the check's last failure, when one is needed."""
        case = self._case()
        self._clean = judge_clean(case)
        if self._clean is not None or self._wish.greets or not needs_baseline(build_table(case)):
            return
        failures = [o.t_s for o in self._journal.observations if o.failure is not None and o.role is Role.TARGET]
        since_s = self._journal.started_boot_s + (max(failures) if failures else -RECENT_S)
        if self._baseline is None or self._baseline.started_boot_s < since_s:
            self._baseline = await self._look_after(since_s)

    async def _look_after(self, boot_s: float) -> Baseline | None:
        """Return a look at the vantage that started at this moment or later; `None` = none came in time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HELD_AT_MOST_S):
                if math.isfinite(clock_tolerance_s(self._target)):
                    return await self._monitor.look_fully_after(boot_s)
                return await self._monitor.look_after(boot_s)
        return None
