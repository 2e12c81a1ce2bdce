"""Looks at the vantage: shared, coalesced, two of them after a mass alarm, and held for so long at most."""

import asyncio
from typing import Any

import msgspec
import pytest

from probe.model.settings import Anchors, Settings
from probe.model.vantage import AnchorResult, Baseline, Vantage, VantageState
from probe.net.clock import SystemClock
from probe.pipeline.environment import Environment
from probe.pipeline.monitor import VantageMonitor
from tests.fakes import FakeClock, OpenGate


class ScriptedMonitor(VantageMonitor):
    """Looks without a network: each look takes a moment and finds the next state."""

    def __init__(self, clock: Any, *states: VantageState) -> None:
        class Stack:
            def __init__(self) -> None:
                self.clock = clock

        stack: Any = Stack()
        super().__init__(
            Environment(
                stack=stack, gate=OpenGate(), settings=Settings(anchors=Anchors()), vantage=Vantage(), neutral_names=()
            )
        )
        self.looks: list[bool] = []
        self.anchors_prove_themselves = True
        self._states = list(states)

    async def _look(self, *, quick: bool) -> Baseline:
        self.looks.append(quick)
        try:
            started_s = self._clock.boot_s()
            await asyncio.sleep(0.01)
            state = self._states.pop(0) if len(self._states) > 1 else self._states[0]
            proven = state is VantageState.ONLINE and self.anchors_prove_themselves
            baseline = Baseline(
                id=str(len(self.looks)), quick=quick, started_at=0.0, started_boot_s=started_s, runtime_s=0.01,
                state=state, anchors=(AnchorResult(address="https://anchor.example", group="foreign", ok=proven),),
            )  # fmt: skip
            self.latest = baseline
            if not quick:
                self.latest_full = baseline
            return baseline
        finally:
            self._looking = None


async def test_many_failures_share_one_quick_look() -> None:
    monitor = ScriptedMonitor(SystemClock(), VantageState.ONLINE)
    now_s = monitor._clock.boot_s()
    baselines = await asyncio.gather(*(monitor.look_after(now_s) for _ in range(50)))
    assert {baseline.id for baseline in baselines} == {"1"}
    assert monitor.looks == [True]


async def test_an_unfit_quick_look_is_followed_by_a_full_one() -> None:
    monitor = ScriptedMonitor(SystemClock(), VantageState.OFFLINE, VantageState.FOREIGN_CUT)
    baseline = await monitor.look_after(monitor._clock.boot_s())
    assert (monitor.looks, baseline.state) == ([True, False], VantageState.FOREIGN_CUT)


async def test_after_an_unfit_look_the_next_failure_gets_a_full_one_at_once() -> None:
    """Another quick one would cost its whole timeout and settle nothing."""
    clock = FakeClock()
    monitor = ScriptedMonitor(clock, VantageState.OFFLINE, VantageState.FOREIGN_CUT)
    await monitor.look_after(clock.boot_s())
    clock.advance(10.0)
    await monitor.look_after(clock.boot_s())
    assert monitor.looks == [True, False, False]
    clock.advance(61.0)
    await monitor.look_after(clock.boot_s())
    assert monitor.looks == [True, False, False, True, False]


async def test_a_quick_look_at_anchors_under_another_issuer_is_followed_by_a_full_one() -> None:
    monitor = ScriptedMonitor(SystemClock(), VantageState.ONLINE, VantageState.PORTAL)
    monitor.anchors_prove_themselves = False
    baseline = await monitor.look_after(monitor._clock.boot_s())
    assert (monitor.looks, baseline.state) == ([True, False], VantageState.PORTAL)


@pytest.mark.parametrize(
    ("first", "second", "judged_by"),
    [
        (VantageState.ONLINE, VantageState.ONLINE, "2"),
        (VantageState.OFFLINE, VantageState.ONLINE, "1"),
        (VantageState.ONLINE, VantageState.OFFLINE, "2"),
    ],
)
async def test_after_a_mass_alarm_both_of_two_full_looks_must_be_fit(
    first: VantageState, second: VantageState, judged_by: str
) -> None:
    clock = FakeClock()
    monitor = ScriptedMonitor(clock, first, second)
    monitor.alarm()
    waiting = asyncio.ensure_future(monitor.look_after(clock.boot_s()))
    await asyncio.sleep(0.05)
    assert monitor.looks == [False]
    clock.advance(5.0)
    waiting.cancel()
    baseline = await monitor.look_after(1000.0)
    assert baseline.id == judged_by
    assert monitor.looks == [False, False]


async def test_a_kept_look_is_not_given_for_a_later_failure() -> None:
    clock = FakeClock()
    monitor = ScriptedMonitor(clock, VantageState.ONLINE)
    first = await monitor.look_after(clock.boot_s())
    assert await monitor.look_after(clock.boot_s()) is first
    clock.advance(1.0)
    assert msgspec.structs.asdict(await monitor.look_after(clock.boot_s()))["id"] == "2"
