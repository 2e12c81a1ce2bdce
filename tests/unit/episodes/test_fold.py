import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.episodes import fold, reanchor
from probe.model.episode import EpisodeState, Event, EventKind, Fold, Interval, Pace, RunOutcome, Standing
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, Status

INTERVAL_S = 300.0
T0 = 1_700_000_000.0
RESET = (Pattern.TLS_RESET_SNI,)


def make_run(at: float, status: Status, **fields) -> RunOutcome:
    patterns = () if status in (Status.OK, Status.INSUFFICIENT) else RESET
    given_fields = {"patterns": patterns, "measurement": f"m{at:.0f}"} | fields
    return RunOutcome(target="a", at=T0 + at, status=status, **given_fields)


def fold_all(*runs: RunOutcome, state: EpisodeState | None = None) -> tuple[list[Fold], list[Event]]:
    folds = []
    for run in runs:
        folds.append(fold(state, run, INTERVAL_S))
        state = folds[-1].state
    return folds, [event for each in folds for event in each.events]


def told(events: list[Event]) -> list[tuple[EventKind, Status | None, Status | None]]:
    return [(event.kind, event.before, event.after) for event in events]


def ok(at: float) -> RunOutcome:
    return make_run(at, Status.OK)


def blocked(at: float, **fields) -> RunOutcome:
    return make_run(at, Status.BLOCKED, **fields)


def degraded(at: float) -> RunOutcome:
    return make_run(at, Status.DEGRADED)


def test_a_first_success_opens_a_good_episode_without_an_event():
    (only,), events = fold_all(ok(0))
    assert only.state.episode is not None
    assert only.state.episode.since == Interval(last_before=None, first_in=T0)
    assert not events
    assert only.confirmation is None


def test_a_first_failure_says_nothing_until_a_second_confirms_it():
    folds, events = fold_all(blocked(0), blocked(45))
    assert folds[0].state.episode is None
    assert folds[0].confirmation is not None
    assert told(events) == [(EventKind.ONSET, None, Status.BLOCKED)]
    assert events[0].since == Interval(last_before=None, first_in=T0)


def test_since_is_the_interval_of_the_first_failing_run_and_not_of_the_confirmation():
    folds, events = fold_all(ok(0), ok(300), blocked(600), blocked(645))
    assert told(events) == [(EventKind.ONSET, Status.OK, Status.BLOCKED)]
    assert events[0].since == Interval(last_before=T0 + 300, first_in=T0 + 600)
    assert events[0].at == T0 + 645
    closed = folds[-1].closed
    assert closed is not None
    assert closed.ended == events[0].since
    assert closed.last_run_at == T0 + 300


@pytest.mark.parametrize(("apart_s", "confirmed"), [(29.9, False), (30.0, True)])
def test_two_failing_runs_confirm_when_they_are_thirty_seconds_apart(apart_s, confirmed):
    folds, events = fold_all(ok(0), blocked(300), blocked(300 + apart_s))
    assert bool(events) is confirmed
    assert (folds[-1].confirmation is None) is confirmed


@pytest.mark.parametrize(("apart_s", "confirmed"), [(59.9, False), (60.0, True)])
def test_two_good_runs_confirm_when_they_are_sixty_seconds_apart(apart_s, confirmed):
    _, events = fold_all(ok(0), blocked(300), blocked(345), blocked(645), ok(945), ok(945 + apart_s))
    assert (told(events[1:]) == [(EventKind.ENDED, Status.BLOCKED, Status.OK)]) is confirmed


@given(st.text(min_size=1, max_size=30), st.booleans())
def test_confirmations_come_at_thirty_to_sixty_seconds_or_after_sixty_and_always_at_the_same(name, recovering):
    runs = [ok(0), blocked(300), blocked(345), ok(645)] if recovering else [ok(0), blocked(300)]
    state = None
    for run in runs:
        last = fold(state, RunOutcome(target=name, at=run.at, status=run.status), INTERVAL_S)
        state = last.state
    assert last.confirmation is not None
    low, high = (60, 90) if recovering else (30, 60)
    assert low < last.confirmation.after_s < high


def test_a_single_failure_is_forgotten_with_the_next_success():
    folds, events = fold_all(ok(0), blocked(300), ok(345), ok(600), blocked(3900), ok(3945))
    assert not events
    assert folds[2].confirmation is None
    assert folds[-1].state.candidate is None


def test_a_run_that_was_not_judged_is_no_run():
    folds, events = fold_all(ok(0), blocked(300), make_run(345, Status.INSUFFICIENT), blocked(400))
    assert folds[2].state == folds[1].state
    assert folds[2].confirmation is not None, "the question is still open"
    assert told(events) == [(EventKind.ONSET, Status.OK, Status.BLOCKED)]
    assert events[0].since == Interval(last_before=T0, first_in=T0 + 300)


