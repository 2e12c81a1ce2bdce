"""A private endpoint is tried again at +2 and +10 minutes, and its regular runs have no regular distance."""

import itertools

from probe.model.target import CheckName, Exposure, Target
from probe.model.verdict import Status
from probe.schedule import JITTER_RATIO, RunKind, Schedule
from tests.fakes import FakeClock
from tests.unit.daemon.parts import make_agent, measurement, target

HALF_HOUR_S = 1800.0


def private(name: str = "trojan~1") -> Target:
    return target(name, check=CheckName.VPN, exposure=Exposure.PRIVATE, interval_s=HALF_HOUR_S)


def extras(agent) -> list[float]:
    """Return when the extra run that waits is due, from now."""
    agent.schedule.done("trojan~1")
    now_s = agent._clock.boot_s()
    found = []
    for second in range(0, 1300, 10):
        for due in agent.schedule.due(now_s + second, 5):
            if due.kind is not RunKind.REGULAR:
                found.append(round(due.due_s - now_s, -1))
            agent.schedule.done(due.target)
    return found


def test_failures_are_tried_again_after_two_and_ten_minutes_and_no_oftener():
    clock = FakeClock()
    agent = make_agent(private(), clock=clock)
    extras(agent)
    waits = []
    for number in range(4):
        agent._take(measurement(private(), Status.IMPAIRED, at=clock.wall_s() + number * 700))
        waits.append(extras(agent))
    assert waits == [[120.0], [600.0], [], []]


def test_a_success_begins_the_count_anew():
    clock = FakeClock()
    agent = make_agent(private(), clock=clock)
    extras(agent)
    agent._take(measurement(private(), Status.IMPAIRED, at=clock.wall_s()))
    extras(agent)
    agent._take(measurement(private(), at=clock.wall_s() + 120))
    extras(agent)
    agent._take(measurement(private(), Status.IMPAIRED, at=clock.wall_s() + 2000))
    assert extras(agent) == [120.0]


def test_regular_runs_of_a_private_endpoint_are_never_evenly_apart():
    schedule = Schedule(seed=1, wall_s=0.0, boot_s=0.0)
    schedule.replace((private(), target("site", interval_s=HALF_HOUR_S)), 0.0)
    seen: dict[str, list[float]] = {"trojan~1": [], "site": []}
    for second in range(0, 100_000, 5):
        for due in schedule.due(float(second), 9):
            seen[due.target].append(due.due_s)
            schedule.done(due.target)
    gaps = {name: [round(b - a, 6) for a, b in itertools.pairwise(at)] for name, at in seen.items()}
    assert set(gaps["site"]) == {HALF_HOUR_S}
    assert len(set(gaps["trojan~1"])) > 20
    most = HALF_HOUR_S * 2 * JITTER_RATIO
    assert all(abs(gap - HALF_HOUR_S) <= most + 1e-6 for gap in gaps["trojan~1"])
    assert abs(sum(gaps["trojan~1"]) / len(gaps["trojan~1"]) - HALF_HOUR_S) < 20
