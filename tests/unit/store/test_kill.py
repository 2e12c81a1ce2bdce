"""`kill -9` at any moment: nothing is torn, and only what was not yet committed is gone."""

import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probe.model.settings import StoreSettings
from probe.store.store import Store
from tests.fakes import FakeClock
from tests.unit.store.samples import START, make_target

ROUNDS = 25

WRITE = """
import sys, itertools
from probe.model.settings import StoreSettings
from probe.net.clock import SystemClock
from probe.store.store import Store
from tests.unit.store.samples import START, make_blocked, make_event, make_ok, with_serial

store = Store.open(StoreSettings(path=sys.argv[1]), SystemClock())
tally = store.load_tallies().get(make_ok(1).target.id)
first = tally.runs_total if tally else 0
print("first", first, flush=True)
healthy, bad = make_ok(1, body=b"x" * 3000), make_blocked(1, experiments=2)
for number in itertools.count(first):
    failing = number % 5 == 4
    run = with_serial(bad if failing else healthy, START + number, number)
    store.add(run, events=(make_event(run),) if number % 50 == 49 else ())
    if number % 10 == 9:
        store.flush_now(10)
        print("stored", number + 1, flush=True)
"""


def write_and_kill(path: Path, after_s: float) -> tuple[int, int]:
    """Let a process write, kill it in the middle; return where it began and how far it said it had come."""
    began = stored = -1
    with subprocess.Popen([sys.executable, "-c", WRITE, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        began = stored = int(process.stdout.readline().split()[1])
        time.sleep(after_s)
        process.kill()
        for line in process.stdout:
            if line.startswith("stored ") and line.endswith("\n"):
                stored = int(line.split()[1])
    return began, stored


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_killed_at_random_moments_the_file_stays_whole_and_gapless(tmp_path: Path) -> None:
    path, dice = tmp_path / "w.db", random.Random(2)
    expected_from = 0
    for _ in range(ROUNDS):
        began, stored = write_and_kill(path, dice.uniform(0.0, 0.5))
        assert began == expected_from
        expected_from = check(path, stored)
    assert expected_from > ROUNDS * 10
    assert check(path, expected_from, thorough=True) == expected_from


def check(path: Path, stored: int, *, thorough: bool = False) -> int:
    """Look at every row; return how many runs are there."""
    with Store.open(StoreSettings(path=str(path)), FakeClock(wall_s=START)) as store:
        target = make_target(1).id
        tally = store.load_tallies().get(target)
        count = tally.runs_total if tally else 0
        assert stored <= count <= stored + 10
        rows = store.load_runs(target, START - 1, START + count + 3600, limit=100_000)
        assert sum(row.runs for row in rows) == count
        failing = sorted(row.first_at - START for row in rows if row.measurement)
        assert failing == [number for number in range(count) if number % 5 == 4]
        for row in rows if thorough else rows[:20]:
            if row.measurement:
                assert store.load_measurement(row.measurement) is not None
        assert len(store.load_events(limit=10_000)) == count // 50
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    return count
