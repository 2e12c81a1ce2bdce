"""What a run leaves for later, and how that is then done.

Source: CONTRACT section 2: families B to D count from two rounds; each echo port of a control is used once per
cool-down, by a neutral name and then by the target's.
"""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from probe.classify.case import Case
from probe.classify.facts.control_view import ControlView
from probe.classify.plans.cross import plan_crossing
from probe.classify.plans.floor import plan_floor
from probe.classify.plans.plan import plan_second_round
from probe.classify.plans.route import plan_route
from probe.model.experiment import Design, Experiment, Pending
from probe.model.verdict import Cause, Confidence, EvidenceFamily, Status, Verdict

BEGIN_UNTIL_S = 360.0
"""After the first run's start; a round takes less than a minute, but for one that times how long a place stays dead."""


def is_in_time(elapsed_s: float, pending: Iterable[Pending]) -> bool:
    """Tell whether a late round may still begin: a final verdict is due within seven minutes (CONTRACT section 4).

    The round after the cool-down may spend another one on timing; then the verdict stands, and says what is pending.
    """
    return elapsed_s + max((item.due_in_s for item in pending), default=0.0) <= BEGIN_UNTIL_S


def second_round(case: Case, verdict: Verdict) -> tuple[Pending, ...]:
    """Return what asks the control a second time: family B counts from two rounds (CONTRACT section 2).

    Our own step is tried again with it: a short outage of the server must not become an accusation of the network. So
    is the name at the control's own echo ports, where it means nothing to anybody but a filter.
    """
    outside = (EvidenceFamily.CONTROL, EvidenceFamily.TUNNEL)
    # Where two controls were heard and neither settles it, they disagree: the same once more tells no more.
    disagree = len(ControlView.of(case).names) > 1
    once = not disagree and any(e.family in outside and e.confidence is Confidence.C1 for e in verdict.evidence)
    nobody = any(e.family in outside and e.cause is Cause.OUTAGE for e in verdict.evidence)
    isolated = verdict.status is Status.LIKELY_BLOCKED
    route = plan_route(case) if once or isolated else ()
    # Where nobody outside can be asked, the packets themselves may tell who sends them.
    floor = plan_floor(case) if isolated and not once else ()
    who = (Pending(due_in_s=case.cool_down_s, question="who sends what ends it", experiments=floor),) if floor else ()
    # A control that was asked and did not answer in time: what it says counts later.
    late = bool(case.controls) and case.controls[-1].late and verdict.confidence is not Confidence.C3
    if not once and not route and not late:
        return who
    question = "what a control sees, which took longer to answer" if late else "whether the site can be had over HTTP/3"
    question = "whether a control still sees it otherwise" if once else question
    experiments = (*plan_second_round(case), *(plan_crossing(case) if once else ()), *route)
    round_two = Pending(
        due_in_s=case.round_apart_s + 1.0, question=question, experiments=experiments, second_opinion=nobody
    )
    return (round_two, *who)


async def run_in_order(
    experiments: Iterable[Experiment],
    run: Callable[[Experiment], Coroutine[Any, Any, None]],
) -> None:
    """Run one after another, for the order is the design; repeats of different places go side by side.

    So does what one wave sends to several of a control's ports.
    """
    for beside, together in itertools.groupby(experiments, key=_beside):
        if not beside:
            for experiment in together:
                await run(experiment)
            continue
        async with asyncio.TaskGroup() as group:
            for experiment in together:
                group.create_task(run(experiment))


def _beside(experiment: Experiment) -> str:
    """Return what experiments that follow each other go side by side for; empty = nothing."""
    if experiment.design is Design.ENTROPY:
        return f"wave {experiment.cell}"
    return "repeats" if experiment.design is Design.REPEAT else ""
