"""What goes by age and by size, and what stays."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from probe.model.settings import StoreSettings
from probe.store.jobs import AddBaseline, AddRun
from probe.store.place import make_place
from probe.store.reader import Reader
from probe.store.recorder import Recorder
from probe.store.retention import Trimmer
from probe.store.schema import connect, prepare
from probe.store.values import Kept
from tests.fakes import FakeClock
from tests.unit.store.population import DAY_S, Population
from tests.unit.store.samples import START, make_blocked, make_episode, make_event, make_ok
from tests.unit.store.test_store import make_baseline
from tests.yardstick import measure_cpu_s

KEEP_S = 90 * DAY_S


class Desk:
    """Recorder, trimmer and reader on one file, driven by hand."""

    def __init__(self, path: Path, *, keep_s: float = KEEP_S, max_size_bytes: int = 1 << 40) -> None:
        make_place(path)
        self.path = path
        self.clock = FakeClock(wall_s=START)
        self.connection = connect(str(path))
        prepare(self.connection, str(path))
        self.recorder = Recorder(self.connection, self.clock)
        settings = StoreSettings(keep_s=keep_s, max_size_bytes=max_size_bytes)
        self.trimmer = Trimmer(self.connection, settings, self.clock, self.recorder.vault.forget)
        self.reader = Reader(connect(str(path), read_only=True), str(path))

    def write(self, *jobs: AddRun | AddBaseline) -> None:
        self.connection.execute("BEGIN")
        for job in jobs:
            self.recorder.apply(job)
        self.recorder.before_commit()
        self.connection.execute("COMMIT")
        self.recorder.committed()

    def trim(self, rounds: int = 1) -> None:
        """Run whole age rounds, a quarter of an hour apart."""
        for _ in range(rounds):
            self.clock.advance(901.0)
            while self.trimmer.step():
                pass

    def count(self, table: str) -> int:
        return int(self.connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    def close(self) -> None:
        self.reader.close()
        self.connection.close()


@pytest.fixture
def open_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    opened: list[Desk] = []

    def open_(**settings: float) -> Desk:
        opened.append(Desk(tmp_path / f"{len(opened)}.db", **settings))
        return opened[-1]

    yield open_
    for desk in opened:
        desk.close()


def test_what_is_older_than_the_limit_goes_with_all_that_belongs_to_it(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(keep_s=DAY_S)
    for number in range(5):
        bad = make_blocked(number, START + 1 + number)
        desk.write(AddRun(measurement=make_ok(number, START), whole=True), AddRun(measurement=bad))
    desk.write(AddBaseline(baseline=make_baseline(START)))
    desk.trim()
    assert desk.count("observations") == 10
    desk.clock.advance(2 * DAY_S)
    desk.write(AddRun(measurement=make_blocked(1, desk.clock.wall_s())))
    desk.clock.advance(4 * DAY_S)
    desk.trim(8)
    assert [desk.count(table) for table in ("observations", "bodies", "runs", "segments", "baselines")] == [0] * 5
    desk.write(AddRun(measurement=make_ok(2, desk.clock.wall_s()), whole=True))
    assert desk.reader.load_stored()[0].kept is Kept.AFTER


def test_an_open_episode_keeps_its_events_and_their_evidence_for_ever(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(keep_s=DAY_S)
    cited = make_blocked(1, START)
    onset = make_blocked(1, START + 300, cites=(cited,))
    other = make_blocked(1, START + 600, serial=77)
    desk.write(
        AddRun(measurement=cited),
        AddRun(measurement=onset, episode=make_episode(onset), events=(make_event(onset),)),
        AddRun(measurement=other),
    )
    desk.clock.advance(50 * DAY_S)
    desk.trim(4)
    assert {line.id for line in desk.reader.load_stored()} == {cited.id, onset.id}
    assert desk.reader.load_measurement(onset.id) == onset
    assert desk.reader.load_measurement(cited.id) == cited
    assert len(desk.reader.load_events()) == 1
    recovered = make_ok(1, desk.clock.wall_s())
    desk.write(AddRun(measurement=recovered, episode=make_episode(recovered)))
    desk.clock.advance(50 * DAY_S)
    desk.trim(8)
    assert desk.count("events") == desk.count("observations") == 0
    assert [episode.status.value for episode in desk.reader.load_episodes().values()] == ["ok"]


def test_a_wrong_clock_takes_a_day_at_most_per_round(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    for day in range(40):
        desk.write(AddRun(measurement=make_blocked(1, START + day * DAY_S, experiments=0)))
    desk.clock.advance(40 * DAY_S)
    desk.trim()
    assert desk.count("observations") == 40
    desk.clock.step_wall(20 * 365 * DAY_S)
    desk.trim()
    assert desk.count("observations") == 40
    desk.trim()
    assert desk.count("observations") == 39
    desk.clock.step_wall(-20 * 365 * DAY_S)
    desk.trim(3)
    assert desk.count("observations") == 39


def test_a_run_stamped_in_the_far_future_does_not_keep_the_others_from_going(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(keep_s=DAY_S)
    desk.write(AddRun(measurement=make_blocked(1, START + 50 * 365 * DAY_S)))
    desk.write(AddRun(measurement=make_blocked(2, START)))
    desk.clock.advance(10 * DAY_S)
    desk.trim(3)
    assert [line.target for line in desk.reader.load_stored()] == [make_blocked(1, START).target.id]


def test_the_file_shrinks_below_its_limit_and_what_events_rest_on_stays(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(max_size_bytes=1_200_000)
    rested_on = set()
    for day in range(3):
        for job in Population().run_day(day):
            desk.write(job)
            if job.events:
                rested_on.add(job.measurement.id)
        desk.clock.advance(DAY_S)
    before = desk.trimmer.used_bytes()
    events, episodes = desk.count("events"), desk.count("episodes")
    assert before > 1_300_000
    desk.trim()
    for _ in range(20):
        desk.trim()
    assert desk.trimmer.used_bytes() <= 1_200_000
    desk.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert desk.path.stat().st_size <= 1_200_000 + (512 + 256) * 4096
    assert (desk.count("events"), desk.count("episodes")) == (events, episodes)
    assert rested_on
    for measurement_id in rested_on:
        assert desk.reader.load_measurement(measurement_id) is not None
    assert all(desk.reader.iterate_measurements())
    assert desk.connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_under_pressure_pages_of_samples_go_first_and_figures_last(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(max_size_bytes=1_100_000)
    for step in range(150):
        sample = make_ok(step, START + step, serial=step)
        desk.write(AddRun(measurement=sample, whole=True))
    desk.write(AddRun(measurement=make_blocked(500, START)))
    desk.trim(6)
    assert desk.count("bodies") == 0
    assert desk.count("segments") == 150
    assert desk.reader.load_stored(target=make_blocked(500, START).target.id)


def test_a_limit_that_cannot_be_held_ends_with_what_must_stay(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(max_size_bytes=1)
    bad = make_blocked(1, START)
    desk.write(AddRun(measurement=bad, events=(make_event(bad),)), AddRun(measurement=make_ok(2, START), whole=True))
    desk.trim(3)
    assert [line.id for line in desk.reader.load_stored()] == [bad.id]
    assert desk.count("runs") == desk.count("segments") == 0


def test_writing_goes_on_after_frames_and_certificates_were_deleted(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk(keep_s=DAY_S)
    desk.write(AddRun(measurement=make_ok(1, START), whole=True))
    desk.clock.advance(30 * DAY_S)
    desk.write(AddRun(measurement=make_blocked(2, desk.clock.wall_s())))
    desk.trim(4)
    assert desk.connection.execute("SELECT count(*) FROM frames WHERE kind = 'ok'").fetchone() == (0,)
    again = make_ok(1, desk.clock.wall_s())
    desk.write(AddRun(measurement=again, whole=True))
    assert desk.reader.load_measurement(again.id) == again


@pytest.mark.slow
def test_ninety_days_of_a_thousand_targets_fit_into_two_gigabytes(open_desk: Callable[..., Desk]) -> None:
    """Growth per target and day once the first frames are there, over a population with blocked and failing targets."""
    desk, population = open_desk(), Population()
    sizes = []
    for day in range(3):
        desk.write(*population.run_day(day))
        desk.clock.advance(DAY_S)
        sizes.append(desk.trimmer.used_bytes())
    per_target_day = (sizes[2] - sizes[0]) / 2 / population.targets
    fixed_per_target = sizes[0] / population.targets
    total = 1000 * (90 * per_target_day + fixed_per_target)
    print(f"{per_target_day:.0f} bytes per target and day, {total / 1e9:.2f} GB in all")
    assert total < 2e9


@pytest.mark.slow
def test_a_hundred_thousand_episodes_load_within_two_seconds(open_desk: Callable[..., Desk]) -> None:
    desk = open_desk()
    bad = make_blocked(1, START, experiments=0)
    connection: sqlite3.Connection = desk.connection
    data = msgspec.msgpack.encode(make_episode(bad))
    with connection:
        connection.execute("BEGIN")
        connection.executemany(
            "INSERT INTO targets VALUES (?,?,?)", ((n, f"t{n}", f"https://{n}/") for n in range(100_000))
        )
        connection.executemany(
            "INSERT INTO episodes (target_no, first_ms, data) VALUES (?,?,?)", ((n, n, data) for n in range(100_000))
        )
    assert len(desk.reader.load_episodes()) == 100_000
    took_s = measure_cpu_s(desk.reader.load_episodes)
    print(f"{took_s:.2f} s")
    assert took_s < 2.0
