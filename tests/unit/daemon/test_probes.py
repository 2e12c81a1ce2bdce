import asyncio

from probe.daemon.probes import KEPT_FOR_S, Probes
from tests.fakes import FakeClock
from tests.unit.daemon.parts import measurement, target

A = target("a")


def made() -> tuple[Probes, FakeClock, list[str]]:
    clock, started = FakeClock(), list[str]()
    return Probes(clock, started.append), clock, started


async def test_all_who_ask_share_one_run():
    probes, _, started = made()
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(probes.run("a")) for _ in range(100)]
        await asyncio.sleep(0)
        asked[0].cancel()
        await asyncio.sleep(0)
        assert started == ["a"]
        probes.take(measurement(A, at=1.0))
    assert sum(task.cancelled() for task in asked) == 1
    assert probes.latest("a") is not None


async def test_a_run_that_came_to_nothing_keeps_nobody_waiting():
    probes, _, started = made()
    waiting = asyncio.create_task(probes.run("a"))
    await asyncio.sleep(0)
    probes.done("a")
    await waiting
    again = asyncio.create_task(probes.run("a"))
    await asyncio.sleep(0)
    assert started == ["a", "a"]
    probes.keep_only(set())
    await again


def test_only_runs_that_somebody_asks_about_are_kept():
    probes, clock, _ = made()
    probes.take(measurement(A, at=1.0))
    assert probes.latest("a") is None
    probes.take(measurement(A, at=2.0, id="second"))
    kept = probes.latest("a")
    assert kept is not None
    assert kept.id == "second"
    probes.take(measurement(A, at=3.0, id="late", continues="second"))
    assert probes.latest("a") is kept, "late experiments are no run"
    clock.advance(KEPT_FOR_S + 1)
    probes.take(measurement(A, at=4.0))
    assert probes.latest("a") is None
