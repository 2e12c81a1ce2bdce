"""What the agent makes of finished runs, of clock steps and of places that are hot."""

import asyncio

from probe.classify.heat import HOT_RULE
from probe.daemon.agent import Agent
from probe.daemon.alarm import MassAlarm
from probe.daemon.evidence import EvidenceMemory
from probe.daemon.sham import mark_sham
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Pending, Step
from probe.model.measurement import Measurement
from probe.model.verdict import Status
from probe.pipeline.wish import Wish
from probe.schedule import DueRun, RunKind
from tests.fakes import FakeClock
from tests.unit.daemon.parts import make_agent, measurement, target

SITE = target("site")
PLACE = Endpoint(address="45.90.1.1", port=443)


def finish(agent: Agent, run: Measurement) -> None:
    """End a run without having made one."""
    agent._take(run)


def test_a_failure_at_a_hot_place_is_tried_again_once_it_is_cold() -> None:
    clock = FakeClock()
    agent = make_agent(SITE, clock=clock)
    agent.gate.triggered(PLACE)
    finish(agent, measurement(SITE, Status.INSUFFICIENT, at=clock.wall_s(), hot=(PLACE,), rule=HOT_RULE))
    clock.advance(200.0)
    assert all(run.kind.value == "regular" for run in agent.schedule.due(clock.boot_s(), 5))
    agent.schedule.done("site")
    clock.advance(1.0)
    assert [run.kind.value for run in agent.schedule.due(clock.boot_s(), 5)] == ["confirmation"]


def test_only_what_was_fine_when_last_looked_at_is_merely_confirmed() -> None:
    clock = FakeClock()
    agent = make_agent(SITE, clock=clock)

    def wish() -> Wish:
        return agent._wish(DueRun(target="site", kind=RunKind.REGULAR, due_s=clock.boot_s()), SITE, clock.boot_s())

    assert not wish().confirms
    agent._memory.note_deep("site", clock.boot_s())
    finish(agent, measurement(SITE, Status.OK, at=clock.wall_s()))
    assert wish().confirms
    finish(agent, measurement(SITE, Status.IMPAIRED, at=clock.wall_s()))
    assert not wish().confirms


def test_a_deep_run_without_a_budget_is_due_again_and_none_begins_while_half_is_spent() -> None:
    clock = FakeClock()
    agent = make_agent(SITE, clock=clock)
    agent.gate.expect(
        0.001,
    )
    now_s = clock.boot_s()
    due = DueRun(target="site", kind=RunKind.REGULAR, due_s=now_s)
    assert agent._wish(due, SITE, now_s).deep
    assert agent._wish(due, SITE, now_s).deep, "the first had no budget in the end: nothing was noted"
    assert agent.gate.may_follow_up(31)
    wish = agent._wish(due, SITE, now_s)
    assert (wish.deep, wish.first_sight) == (False, True)
    clock.advance(86400.0)
    assert agent._wish(due, SITE, clock.boot_s()).deep
    agent._memory.note_deep("site", clock.boot_s())
    wish = agent._wish(due, SITE, clock.boot_s())
    assert (wish.deep, wish.first_sight) == (False, False)
    clock.advance(86400.0)
    wish = agent._wish(due, SITE, clock.boot_s())
    assert (wish.deep, wish.first_sight) == (True, False), "once a day, and it was looked at before"


def test_pending_experiments_wait_while_their_place_is_hot_again() -> None:
    clock = FakeClock()
    agent = make_agent(SITE, clock=clock)
    experiment = Experiment(
        id="x", design=Design.SNI, step=Step.HANDSHAKE, name="n", name_kind=NameKind.TEST, endpoint=PLACE
    )
    pending = (Pending(due_in_s=10.0, question="?", experiments=(experiment,)),)
    for _ in agent.schedule.due(clock.boot_s() + 1, 5):
        agent.schedule.done("site")
    agent.schedule.defer("site", clock.boot_s(), "M", pending)
    agent.gate.triggered(PLACE)
    clock.advance(10.0)
    (due,) = [run for run in agent.schedule.due(clock.boot_s(), 5) if run.pending]
    agent._start(due, clock.boot_s())
    assert agent.in_flight == 0
    clock.advance(189.0)
    assert not [run for run in agent.schedule.due(clock.boot_s(), 5) if run.pending]
    agent.schedule.done("site")
    clock.advance(3.0)
    assert [run.pending for run in agent.schedule.due(clock.boot_s(), 5) if run.pending] == [pending]


