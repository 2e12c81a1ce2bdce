from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from probe.model.experiment import Pending
from probe.model.target import CheckName, Target
from probe.schedule import RunKind, Schedule

WALL_S = 1_700_000_000.0


def make_target(name: str, interval_s: float = 300.0) -> Target:
    return Target(id=name, check=CheckName.WEB, address=f"https://{name}", host=name, port=443, interval_s=interval_s)


def make_schedule(*targets: Target, boot_s: float = 1000.0, wall_s: float = WALL_S, seed: int = 7) -> Schedule:
    schedule = Schedule(seed=seed, wall_s=wall_s, boot_s=boot_s)
    schedule.replace(targets, boot_s)
    return schedule


def first_due(schedule: Schedule) -> float:
    due_s = schedule.next_due_s()
    assert due_s is not None
    return due_s


def run_regular(schedule: Schedule, name: str = "a") -> float:
    """Start and end the next run; return when it was due."""
    due_s = first_due(schedule)
    (run,) = schedule.due(due_s, 10)
    assert (run.target, run.kind) == (name, RunKind.REGULAR)
    schedule.done(name)
    return due_s


def pending(due_in_s: float) -> Pending:
    return Pending(due_in_s=due_in_s, question="who?", experiments=())


def test_nothing_is_due_in_an_empty_schedule():
    schedule = make_schedule()
    assert schedule.next_due_s() is None
    assert schedule.due(1e9, 10) == []


@given(st.text(min_size=1, max_size=20), st.integers(0, 2**64 - 1), st.floats(0, 1e6), st.floats(-1e6, 1e6))
def test_the_phase_on_the_wall_clock_is_the_same_after_a_restart(name, seed, boot_s, later_s):
    target = make_target(name)
    dues = []
    for boot, wall in ((1000.0, WALL_S), (boot_s, WALL_S + later_s)):
        due_s = first_due(make_schedule(target, boot_s=boot, wall_s=wall, seed=seed))
        assert boot <= due_s < boot + 300.001
        dues.append((due_s - boot + wall) % 300)
    apart = abs(dues[0] - dues[1])
    assert min(apart, 300 - apart) < 0.01


