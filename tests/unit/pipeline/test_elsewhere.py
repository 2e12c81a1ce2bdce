"""What a run asks of controls, and that its first verdict does not wait for one that takes its time."""

import asyncio
import dataclasses
from collections.abc import Collection
from typing import Any

import msgspec
import pytest

from probe.classify.judge import judge
from probe.model.control import ControlReport, ControlRequest
from probe.model.endpoint import Endpoint
from probe.model.experiment import Pending, Step, Traffic
from probe.model.measurement import Citation
from probe.net.clock import SystemClock
from probe.net.context import Journal
from probe.pipeline.elsewhere import Elsewhere
from probe.pipeline.later import second_round
from probe.pipeline.wish import Wish
from tests.unit.classify.cases import OWN, Story
from tests.unit.classify.outside import all_well, report
from tests.unit.daemon.parts import make_agent

SAW = ControlReport(control="fra-1", asked_at=1.0)
PORT = Endpoint(address="77.88.1.1", port=20000)


class Controls:
    """One control, that answers when it is told to."""

    first_name = "fra-1"

    def __init__(
        self, *, answers: bool = True, kept: ControlReport | None = None, other: ControlReport | None = None
    ) -> None:
        self.ready = asyncio.Event()
        if answers:
            self.ready.set()
        self.kept = kept
        self.other = other
        self.heard: list[list[str]] = []
        self.ages_s: list[float | None] = []

    async def ask(self, _request: ControlRequest, *, max_age_s: float | None = None) -> ControlReport:
        self.ages_s.append(max_age_s)
        await self.ready.wait()
        return SAW

    async def ask_another(self, _request: ControlRequest, heard: Collection[str]) -> ControlReport | None:
        self.heard.append(sorted(heard))
        return self.other

    def find_kept(self, _request: ControlRequest, _max_age_s: float) -> ControlReport | None:
        return self.kept

    async def take_echoes(self, count: int, _cool_down_s: float, *, over_udp: bool = False) -> tuple[Endpoint, ...]:
        await self.ready.wait()
        return (PORT,) * (count + over_udp)


def make(
    controls: Controls, wish: Wish | None = None, *, idle: bool = True, story: Story | None = None
) -> tuple[Elsewhere, Journal]:
    story = story or Story().dns(OWN).tcp().tls("reset")
    agent = make_agent(story.target)
    given: Any = controls
    environment = dataclasses.replace(agent.environment, controls=given)
    journal = Journal(SystemClock())
    for seen in story.case().observations:
        journal.append(seen)
    asked = Elsewhere(environment, story.target, wish or Wish(), journal, lambda _: idle, after_reset_s=0.1)
    return asked, journal


async def test_a_control_that_answers_is_heard() -> None:
    asked, _ = make(Controls())
    await asked.ask()
    await asked.take_echoes(Traffic.CONNECT)
    assert asked.reports == [SAW]
    assert asked.echoes[Traffic.CONNECT] == (PORT,) * 5


async def test_one_that_takes_its_time_is_left_to_it_once_all_else_is_done_and_the_report_says_so() -> None:
    asked, journal = make(Controls(answers=False))
    await asked.ask()
    assert journal.elapsed_s() >= 0.1
    (report,) = asked.reports
    assert (report.control, report.late, report.answered) == ("fra-1", True, False)


async def test_ports_are_waited_for_no_longer_than_the_same_verdict_allows() -> None:
    asked, journal = make(Controls(answers=False))
    await asked.ask()
    before_s = journal.elapsed_s()
    await asked.take_echoes(Traffic.CONNECT)
    assert asked.echoes[Traffic.CONNECT] == ()
    assert journal.elapsed_s() - before_s < 0.1


async def test_as_long_as_something_else_is_under_way_it_is_waited_for() -> None:
    controls = Controls(answers=False)
    asked, journal = make(controls, idle=False)
    asyncio.get_running_loop().call_later(0.3, controls.ready.set)
    await asked.ask()
    assert asked.reports == [SAW]
    assert journal.elapsed_s() >= 0.3


async def test_after_silence_it_has_as_long_as_silence_takes() -> None:
    """What is silent for us is mostly silent for a control as well, which takes it a timeout to say."""
    controls = Controls(answers=False)
    asked, _ = make(controls, story=Story(timeout_s=0.4).dns(OWN).tcp("silent"))
    asyncio.get_running_loop().call_later(0.3, controls.ready.set)
    await asked.ask()
    assert asked.reports == [SAW]


LATE = msgspec.structs.replace(SAW, late=True, failure="no answer yet")


async def test_what_came_too_late_counts_in_the_late_round_beside_what_is_asked_then() -> None:
    earlier = Citation(measurement="01", age_s=31.0, controls=(LATE,))
    pending = (Pending(due_in_s=31.0, question="what a control sees", experiments=()),)
    kept = msgspec.structs.replace(SAW, age_s=28.0)
    controls = Controls(kept=kept)
    asked, _ = make(controls, Wish(cites=(earlier,), continues="01", pending=pending))
    await asked.ask()
    assert asked.reports == [kept, SAW]
    assert controls.ages_s == [0.0]


async def test_what_was_heard_in_time_is_not_taken_up_twice() -> None:
    earlier = Citation(measurement="01", age_s=31.0, controls=(SAW,))
    pending = (Pending(due_in_s=31.0, question="what a control sees", experiments=()),)
    asked, _ = make(Controls(kept=SAW), Wish(cites=(earlier,), continues="01", pending=pending))
    await asked.ask()
    assert asked.reports == [SAW]


def test_a_control_that_was_late_is_asked_again_when_its_rounds_are_far_enough_apart() -> None:
    case = Story().dns(OWN).tcp().tls("reset").case(controls=(LATE,))
    pending = second_round(case, judge(case))
    assert [(p.question, p.due_in_s) for p in pending if "control" in p.question] == [
        ("what a control sees, which took longer to answer", case.round_apart_s + 1.0)
    ]


DEAD = Story().dns(OWN).tcp("silent").once_more(Step.CONNECT, "silent")


def late_round(*controls: ControlReport, story: Story = DEAD) -> tuple[Pending, ...]:
    case = story.case(controls=controls)
    return tuple(p for p in second_round(case, judge(case)) if "control" in p.question)


def test_before_a_target_is_called_down_another_control_is_to_be_asked() -> None:
    (down,) = late_round(report(Story().dns(OWN).tcp("silent")))
    (kept_out,) = late_round(report(all_well()))
    assert (down.second_opinion, kept_out.second_opinion) == (True, False)


def test_where_two_were_heard_and_disagree_the_same_is_not_asked_once_more() -> None:
    dead, well = report(Story().dns(OWN).tcp("silent")), report(all_well(), 30.0, control="nyc-1")
    yesterday = msgspec.structs.replace(dead, asked_at=dead.asked_at - 86400.0)
    assert late_round(dead, well) == ()
    assert late_round(yesterday, well)


@pytest.mark.parametrize("other", [msgspec.structs.replace(SAW, control="nyc-1"), None])
async def test_the_other_control_is_one_that_was_not_heard(other: ControlReport | None) -> None:
    earlier = Citation(measurement="01", age_s=31.0, controls=(msgspec.structs.replace(SAW, control="ber-1"),))
    pending = (Pending(due_in_s=31.0, question="what a control sees", experiments=(), second_opinion=True),)
    controls = Controls(other=other)
    asked, _ = make(controls, Wish(cites=(earlier,), continues="01", pending=pending))
    await asked.ask()
    assert controls.heard == [["ber-1", "fra-1"]]
    assert asked.reports == [SAW, *([other] if other is not None else [])]
