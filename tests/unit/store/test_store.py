"""The store as other rooms use it."""

import stat
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from probe.model.episode import Event, EventKind
from probe.model.errors import UserError
from probe.model.failure import FailureCode
from probe.model.measurement import Measurement
from probe.model.settings import StoreSettings
from probe.model.vantage import Baseline, LocalFinding, VantageState
from probe.model.verdict import Confidence, Status
from probe.store.errors import StoreLockedError
from probe.store.recorder import is_sample
from probe.store.store import Store
from probe.store.values import Kept
from tests.fakes import FakeClock
from tests.unit.store.samples import (
    START,
    make_blocked,
    make_episode,
    make_event,
    make_ok,
    make_target,
    with_serial,
)


@pytest.fixture
def settings(tmp_path: Path) -> StoreSettings:
    return StoreSettings(path=str(tmp_path / "state" / "wallprobe.db"))


@pytest.fixture
def store(settings: StoreSettings) -> Iterator[Store]:
    with Store.open(settings, FakeClock(wall_s=START)) as opened:
        yield opened


def ordinary(number: int, at: float) -> Measurement:
    """Return an ok run that is no sample."""
    serial = next(n for n in range(1000) if not is_sample(make_ok(number, at, serial=n, body=b"x").id))
    return make_ok(number, at, serial=serial)


async def test_the_folder_and_the_file_are_the_users_alone(settings: StoreSettings, store: Store) -> None:
    assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.path.with_name("wallprobe.db-lock").stat().st_mode) == 0o600


async def test_a_failing_run_and_the_ok_runs_around_it_come_back_whole(store: Store) -> None:
    before, bad, after = ordinary(1, START), make_blocked(1, START + 300), ordinary(1, START + 600)
    for measurement in (before, bad, after):
        store.add(measurement)
    assert await store.flush()
    for measurement in (before, bad, after):
        assert store.load_measurement(measurement.id) == measurement
    assert [line.kept for line in store.load_stored()] == [Kept.AFTER, Kept.FAILING, Kept.BEFORE]


async def test_unbroken_ok_runs_are_folded_by_the_hour(store: Store) -> None:
    hour = START - START % 3600
    runs = [with_serial(ordinary(1, START), hour + step * 300, step) for step in range(24)]
    for measurement in runs:
        store.add(measurement)
    await store.flush()
    target = runs[0].target.id
    folded = store.load_runs(target, hour, hour + 7200)
    assert [(run.first_at, run.last_at, run.runs) for run in folded] == [
        (hour + 3600, hour + 6900, 12),
        (hour, hour + 3300, 12),
    ]
    assert folded[0].durations.mean_s == pytest.approx(runs[0].runtime_s, abs=1e-5)
    phases = {phase.name: phase for phase in folded[0].phases}
    assert set(phases) == {"resolve", "connect", "tls", "first_byte", "transfer"}
    assert phases["connect"].runs == 12
    assert phases["connect"].durations.min_s == phases["connect"].durations.max_s


async def test_a_failure_breaks_the_row(store: Store) -> None:
    hour = START - START % 3600
    for step in range(6):
        make = make_blocked if step == 2 else make_ok
        store.add(make(1, hour + step * 300, serial=step))
    await store.flush()
    rows = store.load_runs(make_target(1).id, hour, hour + 3600)
    assert [(row.status, row.runs) for row in rows] == [(Status.OK, 3), (Status.LIKELY_BLOCKED, 1), (Status.OK, 2)]
    assert rows[1].measurement == make_blocked(1, hour + 600, serial=2).id
    assert rows[1].confidence is Confidence.C2


async def test_a_sample_of_ok_runs_is_kept_whole(store: Store) -> None:
    runs = [with_serial(make_ok(1, START, body=b"page"), START + n, n) for n in range(1000)]
    for measurement in runs:
        store.add(measurement)
    await store.flush()
    kept = {line.id for line in store.load_stored(limit=1000)}
    assert kept == {measurement.id for measurement in runs if is_sample(measurement.id)}
    assert 2 <= len(kept) <= 25


async def test_what_a_person_asked_for_is_kept_whole(store: Store) -> None:
    asked = ordinary(1, START)
    store.add(asked, whole=True)
    await store.flush()
    assert store.load_measurement(asked.id) == asked


