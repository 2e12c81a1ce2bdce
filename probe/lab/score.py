"""The truth score: the real `check` in every scenario, held against what is so."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator

import msgspec

from probe.lab.agent import check
from probe.lab.grade import ACCUSING, MODEST, Grade, Said, compare_patterns, grade
from probe.lab.run import Lab
from probe.lab.scenarios import build_scenarios
from probe.lab.scenarios.model import Scenario, Truth
from probe.model.verdict import Cause, Status


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario's answer and its grade."""

    scenario: str
    truth: Truth
    said: Said
    grade: Grade
    why: str
    wall_s: float
    """From the start of the program to its end."""
    reasons: tuple[str, ...] = ()
    """The evidence that was given."""


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """All marks, and what they come to."""

    seed: int
    marks: tuple[Mark, ...]

    @property
    def shares(self) -> dict[str, float]:
        """Return the figures by which two versions are compared."""
        total = len(self.marks) or 1
        by_grade = {g.value: sum(m.grade is g for m in self.marks) / total for g in Grade}
        innocent = [m for m in self.marks if m.truth.cause is not Cause.NETWORK]
        named = [(m.truth, m.said) for m in self.marks if m.said.patterns]
        blamed = [m for m in self.marks if m.said.cause not in (Cause.UNKNOWN, Cause.NONE)]
        hierarchy = compare_patterns(named)
        return {
            **by_grade,
            "status_accuracy": sum(m.said.status is m.truth.status for m in self.marks) / total,
            "cause_accuracy": sum(m.said.cause is m.truth.cause for m in blamed) / (len(blamed) or 1),
            "false_blocked": float(sum(m.said.status in ACCUSING for m in innocent)),
            "careful_on_clean": float(sum(m.said.status in MODEST for m in self.marks if m.truth.status is Status.OK)),
            "pattern_precision": -1.0 if hierarchy.precision is None else hierarchy.precision,
            "pattern_recall": -1.0 if hierarchy.recall is None else hierarchy.recall,
            "seconds_to_verdict_median": statistics.median([m.said.runtime_s for m in self.marks] or [0.0]),
        }

    @property
    def confusion(self) -> dict[tuple[Status, Status], int]:
        """Return how often which status was said of which."""
        table: dict[tuple[Status, Status], int] = {}
        for mark in self.marks:
            key = (mark.truth.status, mark.said.status)
            table[key] = table.get(key, 0) + 1
        return table


async def mark_scenario(lab: Lab, scenario: Scenario) -> Mark:
    """Run the real check in a scenario and grade its answer.

    Raises:
        UserError: the check printed no answer.
    """
    await lab.play(scenario)
    await asyncio.sleep(scenario.settles_s)
    started_s = time.monotonic()
    record = await check(lab, scenario.target)
    said = msgspec.convert(record, type=Said, strict=False)
    mark, why = grade(scenario.truth, said)
    return Mark(
        scenario=scenario.name,
        truth=scenario.truth,
        said=said,
        grade=mark,
        why=why,
        wall_s=time.monotonic() - started_s,
        reasons=tuple(str(e.get("reason", "")) for e in record.get("evidence", ())),
    )


async def score(names: tuple[str, ...], *, seed: int = 0, jobs: int = 2) -> AsyncIterator[Mark]:
    """Mark these scenarios in several labs side by side, and hand each mark over as it is ready."""
    waiting: asyncio.Queue[str] = asyncio.Queue()
    ready: asyncio.Queue[Mark | None] = asyncio.Queue()
    for name in names:
        waiting.put_nowait(name)

    async def work() -> None:
        try:
            async with Lab(seed) as lab:
                scenarios = build_scenarios(lab.world)
                while not waiting.empty():
                    ready.put_nowait(await mark_scenario(lab, scenarios[waiting.get_nowait()]))
        finally:
            ready.put_nowait(None)

    async with asyncio.TaskGroup() as labs:
        for _ in range(min(jobs, len(names))):
            labs.create_task(work())
        running = min(jobs, len(names))
        while running:
            mark = await ready.get()
            if mark is None:
                running -= 1
            else:
                yield mark