def test_targets_are_spread_evenly_over_their_interval():
    schedule = make_schedule(*(make_target(f"site-{n}.example") for n in range(30_000)))
    bins = Counter(int((run.due_s - 1000) // 3) for run in schedule.due(1300, 30_000))
    assert len(bins) == 100
    assert min(bins.values()) > 220
    assert max(bins.values()) < 380


def test_another_seed_gives_another_phase():
    assert first_due(make_schedule(make_target("a"), seed=1)) != first_due(make_schedule(make_target("a"), seed=2))


def test_the_next_run_is_due_one_interval_after_the_previous_was_however_late_it_started():
    schedule = make_schedule(make_target("a"))
    due_s = first_due(schedule)
    schedule.due(due_s + 120, 10)
    schedule.done("a")
    assert first_due(schedule) == pytest.approx(due_s + 300)


def test_slots_that_passed_are_counted_and_not_made_up_for():
    schedule = make_schedule(make_target("a"))
    due_s = first_due(schedule)
    assert len(schedule.due(due_s + 10 * 300 + 1, 10)) == 1
    schedule.done("a")
    assert schedule.stats().missed_runs_total == 10
    assert schedule.due(due_s + 10 * 300 + 2, 10) == []


def test_a_target_that_still_runs_misses_its_slot():
    schedule = make_schedule(make_target("a"))
    due_s = first_due(schedule)
    schedule.due(due_s, 10)
    assert schedule.due(due_s + 300, 10) == []
    assert schedule.stats().missed_runs_total == 1
    schedule.done("a")
    assert schedule.due(due_s + 301, 10) == []
    assert len(schedule.due(due_s + 600, 10)) == 1


def test_no_more_than_the_limit_is_started_and_the_rest_keeps_its_turn():
    schedule = make_schedule(*(make_target(f"t{n}") for n in range(50)))
    order = [run for _ in range(5) for run in schedule.due(1300, 10)]
    assert len({run.target for run in order}) == 50
    assert [run.due_s for run in order] == sorted(run.due_s for run in order)


def test_a_confirmation_runs_at_its_time_and_does_not_move_the_slots():
    schedule = make_schedule(make_target("a"))
    due_s = run_regular(schedule)
    schedule.follow_up("a", due_s + 45)
    (run,) = schedule.due(due_s + 45, 10)
    assert (run.kind, run.due_s) == (RunKind.CONFIRMATION, due_s + 45)
    schedule.done("a")
    assert first_due(schedule) == pytest.approx(due_s + 300)


def test_a_second_wish_for_a_confirmation_replaces_the_first_and_it_can_be_cancelled():
    schedule = make_schedule(make_target("a"))
    due_s = run_regular(schedule)
    schedule.follow_up("a", due_s + 45)
    schedule.follow_up("a", due_s + 90)
    assert schedule.due(due_s + 60, 10) == []
    schedule.cancel_follow_up("a")
    assert schedule.due(due_s + 200, 10) == []
    assert schedule.stats().waiting == 0


def test_an_extra_that_is_due_while_its_target_runs_waits_until_it_is_done():
    schedule = make_schedule(make_target("a"))
    due_s = first_due(schedule)
    schedule.due(due_s, 10)
    schedule.follow_up("a", due_s + 5)
    assert schedule.due(due_s + 6, 10) == []
    assert first_due(schedule) > due_s + 6, "it must not make the caller spin"
    schedule.done("a")
    assert [run.kind for run in schedule.due(due_s + 7, 10)] == [RunKind.CONFIRMATION]


def test_an_extra_that_waits_for_its_target_can_still_be_replaced_and_cancelled():
    schedule = make_schedule(make_target("a"))
    due_s = first_due(schedule)
    schedule.due(due_s, 10)
    schedule.follow_up("a", due_s + 5)
    schedule.due(due_s + 6, 10)
    schedule.follow_up("a", due_s + 50)
    schedule.done("a")
    assert schedule.due(due_s + 7, 10) == []
    assert len(schedule.due(due_s + 50, 10)) == 1


def test_pending_experiments_run_once_when_the_last_of_them_may():
    schedule = make_schedule(make_target("a"))
    due_s = run_regular(schedule)
    wishes = (pending(100), pending(200))
    schedule.defer("a", due_s, "measurement-1", wishes)
    assert schedule.due(due_s + 199, 10) == []
    (run,) = schedule.due(due_s + 200, 10)
    assert (run.kind, run.continues, run.pending) == (RunKind.PENDING, "measurement-1", wishes)


def test_a_run_whose_place_is_hot_again_is_put_back():
    schedule = make_schedule(make_target("a"))
    due_s = run_regular(schedule)
    schedule.defer("a", due_s, "m", (pending(200),))
    (run,) = schedule.due(due_s + 200, 10)
    schedule.postpone(run, due_s + 250)
    assert schedule.stats().running == 0
    (again,) = schedule.due(due_s + 250, 10)
    assert (again.continues, again.kind) == ("m", RunKind.PENDING)


def test_extras_of_unknown_targets_are_nothing():
    schedule = make_schedule(make_target("a"))
    schedule.follow_up("b", 1001)
    schedule.back_off("b")
    schedule.resume("b", 1001)
    schedule.done("b")
    assert schedule.stats().waiting == 0


def test_back_off_doubles_up_to_an_hour_and_the_first_success_cancels_it():
    schedule = make_schedule(make_target("a"))
    gaps = []
    due_s = run_regular(schedule)
    for _ in range(7):
        schedule.back_off("a")
        next_s = run_regular(schedule)
        gaps.append(round(next_s - due_s))
        due_s = next_s
    assert gaps == [600, 1200, 2400, 3600, 3600, 3600, 3600]
    assert schedule.effective_interval_s(make_target("a")) == 3600
    schedule.resume("a", due_s + 1)
    assert first_due(schedule) == pytest.approx(due_s + 300)


def test_back_off_keeps_the_phase_also_where_an_hour_is_no_multiple_of_the_interval():
    schedule = make_schedule(make_target("a", 420))
    phase = first_due(schedule) % 420
    for _ in range(8):
        due_s = run_regular(schedule)
        schedule.back_off("a")
        assert due_s % 420 == pytest.approx(phase)
        assert first_due(schedule) - due_s <= 3600
    schedule.resume("a", due_s + 100)
    assert first_due(schedule) == pytest.approx(due_s + 420)


def test_an_interval_above_an_hour_is_not_backed_off():
    schedule = make_schedule(make_target("a", 7200))
    due_s = run_regular(schedule)
    schedule.back_off("a")
    assert first_due(schedule) == pytest.approx(due_s + 7200)


def test_stretch_lengthens_every_interval_and_keeps_the_spread():
    schedule = make_schedule(*(make_target(f"t{n}") for n in range(1000)))
    schedule.set_stretch(3.0, 1000)
    bins = Counter(int((run.due_s - 1000) // 100) for run in schedule.due(1900, 5000))
    assert sum(bins.values()) == 1000
    assert min(bins[n] for n in range(9)) > 70
    assert schedule.effective_interval_s(make_target("t1")) == 900
    schedule.set_stretch(0.5, 1000)
    assert schedule.stats().stretch_ratio == 1


def test_a_reload_keeps_the_phase_and_the_back_off_of_whoever_stays():
    targets = [make_target(f"t{n}") for n in range(20)]
    schedule = make_schedule(*targets)
    schedule.back_off("t3")
    before = {run.target: run.due_s for run in make_schedule(*targets).due(1300, 100)}
    change = schedule.replace([*targets[:10], make_target("t10", 60), make_target("new")], 1000.5)
    assert change.added == ("new",)
    assert change.changed == ("t10",)
    assert set(change.removed) == {f"t{n}" for n in range(11, 20)}
    after = {run.target: run.due_s for run in schedule.due(1300.5, 100)}
    assert all(after[f"t{n}"] == before[f"t{n}"] for n in range(10) if n != 3 and before[f"t{n}"] > 1000.5)
    assert "t3" not in after
    assert "new" in after
    assert not set(after) & set(change.removed)


def test_a_removed_target_takes_its_extras_along_and_its_running_run_may_end():
    schedule = make_schedule(make_target("a"))
    due_s = first_due(schedule)
    schedule.due(due_s, 1)
    schedule.follow_up("a", due_s + 40)
    schedule.replace([], due_s + 1)
    assert schedule.next_due_s() is None
    schedule.replace([make_target("a")], due_s + 2)
    assert schedule.due(due_s + 302, 10) == [], "its old run has not ended"
    schedule.done("a")
    assert len(schedule.due(due_s + 700, 10)) == 1


def test_a_step_of_the_wall_clock_is_told_and_moves_nothing():
    schedule = make_schedule(make_target("a"))
    due_s = first_due(schedule)
    assert schedule.anchor(WALL_S + 11.5, 1010.0) == 0
    assert schedule.anchor(WALL_S + 3610 + 1.5, 1010.0) == pytest.approx(3600)
    assert schedule.anchor(WALL_S + 3611 + 1.5, 1011.0) == 0
    assert first_due(schedule) == due_s


class ScheduleMachine(RuleBasedStateMachine):
    """Whatever is done to it: one run of a target at a time, no slot twice, and nobody is forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0
        self.schedule = Schedule(seed=3, wall_s=WALL_S, boot_s=self.now_s)
        self.running: set[str] = set()
        self.known: dict[str, float] = {}
        self.slots: dict[str, float] = {}

    names = st.sampled_from([f"t{n}" for n in range(6)])

    @rule(chosen=st.dictionaries(names, st.sampled_from([30.0, 300.0, 420.0])))
    def reload(self, chosen):
        self.schedule.replace([make_target(name, interval_s) for name, interval_s in chosen.items()], self.now_s)
        self.slots = {name: due_s for name, due_s in self.slots.items() if self.known.get(name) == chosen.get(name)}
        self.known = chosen

    @rule(seconds=st.floats(0.001, 2000), limit=st.integers(0, 8))
    def start(self, seconds, limit):
        self.now_s += seconds
        for run in self.schedule.due(self.now_s, limit):
            assert run.target not in self.running
            assert run.target in self.known
            assert run.due_s <= self.now_s
            self.running.add(run.target)
            if run.kind is RunKind.REGULAR:
                last_s = self.slots.get(run.target)
                assert last_s is None or run.due_s > last_s
                self.slots[run.target] = run.due_s

    @rule(name=names)
    def end(self, name):
        self.running.discard(name)
        self.schedule.done(name)

    @rule(name=names, seconds=st.floats(0, 300))
    def follow_up(self, name, seconds):
        self.schedule.follow_up(name, self.now_s + seconds)

    @rule(name=names)
    def cancel(self, name):
        self.schedule.cancel_follow_up(name)

    @rule(name=names)
    def defer(self, name):
        self.schedule.defer(name, self.now_s, "m", (pending(200),))

    @rule(name=names)
    def back_off(self, name):
        self.schedule.back_off(name)

    @rule(name=names)
    def resume(self, name):
        self.schedule.resume(name, self.now_s)

    @rule(ratio=st.sampled_from([1.0, 1.5, 4.0]))
    def stretch(self, ratio):
        self.schedule.set_stretch(ratio, self.now_s)

    @invariant()
    def counts_agree(self):
        stats = self.schedule.stats()
        assert stats.targets == len(self.known)
        assert stats.running == len(self.running)
        assert (self.schedule.next_due_s() is None) == (not self.known)

    def teardown(self):
        for name in list(self.running):
            self.end(name)
        later_s = self.now_s + 4 * 3600 + 1
        started = {run.target for _ in range(3) for run in self.schedule.due(later_s, 100)}
        assert started == set(self.known)
        for name in started:
            self.schedule.done(name)
        for run in self.schedule.due(later_s, 100):
            self.schedule.done(run.target)
        self.schedule.due(later_s, 100)
        assert self.schedule.stats().waiting == 0


ScheduleMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestScheduleMachine = ScheduleMachine.TestCase