async def test_an_id_may_be_shortened_while_it_is_unambiguous(store: Store) -> None:
    bad, twin = make_blocked(1, START), make_blocked(2, START + 1)
    store.add(bad)
    store.add(twin)
    await store.flush()
    assert store.load_measurement(bad.id[:16]) == bad
    assert store.load_measurement(bad.id[:16].lower()) == bad
    assert store.load_measurement(bad.id[:5]) is None
    assert store.load_measurement("ZZZZZZZZ") is None
    with pytest.raises(UserError, match="several"):
        store.load_measurement(bad.id[:6])


async def test_history_has_episodes_and_events_newest_first(store: Store) -> None:
    healthy, bad, again = make_ok(1, START), make_blocked(1, START + 300), make_ok(1, START + 900)
    store.add(healthy, episode=make_episode(healthy))
    store.add(bad, episode=make_episode(bad), events=(make_event(bad),))
    store.add(again, episode=make_episode(again), events=(make_event(again, EventKind.ENDED),))
    await store.flush()
    history = store.load_history(healthy.target.id)
    assert history is not None
    assert [episode.status for episode in history.episodes] == [Status.OK, Status.LIKELY_BLOCKED, Status.OK]
    assert [event.kind for event in history.events] == [EventKind.ENDED, EventKind.ONSET]
    assert history.episodes[0].ended is None
    assert history.episodes[1].ended == history.episodes[0].since
    assert history.episodes[2].ended == history.episodes[1].since
    assert (
        store.load_history(healthy.target.id, since=START + 1000, until=START + 2000).episodes == history.episodes[:1]
    )
    assert store.load_history("never-seen") is None


async def test_the_open_episodes_come_back_after_a_restart_with_the_time_of_the_last_run(
    settings: StoreSettings,
) -> None:
    clock = FakeClock(wall_s=START)
    first, last = make_blocked(1, START), make_blocked(1, START + 300)
    with Store.open(settings, clock) as store:
        store.add(first, episode=make_episode(first))
        store.add(last, episode=make_episode(first))
    with Store.open(settings, clock) as store:
        episode = store.load_episodes()[first.target.id]
    assert episode.since.first_in == START
    assert episode.last_run_at == pytest.approx(START + 300 + last.runtime_s, abs=0.001)


async def test_the_counters_go_on_after_a_restart(settings: StoreSettings) -> None:
    clock = FakeClock(wall_s=START)
    for round_ in range(2):
        with Store.open(settings, clock) as store:
            for step in range(3):
                make = make_blocked if step == 1 else make_ok
                store.add(make(1, START + round_ * 3600 + step * 300))
    with Store.open(settings, clock, read_only=True) as store:
        tally = store.load_tallies()[make_target(1).id]
    assert (tally.runs_total, tally.failures_total) == (6, 2)
    assert tally.failures == {FailureCode.CONNECTION_RESET: 2}
    assert tally.failed_measurement == make_blocked(1, START + 3900).id
    assert tally.status is Status.OK
    assert tally.last_ok_at == tally.last_run_at > START + 3600 + 600


async def test_the_ok_run_before_a_change_survives_a_restart_without_its_page(settings: StoreSettings) -> None:
    clock = FakeClock(wall_s=START)
    healthy, bad = ordinary(1, START), make_blocked(1, START + 300)
    with Store.open(settings, clock) as store:
        store.add(healthy)
    with Store.open(settings, clock) as store:
        store.add(bad)
        await store.flush()
        found = store.load_measurement(healthy.id)
    page = healthy.observations[3]
    assert found.observations[3] == msgspec.structs.replace(page, body=b"")
    assert found.observations[:3] == healthy.observations[:3]


async def test_an_interrupted_run_is_kept_and_not_counted(store: Store) -> None:
    broken_off = msgspec.structs.replace(make_blocked(1, START), interrupted=True)
    store.add(broken_off)
    await store.flush()
    assert store.load_measurement(broken_off.id) == broken_off
    assert store.load_tallies() == {}


