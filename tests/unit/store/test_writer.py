"""The writing thread when the disk refuses, when too much comes, and when it must stop."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.model.settings import StoreSettings
from probe.store.jobs import AddRun, FillSlot
from probe.store.place import make_place
from probe.store.queue import JobQueue, weigh
from probe.store.recorder import Recorder
from probe.store.retention import Trimmer
from probe.store.schema import connect, prepare
from probe.store.store import Store
from probe.store.writer import Writer
from tests.fakes import FakeClock
from tests.unit.store.samples import START, make_blocked, make_event, make_ok, with_serial
from tests.yardstick import measure_cpu_s


class Disk:
    """A database whose disk can be full: SQLite's own bound on the number of pages stands for it."""

    def __init__(self, path: Path) -> None:
        make_place(path)
        self.connection = connect(str(path))
        prepare(self.connection, str(path))
        clock = FakeClock(wall_s=START)
        recorder = Recorder(self.connection, clock)
        trimmer = Trimmer(self.connection, StoreSettings(), clock, recorder.vault.forget)
        self.writer = Writer(self.connection, recorder, trimmer, clock)
        self._reader = connect(str(path), read_only=True)

    def fill_up(self) -> None:
        pages = self.connection.execute("PRAGMA page_count").fetchone()[0]
        self.connection.execute(f"PRAGMA max_page_count={pages}")

    def make_room(self) -> None:
        self.connection.execute("PRAGMA max_page_count=1000000")

    def count(self, table: str) -> int:
        return int(self._reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def close(self) -> None:
        self.writer.stop(5.0)
        self._reader.close()
        self.writer.close()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk(tmp_path / "w.db")
    yield made
    made.close()


def wait_for(condition: "object", timeout_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_a_full_disk_loses_nothing_that_the_queue_can_hold(disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    disk.fill_up()
    disk.writer.start()
    for number in range(50):
        assert disk.writer.add(AddRun(measurement=make_blocked(number, START)))
    assert not disk.writer.flush(0.7)
    figures = disk.writer.stats()
    assert figures.commit_failures_total >= 1
    assert (figures.queued, figures.dropped_total, figures.measurements_total) == (50, 0, 0)
    disk.make_room()
    assert disk.writer.flush(10.0)
    figures = disk.writer.stats()
    assert (figures.queued, figures.dropped_total, figures.measurements_total) == (0, 0, 50)
    assert disk.count("observations") == disk.count("tallies") == 50
    assert [(record.message, getattr(record, "error", "")) for record in caplog.records] == [
        ("the database cannot be written, measuring goes on", "database or disk is full"),
        ("the database takes writes again", ""),
    ]


def test_counts_are_right_after_a_batch_was_rolled_back(disk: Disk) -> None:
    disk.writer.start()
    healthy = make_ok(1, START, body=b"page")
    for step in range(10):
        disk.writer.add(AddRun(measurement=with_serial(healthy, START + step, step)))
    assert disk.writer.flush(10.0)
    disk.fill_up()
    for step in range(10, 30):
        disk.writer.add(AddRun(measurement=with_serial(healthy, START + step, step)))
    for number in range(20):
        disk.writer.add(AddRun(measurement=make_blocked(number, START + 40)))
    assert not disk.writer.flush(0.5)
    disk.make_room()
    assert disk.writer.flush(10.0)
    rows = disk.connection.execute("SELECT runs FROM segments").fetchall()
    tally = disk.connection.execute("SELECT runs, failures FROM tallies ORDER BY runs DESC").fetchone()
    assert rows == [(30,)]
    assert tally == (31, 1)
    assert disk.count("observations") >= 20 + 1


def test_it_stops_in_time_although_the_disk_refuses(disk: Disk) -> None:
    disk.fill_up()
    disk.writer.start()
    for number in range(20):
        disk.writer.add(AddRun(measurement=make_blocked(number, START)))
    time.sleep(0.1)
    started_s = time.monotonic()
    assert disk.writer.stop(5.0)
    assert time.monotonic() - started_s < 4.0
    assert disk.writer.queue.outstanding == 20


def test_adding_never_waits_for_the_disk(disk: Disk) -> None:
    other = sqlite3.connect(disk.connection.execute("PRAGMA database_list").fetchone()[2], isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    disk.writer.start()
    healthy = make_ok(1, START, body=b"page")
    started_s = time.monotonic()
    for step in range(500):
        disk.writer.add(AddRun(measurement=with_serial(healthy, START + step, step)))
    assert time.monotonic() - started_s < 2.0
    other.execute("ROLLBACK")
    other.close()
    assert disk.writer.flush(15.0)
    assert disk.writer.stats().measurements_total == 500


def test_a_batch_is_committed_within_about_a_second(disk: Disk) -> None:
    disk.writer.start()
    disk.writer.add(FillSlot(name="a", data=b"1"))
    wait_for(lambda: disk.writer.queue.outstanding == 0, 3.0)
    assert disk.count("slots") == 1


def test_the_queue_refuses_when_it_is_full_and_has_room_for_events_a_little_longer() -> None:
    queue = JobQueue(capacity=3)
    bad = make_blocked(1, START)
    plain, telling = AddRun(measurement=bad), AddRun(measurement=bad, events=(make_event(bad),))
    assert [queue.put(plain) for _ in range(5)] == [True, True, True, False, False]
    assert [queue.put(telling) for _ in range(4)] == [True, True, True, False]
    assert queue.refused_total == 3
    taken = queue.take(4)
    assert len(taken) == 4
    assert not queue.put(plain)
    queue.done(taken)
    assert queue.outstanding == 2
    assert queue.put(plain)


def test_the_queue_is_bounded_by_bytes_as_well() -> None:
    large = AddRun(measurement=make_ok(1, START, body=bytes(500_000)))
    assert weigh(large) > 500_000
    queue = JobQueue(capacity_bytes=1_200_000)
    assert [queue.put(large) for _ in range(3)] == [True, True, False]
    queue.done(queue.take(1))
    assert queue.put(large)


def test_drops_are_counted_in_the_figures(tmp_path: Path) -> None:
    with Store.open(StoreSettings(path=str(tmp_path / "w.db")), FakeClock(wall_s=START)) as store:
        pages = [make_ok(n, START, serial=n, body=bytes(6_000_000)) for n in range(2)]
        for step in range(40):
            store.add(pages[step % 2])
        assert store.flush_now(20.0)
        figures = store.stats()
        assert figures.dropped_total > 0
        assert figures.dropped_total + figures.measurements_total == 40


def test_an_idle_writer_uses_next_to_no_processor(tmp_path: Path) -> None:
    with Store.open(StoreSettings(path=str(tmp_path / "w.db")), FakeClock(wall_s=START)):
        assert measure_cpu_s(lambda: time.sleep(1.0)) < 0.05
