"""What one run asks of controls: their view, and their echo ports; and for how long it waits for them.

Source: CONTRACT section 4: the first verdict needs no waiting, and is due 2 s after a reset, 1.5 timeouts after
silence. Whatever a control says later counts as well: the late round asks again, and takes up what has come meanwhile.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

from probe.checks.vpn import find_greeting, goes_by_udp
from probe.classify.facts.control_view import WITHIN_S
from probe.classify.pairs import PAIRS
from probe.model.control import ControlReport
from probe.model.endpoint import Endpoint
from probe.model.experiment import Traffic
from probe.model.failure import FailureCode
from probe.model.observation import Observation, Role
from probe.model.target import Target
from probe.net.context import Journal
from probe.pipeline.asking import build_question
from probe.pipeline.environment import Environment
from probe.pipeline.wish import Wish

AGE_S = 240.0
"""An answer this old still counts as of the same moment: family B allows five minutes."""
AFTER_RESET_S = 2.0
AFTER_SILENCE_TIMEOUTS = 1.5
LOOK_AGAIN_S = 0.05
"""How often it is looked whether all else has ended, once the first verdict is due."""

_Answer = TypeVar("_Answer")


class Elsewhere:
    """One run's questions. `is_idle` tells whether nothing but tasks of these is under way in the run."""

    def __init__(
        self,
        environment: Environment,
        target: Target,
        wish: Wish,
        journal: Journal,
        is_idle: Callable[[frozenset[asyncio.Task[Any]]], bool],
        *,
        after_reset_s: float = AFTER_RESET_S,
    ) -> None:
        self._environment = environment
        self._target = target
        self._wish = wish
        self._journal = journal
        self._is_idle = is_idle
        self._after_reset_s = after_reset_s
        self._waiting: set[asyncio.Task[Any]] = set()
        self._asked_s: float | None = None
        """When the run first asked anything of controls: at its first sign of trouble."""
        self.reports: list[ControlReport] = []
        self.echoes: dict[Traffic, tuple[Endpoint, ...]] = {}
        """A control's echo ports, once they were asked for."""

    async def ask(self) -> None:
        """Ask for the outside view, once in a run; a control that does not answer is in the report."""
        controls, target = self._environment.controls, self._target
        if (
            controls is None
            or (goes_by_udp(target) and not find_greeting(target))
            or not self._environment.may_follow_up(1)
        ):
            return
        # A late round makes experiments only: what the name led to was seen by the run that it continues.
        earlier = [o for citation in self._wish.cites for o in citation.observations] if self._wish.pending else ()
        request = build_question(target, (*self._journal.observations, *earlier))
        if not self._wish.pending:
            report = await self._in_time(controls.ask(request, max_age_s=AGE_S))
            self.reports.append(report or _unheard(controls.first_name, self._environment.stack.clock.wall_s()))
            return
        if _was_late(report for citation in self._wish.cites for report in citation.controls):
            came = controls.find_kept(request, WITHIN_S)
            self.reports += [came] if came is not None else []
        self.reports.append(await controls.ask(request, max_age_s=0.0))
        if any(item.second_opinion for item in self._wish.pending):
            cited = (report for citation in self._wish.cites for report in citation.controls)
            heard = {report.control for report in (*cited, *self.reports) if report.answered}
            other = await controls.ask_another(request, heard | {self.reports[-1].control})
            self.reports += [other] if other is not None else []

    async def take_echoes(self, traffic: Traffic, count: int = PAIRS) -> None:
        """Keep so many ports of a control for this run, unless it has some."""
        controls = self._environment.controls
        if controls is None or self.echoes.get(traffic):
            return
        cool_down_s, over_udp = self._environment.settings.limits.cool_down_s, traffic is Traffic.DATAGRAM
        found = await self._in_time(controls.take_echoes(count, cool_down_s, over_udp=over_udp))
        self.echoes[traffic] = found or ()

    async def _in_time(self, question: Coroutine[Any, Any, _Answer]) -> _Answer | None:
        """Return the answer; `None` = all else is done, the verdict is due, and there is none yet."""
        asking = asyncio.get_running_loop().create_task(question)
        mine = asyncio.current_task()
        assert mine is not None
        asked_s = self._asked_s = self._journal.elapsed_s() if self._asked_s is None else self._asked_s
        self._waiting.add(mine)
        try:
            while not asking.done():
                left_s = self._due_s(asked_s) - self._journal.elapsed_s()
                if left_s <= 0 and self._is_idle(frozenset(self._waiting)):
                    return None
                await asyncio.wait({asking}, timeout=max(left_s, LOOK_AGAIN_S))
            return asking.result()
        finally:
            self._waiting.discard(mine)
            asking.cancel()

    def _due_s(self, asked_s: float) -> float:
        silent = any(map(_is_silence, self._journal.observations))
        return max(asked_s + self._after_reset_s, AFTER_SILENCE_TIMEOUTS * self._target.timeout_s if silent else 0.0)


def _is_silence(observation: Observation) -> bool:
    failure = observation.failure
    return failure is not None and failure.code is FailureCode.TIMEOUT and observation.role is Role.TARGET


def _was_late(reports: Iterable[ControlReport]) -> bool:
    return any(report.late for report in reports)


def _unheard(name: str, wall_s: float) -> ControlReport:
    return ControlReport(
        control=name, asked_at=wall_s, late=True, failure="no answer yet when the first verdict was due"
    )