def test_a_step_of_the_wall_clock_moves_stamps_and_is_told() -> None:
    clock = FakeClock()
    agent = make_agent(SITE, clock=clock)
    finish(agent, measurement(SITE, at=clock.wall_s()))
    before = agent.states["site"].last_run_at
    clock.step_wall(3600.0)
    agent._note_clock_step(clock.boot_s())
    after = agent.states["site"].last_run_at
    assert before is not None
    assert after == before + 3600.0
    due_s = agent.schedule.next_due_s()
    assert due_s is not None
    assert due_s <= clock.boot_s() + 60.0


def test_first_runs_are_spread_over_half_the_budget_and_make_ready() -> None:
    clock = FakeClock()
    targets = tuple(target(f"site-{n}", interval_s=300.0) for n in range(1000))
    agent = make_agent(*targets, clock=clock)
    assert not agent.ready
    soon = agent.schedule.due(clock.boot_s() + 10.0, 5000)
    regular = [run for run in soon if run.kind.value == "regular"]
    assert len(soon) - len(regular) <= 51
    assert len({run.target for run in soon}) == len(soon)


def test_a_sham_target_that_looks_interfered_with_is_counted() -> None:
    (sham,) = mark_sham((SITE,))
    agent = make_agent(sham)
    finish(agent, measurement(sham, at=1_700_000_000.0))
    assert agent.sham_interference_total == 0
    finish(agent, measurement(sham, Status.LIKELY_BLOCKED, at=1_700_000_060.0))
    assert agent.sham_interference_total == 1


def test_a_crash_is_counted_and_is_no_finding() -> None:
    async def crash() -> None:
        agent = make_agent(SITE)  # its stack is a fake without names or sockets: the run must crash
        (due,) = agent.schedule.due(agent.environment.stack.clock.boot_s(), 1)
        agent._start(due, due.due_s)
        await asyncio.gather(*agent._tasks)
        assert agent.crashes_total == 1
        assert agent.states == {}
        snapshot = agent.board.snapshot("site")
        assert snapshot is not None
        assert (snapshot.verdict, snapshot.runs_total) == (None, 0)
        assert agent.ready

    asyncio.run(crash())


def test_the_alarm_needs_a_third_of_the_minutes_runs_and_forgets() -> None:
    alarm = MassAlarm()
    for number in range(12):
        assert not alarm.take(f"good-{number}", 0.0, was_reachable=True, failed=False)
    told = [alarm.take(f"bad-{n}", 10.0, was_reachable=True, failed=True) for n in range(6)]
    assert told == [False, False, False, False, False, True]
    assert not alarm.take("later", 100.0, was_reachable=True, failed=True)


def test_runs_that_were_not_judged_do_not_replace_evidence() -> None:
    agent = make_agent(SITE)
    finish(agent, measurement(SITE, Status.LIKELY_BLOCKED, at=1_700_000_000.0, id="FIRST"))
    finish(agent, measurement(SITE, Status.INSUFFICIENT, at=1_700_000_060.0, id="OFFLINE", hot=(PLACE,)))
    assert [cite.measurement for cite in agent._memory.cites("site", 1_700_000_100.0)] == ["FIRST"]


def test_evidence_is_forgotten_after_a_day_and_with_the_target() -> None:
    memory = EvidenceMemory()
    memory.take(measurement(SITE, Status.BLOCKED, at=1000.0), ((0, "tls", "reset"),))
    assert memory.cites("site", 1000.0 + 86399.0)
    assert not memory.cites("site", 1000.0 + 86401.0)
    memory.keep_only(())
    assert not memory.cites("site", 1001.0)
