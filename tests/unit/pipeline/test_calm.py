"""A run in which nothing is odd: how often it plans, and what it does without a budget for a deep look."""

import asyncio
import dataclasses

from probe.model.experiment import Design
from probe.pipeline.measure import Run
from probe.pipeline.wish import Wish
from tests.unit.classify.cases import OWN, Story
from tests.unit.daemon.parts import make_agent


def make_run(*, deep: bool = True, budget: int = 100) -> tuple[Run, Story]:
    story = Story().dns(OWN).tcp().tls().http()
    case = story.case()
    left = [budget]

    def may_follow_up(connections: int) -> bool:
        left[0] -= connections
        return left[0] >= 0

    agent = make_agent(case.target)
    environment = dataclasses.replace(
        agent.environment, resolvers=case.resolvers, neutral_names=case.neutral_names, may_follow_up=may_follow_up
    )
    return Run(environment, agent.monitor, case.target, Wish(deep=deep, first_sight=deep)), story


async def play(run: Run, story: Story, monkeypatch) -> list[str]:
    """Append what the check sees, one by one, while no follow-up ends; return after which of it there was a plan."""
    planned: list[str] = []
    replan = run._replan

    def count() -> None:
        planned.append(type(run._journal.observations[-1]).__name__)
        replan()

    async def wait(_experiment) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(run, "_replan", count)
    monkeypatch.setattr(run, "_run_experiment", wait)
    run._journal.on_append = run._on_append
    async with asyncio.TaskGroup() as group:
        run._group = group
        for seen in story.case().observations:
            run._journal.append(seen)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        for task in run._spawned:
            task.cancel()
    return planned


async def test_a_deep_run_plans_after_the_first_answer_and_the_first_connection_only(monkeypatch) -> None:
    run, story = make_run()
    assert await play(run, story, monkeypatch) == ["DNSLookup", "TCPConnect"]
    assert {e.design for e in run._experiments} == {Design.RESOLVERS, Design.HELLO, Design.ECH}


async def test_a_plain_run_does_not_plan_at_all(monkeypatch) -> None:
    run, story = make_run(deep=False)
    assert await play(run, story, monkeypatch) == []


async def test_a_step_that_fails_is_planned_for_while_the_deep_look_goes_on(monkeypatch) -> None:
    run, _ = make_run()
    story = Story().dns(OWN).tcp().tls("reset")
    assert await play(run, story, monkeypatch) == ["DNSLookup", "TCPConnect", "TLSHandshake"]
    assert Design.SNI in {e.design for e in run._experiments}


async def test_without_a_budget_it_goes_on_as_a_plain_run_and_waits_for_nothing(monkeypatch) -> None:
    run, story = make_run(budget=1)
    await play(run, story, monkeypatch)
    assert not run.is_deep
    assert not run._retrying
    assert len(run._experiments) == 1
    assert not run.finish(interrupted=False).deep
    assert run.finish(interrupted=False).unlooked


async def test_without_a_budget_a_failure_is_asked_about_later(monkeypatch) -> None:
    run, _ = make_run(deep=False, budget=0)
    await play(run, Story().dns(OWN).tcp().tls("reset"), monkeypatch)
    assert run._retrying
    assert not run.finish(interrupted=False).unlooked