async def test_what_goes_on_with_a_run_is_the_later_word_on_it_and_no_second_run(store: Store) -> None:
    begun = make_blocked(1, START)
    later = msgspec.structs.replace(make_blocked(1, START + 30, serial=9), continues=begun.id, observations=())
    store.add(begun)
    store.add(later)
    await store.flush()
    tally = store.load_tallies()[make_target(1).id]
    assert (tally.runs_total, tally.failures_total, tally.failures) == (1, 1, {FailureCode.CONNECTION_RESET: 1})
    assert tally.last_failure is FailureCode.CONNECTION_RESET
    assert tally.measurement == tally.failed_measurement == later.id


async def test_the_same_measurement_twice_is_stored_once(store: Store) -> None:
    bad = make_blocked(1, START)
    store.add(bad)
    store.add(bad)
    await store.flush()
    assert len(store.load_stored()) == 1
    assert store.stats().dropped_total == 0


async def test_any_text_can_be_a_target(store: Store) -> None:
    for number, name in enumerate(("δοκιμή", "例え.テスト", "a'b\"c;--", "%_\\", "🙂" * 50, "")):
        bad = make_blocked(number, START)
        odd = msgspec.structs.replace(bad, target=make_target(number, id=name, address=name))
        store.add(odd, episode=make_episode(odd), events=(make_event(odd),))
    await store.flush()
    assert set(store.load_tallies()) == {"δοκιμή", "例え.テスト", "a'b\"c;--", "%_\\", "🙂" * 50, ""}
    assert store.find_targets("%_\\") == ("%_\\",)
    assert store.find_targets("例え") == ("例え.テスト",)
    assert len(store.load_events(target="🙂" * 50)) == 1


async def test_a_run_that_no_database_takes_is_counted_and_the_others_are_stored(store: Store) -> None:
    bad = make_blocked(1, START)
    sick = msgspec.structs.replace(make_blocked(2, START), target=make_target(2, address="\udc80"))
    store.add(sick)
    store.add(bad)
    store.add(sick)
    await store.flush()
    assert store.load_measurement(bad.id) == bad
    assert store.stats().dropped_total == 2
    assert store.stats().measurements_total == 1


async def test_the_clock_may_jump_both_ways(store: Store) -> None:
    day = 86400.0
    for step, offset in enumerate((0, 300, 10 * 365 * day, 10 * 365 * day + 300, -30 * day, -30 * day + 300, 600)):
        store.add(make_ok(1, START + offset, serial=step))
    await store.flush()
    rows = store.load_runs(make_target(1).id, 0, START + 20 * 365 * day)
    assert sum(row.runs for row in rows) == 7
    assert [row.first_at for row in rows] == sorted((row.first_at for row in rows), reverse=True)
    assert all(row.first_at <= row.last_at for row in rows)


async def test_a_clock_that_jumps_back_within_a_batch_loses_no_run(store: Store) -> None:
    hour = START - START % 3600
    for step, offset in enumerate((0, 3600, 10, 3610, 20, -3600, 30)):
        store.add(make_ok(1, hour + offset, serial=step))
    await store.flush()
    rows = store.load_runs(make_target(1).id, 0, START + 7200)
    assert [row.runs for row in rows] == [2, 4, 1]


async def test_reclassifying_changes_the_verdict_and_nothing_else(store: Store) -> None:
    bad = make_blocked(1, START)
    store.add(bad)
    await store.flush()
    verdict = msgspec.structs.replace(bad.verdict, status=Status.IMPAIRED, rules_version=99, patterns=())
    for measurement in store.iterate_measurements():
        store.replace_verdict(measurement.id, verdict)
    store.replace_verdict("NOSUCHMEASUREMENT", verdict)
    await store.flush()
    assert store.load_measurement(bad.id) == msgspec.structs.replace(bad, verdict=verdict)
    assert [run.status for run in store.load_runs(bad.target.id, START - 1, START + 1)] == [Status.IMPAIRED]
    assert [line.status for line in store.load_stored(status=Status.IMPAIRED)] == [Status.IMPAIRED]


