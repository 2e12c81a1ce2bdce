"""Episodes of a share: some runs fail, some do not, and the share itself is the finding.

In such an episode a single run contradicts nothing. It ends when the sequential test decides for healthy loss, which
takes about 19 good runs in a row, or when so many runs fail in a row that the share no longer explains them.
"""

from collections.abc import Callable

import msgspec

from probe.episodes.share import FAIL_SCORE, GOOD_SCORE, THRESHOLD, row_that_settles
from probe.episodes.step import Step, carry_on, switch
from probe.model.episode import Candidate, Confirmation, Episode, Fold, Pace, RunOutcome, Standing
from probe.model.verdict import Status


def begin(step: Step, candidate: Candidate) -> Fold:
    """Open an episode of a share in place of a good or a bad one."""
    old = step.state.episode
    came_from_bad = old is not None and step.current is Standing.BAD
    since = candidate.since
    rising = step.state.rising
    if not came_from_bad and rising is not None and (old is None or rising.first_in > old.since.first_in):
        since = rising
    named_by = old if came_from_bad and old is not None else candidate.named_by
    episode = Episode(
        target=step.run.target,
        since=since,
        status=Status.DEGRADED,
        patterns=named_by.patterns,
        cause=named_by.cause,
        confidence=named_by.confidence,
        last_run_at=step.run.at,
    )
    fold = switch(step, candidate, episode=episode)
    return msgspec.structs.replace(fold, state=msgspec.structs.replace(fold.state, mixed=True))


def join(step: Step, row: Candidate) -> Fold:
    """Go on with a degraded episode as one of a share: good runs come too often to end it."""
    step = msgspec.structs.replace(step, state=msgspec.structs.replace(step.state, mixed=True))
    return _stay(step, row, row.runs * GOOD_SCORE)


def fold(step: Step, confirm: Callable[[Candidate, RunOutcome], Confirmation]) -> Fold:
    """Fold a run into an episode of a share."""
    row = _extend_row(step)
    if step.standing is Standing.GOOD:
        score = GOOD_SCORE if step.gap_s else step.state.score + GOOD_SCORE
        if score <= -THRESHOLD:
            return switch(step, row)
        return _stay(step, row, score)
    score = 0.0 if step.gap_s else min(0.0, step.state.score + FAIL_SCORE)
    settled = row.runs >= row_that_settles(step.state.recent, step.state.recent_runs)
    if settled:  # what came before the row is over, and shall not make the next change look like a share
        only_row = msgspec.structs.replace(
            step.state, recent=(1 << row.runs) - 1, recent_runs=row.runs, rising=row.since
        )
        step = msgspec.structs.replace(step, state=only_row)
    if settled and step.standing is Standing.BAD:
        return switch(step, row)
    after = _stay(step, row, score)
    if settled:  # every run is degraded now: an ordinary episode, which two good runs end
        return msgspec.structs.replace(
            after, state=msgspec.structs.replace(after.state, mixed=False, candidate=None, score=0.0)
        )
    if step.standing is Standing.BAD and row.runs >= 2:
        return msgspec.structs.replace(after, confirmation=confirm(row, step.run))
    return after


def _extend_row(step: Step) -> Candidate:
    row = step.state.candidate
    if row is None or row.standing is not step.standing or step.gap_s:
        return Candidate(since=step.here, standing=step.standing, named_by=step.run)
    return msgspec.structs.replace(row, runs=row.runs + 1, named_by=step.run)


def _stay(step: Step, row: Candidate, score: float) -> Fold:
    """Carry the episode on; a good run confirms neither its patterns nor their absence."""
    run = step.run
    episode = step.state.episode
    if step.standing is Standing.GOOD and episode is not None:
        run = msgspec.structs.replace(
            run, patterns=episode.patterns, cause=episode.cause, confidence=episode.confidence
        )
    after = carry_on(msgspec.structs.replace(step, run=run, state=msgspec.structs.replace(step.state, candidate=None)))
    state = msgspec.structs.replace(after.state, candidate=row, score=score)
    pace = Pace.KEEP if step.standing is Standing.BAD else Pace.RESUME
    return msgspec.structs.replace(after, state=state, pace=pace)
