"""The fold: which runs carry an episode on, which contradict it, and when enough of them do."""

import msgspec

from probe.episodes import mixed
from probe.episodes.share import THRESHOLD, WINDOW, mixed_score
from probe.episodes.step import Step, carry_on, open_first, supersede, switch
from probe.model.episode import (
    Candidate,
    Confirmation,
    EpisodeState,
    Fold,
    Interval,
    Pace,
    RunOutcome,
    Standing,
)
from probe.model.spread import stable_hash
from probe.model.verdict import Status

GAP_INTERVALS = 3
"""No run for this many effective intervals is a gap: what happened in it is unknown."""
BAD_APART_S = 30.0
GOOD_APART_S = 60.0
_SPREAD_MS = 28_000
"""Confirmations of targets that fail together are spread over this: +31 to +59 s for bad ones."""
_MARGIN_S = 1.0
_PATIENCE_S = 300.0
"""For so long a candidate asks again after runs that could not be judged; then the ordinary interval will do."""


def fold(previous: EpisodeState | None, run: RunOutcome, effective_interval_s: float) -> Fold:
    """Fold one run into what was known of its target; `effective_interval_s` was in force before this run."""
    state = EpisodeState(target=run.target) if previous is None else previous
    standing = run.standing
    if standing is None:
        return Fold(state=state, confirmation=_ask_again(state, run))
    if run.continues:
        after = supersede(state, run, standing)
        return msgspec.structs.replace(after, confirmation=_ask_again(after.state, run))
    step = _enter(state, run, standing, effective_interval_s)
    episode = step.state.episode
    if episode is None and standing is Standing.GOOD:
        return open_first(step)
    if episode is not None and step.state.mixed:
        return mixed.fold(step, _confirm)
    if episode is not None and standing is step.current:
        return carry_on(step)
    return _contradict(step)


def reanchor(state: EpisodeState, step_s: float) -> EpisodeState:
    """Shift the stamps that arithmetic is done on, after the wall clock was stepped by so much.

    What was told to a reader already, `since`, stays as it was told.
    """
    return msgspec.structs.replace(
        state,
        last_run_at=None if state.last_run_at is None else state.last_run_at + step_s,
        rising=None if state.rising is None else _shift(state.rising, step_s),
        candidate=None if state.candidate is None else _shift_candidate(state.candidate, step_s),
        episode=None
        if state.episode is None
        else msgspec.structs.replace(state.episode, last_run_at=state.episode.last_run_at + step_s),
    )


def _enter(state: EpisodeState, run: RunOutcome, standing: Standing, effective_interval_s: float) -> Step:
    """Count the run, and see whether a gap lies before it."""
    if state.last_run_at is not None and run.at < state.last_run_at:  # a step back of the clock that nobody told of
        state = reanchor(state, run.at - state.last_run_at)
    last = state.last_run_at
    gap_s = 0.0 if last is None or run.at - last <= GAP_INTERVALS * effective_interval_s else run.at - last
    recent, runs = (0, 0) if gap_s else (state.recent, state.recent_runs)
    was_quiet = recent == 0 or mixed_score(recent, runs) == 0
    recent = (recent << 1 | (standing is not Standing.GOOD)) & ((1 << WINDOW) - 1)
    runs = min(WINDOW, runs + 1)
    failing = mixed_score(recent, runs) if recent else 0.0
    is_good = state.episode is None or state.episode.status is Status.OK
    good = ~recent & ((1 << runs) - 1)
    score = failing if is_good else mixed_score(good, runs) if good else 0.0
    here = Interval(last_before=last, first_in=run.at)
    rising = None if failing == 0 else here if was_quiet else state.rising
    counted = msgspec.structs.replace(state, last_run_at=run.at, recent=recent, recent_runs=runs, rising=rising)
    return Step(state=counted, run=run, standing=standing, here=here, gap_s=gap_s, score=score)


def _contradict(step: Step) -> Fold:
    """Fold a run that disagrees with the episode: alone it says nothing, with another one it may."""
    state, episode = step.state, step.state.episode
    candidate = _extend(step)
    waiting = msgspec.structs.replace(state, candidate=candidate)
    step = msgspec.structs.replace(step, state=waiting)
    is_mixed = step.score >= THRESHOLD
    if is_mixed and step.current is not Standing.DEGRADED:
        return mixed.begin(step, candidate)
    apart_s = GOOD_APART_S if candidate.standing < step.current else BAD_APART_S
    if candidate.runs < 2 or step.run.at - candidate.since.first_in < apart_s:
        pace = Pace.RESUME if step.standing is not Standing.BAD else Pace.KEEP
        return Fold(state=waiting, confirmation=_confirm(candidate, step.run), pace=pace)
    if is_mixed and candidate.standing is Standing.GOOD and episode is not None:
        return mixed.join(step, candidate)
    left_over = None
    if step.standing is not candidate.standing:
        left_over = Candidate(since=step.here, standing=step.standing, named_by=step.run)
    fold = switch(step, candidate, left_over)
    if left_over is None:
        return fold
    return msgspec.structs.replace(fold, confirmation=_confirm(left_over, step.run))


def _extend(step: Step) -> Candidate:
    """Put the run to the row of those before it that contradict the episode to the same side."""
    candidate = step.state.candidate
    worse = step.standing > step.current
    if candidate is None or (candidate.standing > step.current) is not worse:
        dropped_s = 0.0 if candidate is None else candidate.unobserved_s
        return Candidate(
            since=step.here, standing=step.standing, named_by=step.run, unobserved_s=dropped_s + step.gap_s
        )
    nearest = min(candidate.standing, step.standing) if worse else max(candidate.standing, step.standing)
    if step.gap_s:  # what was between is unknown: count anew, and own up to the whole stretch as the moment of change
        since = Interval(last_before=candidate.since.last_before, first_in=step.run.at)
        unobserved_s = candidate.unobserved_s + step.gap_s
        return Candidate(since=since, standing=step.standing, named_by=step.run, unobserved_s=unobserved_s)
    named_by = step.run if step.standing is nearest else candidate.named_by
    return msgspec.structs.replace(candidate, standing=nearest, runs=candidate.runs + 1, named_by=named_by)


def _confirm(candidate: Candidate, run: RunOutcome) -> Confirmation:
    """Ask for one more run, far enough from the candidate's first, at a moment that the target's id decides."""
    apart_s = GOOD_APART_S if candidate.standing is Standing.GOOD else BAD_APART_S
    after_first_s = apart_s + _MARGIN_S + stable_hash(run.target) % _SPREAD_MS / 1000
    after_s = after_first_s - (run.at - candidate.since.first_in)
    if after_s < _MARGIN_S:
        after_s = after_first_s
    return Confirmation(target=run.target, after_s=after_s, expects=candidate.standing)


def _ask_again(state: EpisodeState, run: RunOutcome) -> Confirmation | None:
    """Keep a question open over a run that is none."""
    candidate = state.candidate
    if candidate is None or state.mixed or not 0 <= run.at - candidate.since.first_in < _PATIENCE_S:
        return None
    return _confirm(candidate, run)


def _shift(interval: Interval, step_s: float) -> Interval:
    last = interval.last_before
    return Interval(last_before=None if last is None else last + step_s, first_in=interval.first_in + step_s)


def _shift_candidate(candidate: Candidate, step_s: float) -> Candidate:
    named_by = msgspec.structs.replace(candidate.named_by, at=candidate.named_by.at + step_s)
    return msgspec.structs.replace(candidate, since=_shift(candidate.since, step_s), named_by=named_by)
