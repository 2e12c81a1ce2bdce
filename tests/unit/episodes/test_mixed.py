"""A share of failing runs: an episode of its own, found by its own test, and it does not flap."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.episodes import failing_share, fold
from probe.episodes.share import THRESHOLD, mixed_score, row_of_failures, row_that_settles
from probe.model.episode import EpisodeState, EventKind, RunOutcome
from probe.model.pattern import Pattern
from probe.model.verdict import Status

INTERVAL_S = 300.0
T0 = 1_700_000_000.0


def fold_text(text: str, state: EpisodeState | None = None, *, start: int = 0):
    """Fold runs five minutes apart: F failed, d degraded, . good. Return the state and what was told."""
    events = []
    for number, letter in enumerate(text, start):
        status = {"F": Status.BLOCKED, "d": Status.DEGRADED, ".": Status.OK}[letter]
        patterns = () if status is Status.OK else (Pattern.TLS_TIMEOUT_SNI,)
        run = RunOutcome(target="a", at=T0 + number * INTERVAL_S, status=status, patterns=patterns)
        after = fold(state, run, INTERVAL_S)
        state = after.state
        events += [(event.kind, event.after) for event in after.events]
    assert state is not None
    return state, events


def simulate(share: float, runs: int, seed: int) -> tuple[Counter[tuple[EventKind, Status]], Counter[Status]]:
    """Run on the interval, with the confirmations that are asked for; each run fails with this probability."""
    dice = random.Random(seed)
    told: Counter[tuple[EventKind, Status]] = Counter()
    spent: Counter[Status] = Counter()
    state, slot, extra = None, T0, None
    for _ in range(runs):
        if extra is not None and extra <= slot:
            at = extra
        else:
            at = slot
            slot += INTERVAL_S
        status = Status.BLOCKED if dice.random() < share else Status.OK
        after = fold(state, RunOutcome(target="a", at=at, status=status), INTERVAL_S)
        state = after.state
        extra = None if after.confirmation is None else at + after.confirmation.after_s
        told.update((event.kind, event.after) for event in after.events if event.after is not None)
        if state.episode is not None:
            spent[state.episode.status] += 1
    return told, spent


def test_scattered_failures_become_a_degraded_episode_without_two_in_a_row():
    state, events = fold_text("..........F..F..F..F")
    assert events == [(EventKind.ONSET, Status.DEGRADED)]
    assert state.mixed
    assert state.episode is not None
    assert state.episode.since.first_in == T0 + 10 * INTERVAL_S, "since the failures began to gather"
    assert state.episode.patterns == (Pattern.TLS_TIMEOUT_SNI,)


def test_a_plain_block_and_a_plain_recovery_are_not_taken_for_a_share():
    state, events = fold_text("....FFFFFFFFFFFF....")
    assert events == [(EventKind.ONSET, Status.BLOCKED), (EventKind.ENDED, Status.OK)]
    assert not state.mixed


@pytest.mark.parametrize("text", ["..FF..", "....FF..", "....FFFFFF......FFFFFF......FFFFFF......", "FF.."])
def test_episodes_however_short_and_however_often_end_when_two_good_runs_say_so(text):
    state, events = fold_text(text)
    assert not state.mixed
    assert set(events) == {(EventKind.ONSET, Status.BLOCKED), (EventKind.ENDED, Status.OK)}


def test_a_mixed_episode_ends_after_a_long_row_of_good_runs():
    state, _ = fold_text("..........F..F..F..F")
    state, events = fold_text("." * 18, state, start=20)
    assert not events
    state, events = fold_text("..", state, start=38)
    assert events == [(EventKind.ENDED, Status.OK)]
    assert state.episode is not None
    assert state.episode.since.last_before == T0 + 19 * INTERVAL_S


def test_a_mixed_episode_becomes_a_block_when_the_share_no_longer_explains_the_row():
    state, _ = fold_text("....................F..F..F..F")
    state, events = fold_text("FFFFFFFFF", state, start=30)
    assert events == [(EventKind.ENDED, Status.BLOCKED), (EventKind.ONSET, Status.BLOCKED)]
    assert not state.mixed


def test_a_bad_target_that_works_now_and_then_is_degraded():
    state, events = fold_text("....FFFFFFFF.F.F.F.F")
    assert events[-1] == (EventKind.ONSET, Status.DEGRADED)
    assert state.mixed


def test_a_mixed_episode_whose_every_run_is_degraded_becomes_an_ordinary_one():
    state, _ = fold_text("..........F..F..F..F")
    state, events = fold_text("d" * 16, state, start=20)
    assert not events
    assert not state.mixed
    _, events = fold_text("..", state, start=36)
    assert events == [(EventKind.ENDED, Status.OK)]


@pytest.mark.parametrize("seed", range(6))
def test_a_quarter_of_failing_runs_is_degraded_nearly_all_the_time_and_does_not_flap(seed):
    told, spent = simulate(0.26, 1000, seed)
    assert spent[Status.DEGRADED] / sum(spent.values()) > 0.85
    assert sum(count for (kind, _), count in told.items() if kind is EventKind.ONSET) <= 12


def test_every_share_in_the_middle_is_mostly_degraded():
    for share in (0.26, 0.4, 0.5, 0.6, 0.74):
        total: Counter[Status] = Counter()
        onsets = 0
        for seed in range(10):
            told, spent = simulate(share, 500, seed)
            total.update(spent)
            onsets += sum(count for (kind, _), count in told.items() if kind is EventKind.ONSET)
        assert total[Status.DEGRADED] / total.total() > 0.8
        assert onsets / 10 < 8


def test_rare_loss_is_hardly_ever_an_episode():
    onsets = 0
    for seed in range(20):
        told, _ = simulate(0.01, 1000, seed)
        onsets += sum(count for (kind, _), count in told.items() if kind is EventKind.ONSET)
    assert onsets <= 10


def test_all_and_nothing_are_one_episode_each():
    assert not simulate(0.0, 500, 1)[0]
    assert simulate(1.0, 500, 1)[0] == {(EventKind.ONSET, Status.BLOCKED): 1}


@given(st.integers(0, 2**32 - 1))
def test_the_row_of_failures_is_the_number_of_trailing_ones(recent):
    text = f"0{recent:b}"
    assert row_of_failures(recent) == len(text) - len(text.rstrip("1"))


@given(st.integers(0, 2**32 - 1))
def test_scores_are_never_negative_and_need_three_failures(recent):
    score = mixed_score(recent, 32)
    assert score >= 0
    assert score < THRESHOLD or recent.bit_count() >= 3


@given(st.integers(0, 2**32 - 1), st.integers(1, 32))
def test_a_row_that_settles_is_between_its_bounds(recent, runs):
    assert 4 <= row_that_settles(recent & ((1 << runs) - 1), runs) <= 16


def test_the_share_comes_with_wilsons_interval():
    share = failing_share(EpisodeState(target="a", recent=0b1010, recent_runs=20))
    assert share.ratio == 0.1
    assert (round(share.low, 3), round(share.high, 3)) == (0.028, 0.301)  # Wilson (1927), z = 1.96, 2 of 20
    nothing = failing_share(EpisodeState(target="a"))
    assert (nothing.low, nothing.high) == (0, 1)