def test_a_vantage_that_stays_unfit_is_not_asked_for_confirmations_for_ever():
    folds, _ = fold_all(ok(0), blocked(300), *(make_run(300 + 45 * n, Status.INSUFFICIENT) for n in range(1, 20)))
    assert folds[-1].confirmation is None


def test_another_status_or_pattern_inside_refines_and_is_no_new_onset():
    other = (Pattern.TLS_TIMEOUT_SNI,)
    folds, events = fold_all(
        ok(0),
        make_run(300, Status.IMPAIRED),
        make_run(345, Status.IMPAIRED),
        make_run(600, Status.LIKELY_BLOCKED, cause=Cause.NETWORK, confidence=Confidence.C2),
        make_run(900, Status.LIKELY_BLOCKED, patterns=other),
        make_run(1200, Status.LIKELY_BLOCKED, patterns=other),
    )
    assert told(events) == [
        (EventKind.ONSET, Status.OK, Status.IMPAIRED),
        (EventKind.REFINED, Status.IMPAIRED, Status.LIKELY_BLOCKED),
        (EventKind.REFINED, Status.LIKELY_BLOCKED, Status.LIKELY_BLOCKED),
    ]
    episode = folds[-1].state.episode
    assert episode is not None
    assert (episode.refinements, episode.since.first_in) == (2, T0 + 300)
    assert (events[1].cause, events[1].confidence) == (Cause.NETWORK, Confidence.C2)


def test_an_unchanged_bad_episode_backs_off_and_the_first_success_resumes():
    folds, _ = fold_all(ok(0), blocked(300), blocked(345), blocked(600), blocked(1200), ok(2100))
    assert [each.pace for each in folds] == [
        Pace.RESUME,
        Pace.KEEP,
        Pace.KEEP,
        Pace.BACK_OFF,
        Pace.BACK_OFF,
        Pace.RESUME,
    ]


def test_degraded_has_an_onset_and_an_end_of_its_own():
    _, events = fold_all(ok(0), degraded(300), degraded(345), ok(645), ok(720))
    assert told(events) == [
        (EventKind.ONSET, Status.OK, Status.DEGRADED),
        (EventKind.ENDED, Status.DEGRADED, Status.OK),
    ]


def test_from_degraded_to_blocked_one_ends_and_the_other_begins():
    folds, events = fold_all(ok(0), degraded(300), degraded(345), blocked(645), blocked(690))
    assert told(events[1:]) == [
        (EventKind.ENDED, Status.DEGRADED, Status.BLOCKED),
        (EventKind.ONSET, Status.DEGRADED, Status.BLOCKED),
    ]
    assert events[-1].since == Interval(last_before=T0 + 345, first_in=T0 + 645)
    assert folds[-1].closed is not None


@pytest.mark.parametrize("runs", [(degraded(300), blocked(345)), (blocked(300), degraded(345))])
def test_of_two_different_failures_the_weaker_claim_is_confirmed(runs):
    folds, events = fold_all(ok(0), *runs)
    assert told(events) == [(EventKind.ONSET, Status.OK, Status.DEGRADED)]
    asks = folds[-1].confirmation
    assert (asks is not None and asks.expects is Standing.BAD) == (runs[1].status is Status.BLOCKED)


def test_a_block_that_follows_a_degraded_run_begins_with_the_first_blocked_one():
    _, events = fold_all(ok(0), degraded(300), blocked(345), blocked(390))
    assert events[-1].since == Interval(last_before=T0 + 300, first_in=T0 + 345)
    assert told(events)[-1] == (EventKind.ONSET, Status.DEGRADED, Status.BLOCKED)


def test_over_a_gap_the_same_status_goes_on_with_the_unobserved_time_told():
    folds, events = fold_all(ok(0), blocked(300), blocked(345), blocked(645), blocked(645 + 3600), blocked(4545))
    episode = folds[-1].state.episode
    assert len(events) == 1
    assert episode is not None
    assert (episode.unobserved_s, episode.since.first_in) == (3600, T0 + 300)


def test_three_effective_intervals_are_no_gap_yet():
    folds, _ = fold_all(ok(0), ok(900), ok(1800.1))
    assert folds[1].state.episode is not None
    assert folds[1].state.episode.unobserved_s == 0
    assert folds[2].state.episode is not None
    assert folds[2].state.episode.unobserved_s == pytest.approx(900.1)


def test_over_a_gap_another_status_begins_between_the_last_run_before_and_the_first_after():
    _, events = fold_all(ok(0), ok(300), blocked(7200), blocked(7245))
    assert events[0].since == Interval(last_before=T0 + 300, first_in=T0 + 7200)


