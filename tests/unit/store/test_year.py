"""A simulated year: the file holds its bounds by size and by age on every day of it, and stays whole."""

from collections.abc import Callable

import pytest

from tests.unit.store.population import DAY_S, Population
from tests.unit.store.samples import START
from tests.unit.store.test_retention import Desk, open_desk

__all__ = ["open_desk"]  # a fixture, which pytest finds by name
KEEP_S = 90 * DAY_S
SLACK_BYTES = (512 + 256) * 4096
"""Free pages that are kept for what comes next, as the retention's own tests allow."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("targets", "every_days", "limit"),
    [(5, 14, 700_000), pytest.param(25, 1, 13_000_000, marks=pytest.mark.soak)],
    ids=["sampled", "whole"],
)
def test_a_year_of_runs_stays_within_its_bounds(
    open_desk: Callable[..., Desk],
    targets: int,
    every_days: int,
    limit: int,
) -> None:
    desk, population = open_desk(keep_s=KEEP_S, max_size_bytes=limit), Population(targets)
    most = pressed = 0
    for day in range(0, 365, every_days):
        desk.write(*population.run_day(day))
        desk.clock.advance(START + (day + 1) * DAY_S - desk.clock.wall_s())
        pressed += desk.trimmer.used_bytes() > limit
        for _ in range(40):
            desk.trim()
            oldest_ms = desk.connection.execute("SELECT min(at_ms) FROM runs").fetchone()[0]
            if desk.trimmer.used_bytes() <= limit and oldest_ms / 1000 >= desk.clock.wall_s() - KEEP_S - DAY_S:
                break
        else:
            pytest.fail(f"day {day}: {desk.trimmer.used_bytes()} bytes, oldest {oldest_ms}")
        desk.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        most = max(most, desk.path.stat().st_size)
    assert most <= limit + SLACK_BYTES
    print(f"{most} bytes at most, trimmed for size on {pressed} days")
    assert pressed, "the bound was never reached, so it was not tested"
    assert desk.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
