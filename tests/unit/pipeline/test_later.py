"""Late experiments keep their order; repeats of different places wait for nobody."""

import asyncio
import dataclasses

import msgspec
import pytest

from probe.classify.facts.path_facts import build_table
from probe.classify.judge import judge
from probe.classify.plans.plan import plan
from probe.classify.plans.share import share_later
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Pending, Step
from probe.model.verdict import Status
from probe.pipeline.later import is_in_time, run_in_order, second_round
from probe.pipeline.measure import Run
from probe.pipeline.wish import Wish
from tests.golden.controls import hello, judged
from tests.golden.shares import sometimes
from tests.golden.stories import PAIRS
from tests.unit.classify.cases import NEUTRAL, Story
from tests.unit.classify.outside import all_well
from tests.unit.daemon.parts import make_agent

PORTS = tuple(Endpoint(address="77.88.1.1", port=port) for port in range(20000, 20005))


def experiment(number: int, design: Design) -> Experiment:
    return Experiment(id=str(number), design=design, step=Step.CONNECT, name="", name_kind=NameKind.TEST)


@pytest.mark.parametrize(("design", "together"), [(Design.REPEAT, 3), (Design.ENTROPY, 3), (Design.SNI, 1)])
async def test_repeats_run_side_by_side_and_designs_in_turn(design, together):
    running, most = 0, 0

    async def run(_: Experiment) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await run_in_order([experiment(number, design) for number in range(3)], run)
    assert most == together


async def test_waves_of_bytes_wait_for_each_other():
    seen: list[int] = []

    async def run(one: Experiment) -> None:
        await asyncio.sleep(0.001 * (3 - one.cell))
        seen.append(one.cell)

    waves = [
        Experiment(id=f"{n}", design=Design.ENTROPY, step=Step.SINK, name="", name_kind=NameKind.TEST, cell=n // 2)
        for n in range(6)
    ]
    await run_in_order(waves, run)
    assert seen == [0, 0, 1, 1, 2, 2]


async def test_the_order_of_a_design_is_kept():
    seen: list[str] = []

    async def run(one: Experiment) -> None:
        seen.append(one.id)

    await run_in_order([experiment(number, Design.CROSS) for number in range(6)], run)
    assert seen == list("012345")


def test_the_second_round_sends_a_neutral_name_and_then_the_name_to_each_echo_port():
    case = judged(hello("reset"), all_well(), 1, echoes=PORTS)
    (pending,) = second_round(case, judge(case))
    crossed = [e for e in pending.experiments if e.design is Design.CROSS]
    assert [e.endpoint for e in crossed[::2]] == [e.endpoint for e in crossed[1::2]] == list(PORTS)
    assert [e.name_kind for e in crossed[:2]] == [NameKind.NEUTRAL, NameKind.TEST]
    assert crossed[0].name == NEUTRAL


def test_no_echo_port_is_used_where_no_name_was_sent():
    case = judged(Story().dns("45.90.1.1").tcp("silent"), all_well(), 1, echoes=PORTS)
    assert all(e.design is not Design.CROSS for p in second_round(case, judge(case)) for e in p.experiments)


@pytest.mark.parametrize(("failed", "goes_on"), [(2, True), (0, False)])
def test_a_good_run_waits_for_what_it_left_open_and_for_nothing_else(failed, goes_on):
    story = sometimes("silent", failed, 11 - failed)
    agent = make_agent(story.target)
    environment = dataclasses.replace(agent.environment, neutral_names=(NEUTRAL,))
    run = Run(environment, agent.monitor, story.target, Wish(tries=10))
    run._journal.observations.extend(story.observations)
    run._experiments.extend(story.experiments)
    verdict = run.finish(interrupted=False).verdict
    assert (verdict.status, bool(verdict.pending)) == (Status.OK, goes_on)


@pytest.mark.parametrize("rule", sorted(PAIRS))
def test_a_late_run_leaves_nothing_that_waits_for_another_cool_down(rule):
    pair = PAIRS[rule]()
    for half in (pair.fires, pair.nearly):
        case = msgspec.structs.replace(half.case, cold_start=True)
        pending = (*plan(case).later, *second_round(case, judge(case)), *share_later(case, build_table(case)))
        assert all(item.due_in_s <= case.round_apart_s + 1.0 for item in pending)


def test_a_late_round_begins_only_while_the_final_verdict_can_come_in_its_time():
    round_apart, cool_down = (Pending(due_in_s=due_s, question="", experiments=()) for due_s in (31.0, 200.0))
    assert is_in_time(20.0, (round_apart, cool_down))
    assert is_in_time(320.0, (round_apart,))
    assert not is_in_time(420.0, (round_apart,)), "the first late round timed a place that was dead for long"
    assert not is_in_time(220.0, (cool_down,)), "a second cool-down does not fit"


@pytest.mark.parametrize(("steps", "has_budget", "run_steps"), [(75, True, 75), (75, False, 0), (40, False, 40)])
async def test_a_late_design_of_many_steps_fits_into_the_storm_guards_budget_or_is_left_out(
    monkeypatch, steps, has_budget, run_steps
):
    story = Story()
    agent = make_agent(story.target)
    asked: list[int] = []

    def may_follow_up(connections: int) -> bool:
        asked.append(connections)
        return has_budget

    environment = dataclasses.replace(agent.environment, may_follow_up=may_follow_up)
    late = Pending(due_in_s=1.0, question="?", experiments=tuple(experiment(n, Design.ENTROPY) for n in range(steps)))
    run = Run(environment, agent.monitor, story.target, Wish(continues="01", pending=(late,)))
    done: list[str] = []

    async def run_late(one: Experiment) -> None:
        done.append(one.id)

    monkeypatch.setattr(run, "_run_late", run_late)
    await run._run_pending()
    assert len(done) == run_steps
    assert asked == ([75] if steps > 40 else [])