def test_missing_data_never_ends_a_block():
    silent = [make_run(645 + 300 * n, Status.INSUFFICIENT) for n in range(1000)]
    folds, events = fold_all(ok(0), blocked(300), blocked(345), *silent)
    episode = folds[-1].state.episode
    assert len(events) == 1
    assert episode is not None
    assert episode.status is Status.BLOCKED


def test_a_failure_before_a_gap_and_one_after_it_are_not_taken_together():
    folds, events = fold_all(ok(0), blocked(300), blocked(90_000))
    assert not events
    assert folds[-1].confirmation is not None
    _, events = fold_all(blocked(90_045), state=folds[-1].state)
    assert events[0].since == Interval(last_before=T0, first_in=T0 + 90_000), "both ends as far out as they may be"


def test_a_gap_before_a_false_alarm_belongs_to_the_episode_that_goes_on():
    folds, events = fold_all(ok(0), blocked(7200), ok(7245))
    assert not events
    assert folds[-1].state.episode is not None
    assert folds[-1].state.episode.unobserved_s == 7200


def test_a_final_verdict_refines_and_is_no_second_run():
    folds, events = fold_all(ok(0), make_run(300, Status.IMPAIRED), blocked(500, continues="m300"))
    assert not events
    candidate = folds[-1].state.candidate
    assert candidate is not None
    assert (candidate.runs, candidate.named_by.status) == (1, Status.BLOCKED)
    assert folds[-1].confirmation is not None, "it withdraws no question that is open"
    folds, events = fold_all(
        ok(0), make_run(300, Status.IMPAIRED), make_run(345, Status.IMPAIRED), blocked(545, continues="m345")
    )
    assert told(events)[1:] == [(EventKind.REFINED, Status.IMPAIRED, Status.BLOCKED)]
    assert folds[-1].state.last_run_at == T0 + 345


def test_a_step_of_the_clock_is_neither_a_gap_nor_a_confirmation():
    folds, _ = fold_all(ok(0), blocked(300))
    state = reanchor(folds[-1].state, 86_400)
    folds, events = fold_all(blocked(86_400 + 310), state=state)
    assert not events
    assert folds[-1].state.episode is not None
    folds, events = fold_all(blocked(86_400 + 345), state=folds[-1].state)
    assert told(events) == [(EventKind.ONSET, Status.OK, Status.BLOCKED)]


def test_a_clock_that_went_back_unannounced_does_not_blind_the_fold():
    folds, events = fold_all(ok(100_000), blocked(0), blocked(45))
    assert told(events) == [(EventKind.ONSET, Status.OK, Status.BLOCKED)]
    assert events[0].since == Interval(last_before=T0, first_in=T0)
    assert folds[-1].state.last_run_at == T0 + 45


statuses = st.sampled_from([*Status, Status.OK, Status.OK, Status.BLOCKED, Status.BLOCKED])
waits = st.sampled_from([5.0, 45.0, 75.0, 300.0, 300.0, 300.0, 899.0, 5000.0])


@given(st.lists(st.tuples(waits, statuses), max_size=120))
def test_any_sequence_of_runs_keeps_the_promises(steps):
    at, state, open_onset, unobserved_s, gaps_s = 0.0, None, None, 0.0, 0.0
    last_judged = None
    for wait_s, status in steps:
        at += wait_s
        after = fold(state, make_run(at, status), INTERVAL_S)
        if status is Status.INSUFFICIENT:
            assert not after.events
        else:
            is_gap = last_judged is not None and at - last_judged > 3 * INTERVAL_S
            gaps_s += at - last_judged if is_gap else 0
            last_judged = at
        for event in after.events:
            if event.kind is EventKind.ONSET:
                assert open_onset is None, "two onsets without an end between them"
                open_onset = event
            elif event.kind is EventKind.ENDED:
                assert open_onset is not None
                open_onset = None
            assert event.since is not None
            assert event.since.first_in <= event.at
            assert event.since.last_before is None or event.since.last_before <= event.since.first_in
            assert event.after is not None
            assert status is not Status.INSUFFICIENT
        episode = after.state.episode
        if after.closed is not None:
            assert after.closed.ended is not None
            unobserved_s = 0.0
        if episode is not None:
            assert episode.status is not Status.INSUFFICIENT
            assert (open_onset is not None) == (episode.status is not Status.OK)
            assert episode.last_run_at <= T0 + at
            assert unobserved_s <= episode.unobserved_s <= gaps_s
            unobserved_s = episode.unobserved_s
        assert after.confirmation is None or after.confirmation.after_s > 0
        state = after.state
