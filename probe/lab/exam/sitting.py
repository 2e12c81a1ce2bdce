"""The exam: the real `check` in every scenario, each in a lab of its own making, its answers held against the truth."""

import asyncio
import contextlib
import random
import time
from collections.abc import Callable

import msgspec

from probe.lab.client.agent import Controls, check
from probe.lab.exam.grade import Grade, Said, grade
from probe.lab.exam.score import Mark, Score, Skipped
from probe.lab.exam.spread import spread
from probe.lab.line import Line
from probe.lab.outside import raise_control, reference_addresses
from probe.lab.real_servers import set_up_tunnel
from probe.lab.run import Lab, UnsupportedError
from probe.lab.scenarios.model import Scenario
from probe.model.errors import UserError
from probe.model.verdict import Cause, Status

SHORTEST_RTT_S, LONGEST_RTT_S = 0.010, 0.300
"""Between them the way to foreign hosts and back is drawn by lot."""


def draw_line(scenario: Scenario, seed: int) -> Line:
    """Return the scenario's line with delays that the seed draws; one that is slow by its nature stays as it is."""
    usual = Line()
    delays = (scenario.line.access_delay_s, scenario.line.transit_delay_s)
    if delays != (usual.access_delay_s, usual.transit_delay_s):
        return scenario.line
    dice = random.Random(f"{seed} {scenario.name}")
    one_way_s = SHORTEST_RTT_S * (LONGEST_RTT_S / SHORTEST_RTT_S) ** dice.random() / 2
    access_s = one_way_s * dice.uniform(0.1, 0.4)
    return msgspec.structs.replace(scenario.line, access_delay_s=access_s, transit_delay_s=one_way_s - access_s)


async def mark_scenario(lab: Lab, scenario: Scenario, line: Line | None = None, controls: Controls = ()) -> Mark:
    """Run the real check in a scenario and grade its answer; a check without one is a wrong answer.

    With a control it is the final verdict that counts: what a control says once is asked again before it counts.
    """
    async with contextlib.AsyncExitStack() as stays:
        memory = f"state-{scenario.name}-{len(controls)}"
        target = scenario.target
        references = reference_addresses() if controls and scenario.tunnel is not None else ()
        if scenario.tunnel is not None:
            target = await stays.enter_async_context(set_up_tunnel(lab, scenario, line, memory, references))
        else:
            await lab.play(scenario, line)
        await asyncio.sleep(scenario.settles_s)
        return await _mark(lab, scenario, target, controls, memory, references)


async def _mark(
    lab: Lab, scenario: Scenario, target: str, controls: Controls, memory: str, references: tuple[str, ...]
) -> Mark:
    started_s = time.monotonic()
    reasons: tuple[str, ...] = ()
    try:
        # The scenario before may have made the same addresses hot: that was in another world.
        options = (*scenario.options, *(("--wait",) if controls else ()))
        record = await check(
            lab,
            target,
            controls=controls,
            options=options,
            memory=memory,
            references=references,
            configured=scenario.configured,
        )
    except (UserError, TimeoutError) as error:
        said = Said(status=Status.INSUFFICIENT, cause=Cause.INSTRUMENT)
        mark, why = Grade.WRONG, f"the check gave no answer: {str(error) or 'it took too long'}"
    else:
        said = msgspec.convert(record, type=Said, strict=False)
        mark, why = grade(scenario.truth, said, outside=bool(controls))
        reasons = tuple(str(evidence.get("reason", "")) for evidence in record.get("evidence", ()))
    return Mark(
        scenario=scenario.name,
        truth=scenario.truth,
        said=said,
        grade=mark,
        why=why,
        wall_s=time.monotonic() - started_s,
        reasons=reasons,
    )


async def hold_exam(
    names: tuple[str, ...], *, seed: int, jobs: int, tell: Callable[[Mark], None], outside: bool = False
) -> Score:
    """Mark these scenarios in several labs side by side, in an order that the seed draws, and tell of each at once.

    Those that this machine cannot set up are skipped, by name.
    `outside` = a control stands in each lab's uncensored part, and the agent in the client knows it.

    Raises:
        UserError: the kernel refuses a lab.
    """
    order = list(names)
    random.Random(seed).shuffle(order)
    marks: list[Mark] = []
    skipped: list[Skipped] = []
    controls: dict[int, Controls] = {}

    async def sit(lab: Lab, scenario: Scenario) -> Mark | Skipped:
        if outside and lab.process_id not in controls:
            controls[lab.process_id] = await raise_control(lab)
        known = _usable_in(scenario, controls.get(lab.process_id, ()))
        try:
            return await mark_scenario(lab, scenario, draw_line(scenario, seed), known)
        except UnsupportedError as lacking:
            return Skipped(scenario=scenario.name, why=f"{lacking.what}; {lacking.remedy}")

    try:
        async for mark in spread(tuple(order), sit, seed=seed, jobs=jobs):
            if isinstance(mark, Skipped):
                skipped.append(mark)
            else:
                marks.append(mark)
                tell(mark)
    except* UserError as refused:
        raise refused.exceptions[0] from None
    return Score(seed=seed, marks=tuple(marks), outside=outside, skipped=tuple(skipped))


def _usable_in(scenario: Scenario, controls: Controls) -> Controls:
    """Return none where the client's clock is wrong: the lab turns the world's instead, and so a control's as well."""
    return () if scenario.world.clock_offset_s else controls