async def test_only_whole_measurements_are_offered_for_judging_again(settings: StoreSettings) -> None:
    clock = FakeClock(wall_s=START)
    with Store.open(settings, clock) as store:
        store.add(ordinary(1, START))
    with Store.open(settings, clock) as store:
        for step in range(150):
            store.add(make_blocked(1, START + 300 + step, experiments=0, serial=step))
        await store.flush()
        assert len(store.load_stored(limit=1000)) == 151
        found = list(store.iterate_measurements())
        assert len(found) == 150
        assert len(list(store.iterate_measurements(since=START + 400))) == 50


async def test_events_of_the_vantage_need_no_target(store: Store) -> None:
    store.add_events(
        Event(kind=EventKind.CLOCK_STEP, at=START + 5, text="12 s forward"),
        Event(kind=EventKind.VANTAGE, at=START + 9, text="offline"),
    )
    await store.flush()
    assert [event.text for event in store.load_events()] == ["offline", "12 s forward"]
    assert [event.text for event in store.load_events(since=START + 6, limit=5)] == ["offline"]
    assert store.load_events(target="") == ()


def make_baseline(at: float, **fields: object) -> Baseline:
    given = {"quick": False, "started_boot_s": 1.0, "runtime_s": 0.5, "state": VantageState.ONLINE} | fields
    return Baseline(id=f"B{at}", started_at=at, **given)


async def test_of_the_baselines_what_is_new_is_kept_and_one_an_hour(store: Store) -> None:
    for minute in range(90):
        store.add_baseline(make_baseline(START + minute * 60))
    store.add_baseline(make_baseline(START + 90 * 60, state=VantageState.OFFLINE))
    store.add_baseline(make_baseline(START + 91 * 60, findings=(LocalFinding.FAKE_IP,)))
    await store.flush()
    found = store.load_baselines()
    assert [round((baseline.started_at - START) / 60) for baseline in found] == [91, 90, 60, 0]
    assert found[0] == make_baseline(START + 91 * 60, findings=(LocalFinding.FAKE_IP,))


def test_a_second_writer_is_told_so_at_once(settings: StoreSettings, store: Store) -> None:
    with pytest.raises(StoreLockedError, match="another Wallprobe process writes"):
        Store.open(settings, FakeClock())


async def test_readers_may_be_many_while_one_writes(settings: StoreSettings, store: Store) -> None:
    bad = make_blocked(1, START)
    with (
        Store.open(settings, FakeClock(), read_only=True) as one,
        Store.open(settings, FakeClock(), read_only=True) as two,
    ):
        store.add(bad)
        await store.flush()
        assert one.load_measurement(bad.id) == bad == two.load_measurement(bad.id)
        with pytest.raises(RuntimeError):
            one.add(bad)


def test_the_next_writer_may_come_when_the_first_has_gone(settings: StoreSettings) -> None:
    for _ in range(3):
        store = Store.open(settings, FakeClock())
        assert store.close()
        assert store.close()


def test_reading_what_is_not_there_is_the_users_mistake(settings: StoreSettings) -> None:
    with pytest.raises(UserError, match="no database yet"):
        Store.open(settings, FakeClock(), read_only=True)


async def test_the_figures_tell_what_was_committed(store: Store) -> None:
    assert store.stats().last_commit_at == 0.0
    store.add(make_blocked(1, START))
    await store.flush()
    figures = store.stats()
    assert figures.measurements_total == 1
    assert figures.queued == figures.dropped_total == figures.commit_failures_total == 0
    assert figures.size_bytes > 4096
    assert figures.last_commit_at == START


async def test_targets_are_found_by_id_address_or_a_part_of_them(store: Store) -> None:
    store.add(make_blocked(1, START))
    store.add(make_blocked(12, START))
    await store.flush()
    assert store.find_targets("https://www.example1.org") == (make_target(1).id,)
    assert store.find_targets(make_target(12).id) == (make_target(12).id,)
    assert store.find_targets("example1") == (make_target(1).id, make_target(12).id)
    assert store.find_targets("nothing") == ()


def test_a_store_whose_thread_has_ended_says_that_it_does_not_work(tmp_path: Path) -> None:
    with Store.open(StoreSettings(path=str(tmp_path / "w.db")), FakeClock(wall_s=START)) as store:
        assert store.works
        assert store._writer is not None
        store._writer.stop(5.0)
        assert not store.works
