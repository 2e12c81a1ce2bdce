"""What one run does to an episode: carries it on, refines it, or puts another in its place."""

import msgspec

from probe.model.episode import (
    Candidate,
    Episode,
    EpisodeState,
    Event,
    EventKind,
    Fold,
    Interval,
    Pace,
    RunOutcome,
    Standing,
)
from probe.model.pattern import Pattern
from probe.model.verdict import Status


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One run on its way through the fold."""

    state: EpisodeState
    """With the run counted."""
    run: RunOutcome
    standing: Standing
    here: Interval
    """From the last judged run to this one."""
    gap_s: float
    """Unknown time before this run; 0 = none."""
    score: float
    """How strongly the window speaks for a share of failing runs."""

    @property
    def current(self) -> Standing:
        """Return the standing of the episode; a target of which nothing is confirmed counts as good."""
        return Standing.GOOD if self.state.episode is None else standing_of(self.state.episode)


def standing_of(episode: Episode) -> Standing:
    """Return where an episode's status puts the target."""
    if episode.status is Status.OK:
        return Standing.GOOD
    return Standing.DEGRADED if episode.status is Status.DEGRADED else Standing.BAD


def open_first(step: Step) -> Fold:
    """Open the first episode with a success: it contradicts nothing, so it needs no second one."""
    episode = _build(step.run, step.here, step.run.at)
    return Fold(state=msgspec.structs.replace(step.state, episode=episode, candidate=None), pace=Pace.RESUME)


def carry_on(step: Step) -> Fold:
    """Fold a run of the same standing; a candidate was a false alarm, and its gaps are the episode's."""
    episode, events = refine(step.state, step.run, step.here)
    dropped_s = 0.0 if step.state.candidate is None else step.state.candidate.unobserved_s
    episode = msgspec.structs.replace(
        episode, last_run_at=step.run.at, unobserved_s=episode.unobserved_s + dropped_s + step.gap_s
    )
    pace = Pace.RESUME
    if step.standing is Standing.BAD and not events:
        pace = Pace.BACK_OFF
    state = msgspec.structs.replace(step.state, episode=episode, candidate=None)
    return Fold(state=state, events=events, pace=pace)


def supersede(state: EpisodeState, run: RunOutcome, standing: Standing) -> Fold:
    """Fold the second verdict on a run that was folded before: it may say more, it is no second run."""
    candidate = state.candidate
    if candidate is not None and candidate.named_by.measurement == run.continues:
        if standing is candidate.standing:
            named_by = msgspec.structs.replace(run, at=candidate.named_by.at)
            state = msgspec.structs.replace(state, candidate=msgspec.structs.replace(candidate, named_by=named_by))
    elif state.episode is not None and not state.mixed and standing_of(state.episode) is standing:
        episode, events = refine(state, run, Interval(last_before=state.last_run_at, first_in=run.at))
        return Fold(state=msgspec.structs.replace(state, episode=episode), events=events)
    return Fold(state=state)


def switch(
    step: Step, candidate: Candidate, left_over: Candidate | None = None, *, episode: Episode | None = None
) -> Fold:
    """Close the episode and open what the candidate found, or the `episode` given, in its place."""
    old = step.state.episode
    if episode is None:
        episode = _build(candidate.named_by, candidate.since, candidate.named_by.at)
    events: list[Event] = []
    if old is not None and standing_of(old) is not Standing.GOOD:
        events.append(_tell(EventKind.ENDED, step.run, episode, before=old.status, patterns=old.patterns))
    if standing_of(episode) is not Standing.GOOD:
        before = None if old is None else old.status
        events.append(_tell(EventKind.ONSET, step.run, episode, before=before, patterns=episode.patterns))
    state = msgspec.structs.replace(step.state, episode=episode, candidate=left_over, mixed=False, score=0.0)
    closed = None if old is None else msgspec.structs.replace(old, ended=episode.since)
    pace = Pace.KEEP if step.standing is Standing.BAD else Pace.RESUME
    return Fold(state=state, events=tuple(events), closed=closed, pace=pace)


def refine(state: EpisodeState, run: RunOutcome, here: Interval) -> tuple[Episode, tuple[Event, ...]]:
    """Take over what a run of the same standing says; a good episode's patterns change without an event."""
    assert state.episode is not None, "only a confirmed episode is refined"
    old = state.episode
    mixed = state.mixed
    status = old.status if mixed else run.status
    patterns = merge_layers(old.patterns, run.patterns) if mixed else run.patterns
    changed = (status, patterns) != (old.status, old.patterns) and status is not Status.OK
    episode = msgspec.structs.replace(
        old,
        status=status,
        patterns=patterns,
        cause=run.cause,
        confidence=run.confidence,
        refinements=old.refinements + changed,
    )
    if not changed:
        return episode, ()
    event = _tell(EventKind.REFINED, run, episode, before=old.status, patterns=patterns)
    return episode, (msgspec.structs.replace(event, since=here),)


def merge_layers(old: tuple[Pattern, ...], new: tuple[Pattern, ...]) -> tuple[Pattern, ...]:
    """Keep one pattern per layer, the newer one, in the order in which the layers first showed."""
    by_layer = {pattern.layer: pattern for pattern in old}
    by_layer.update({pattern.layer: pattern for pattern in new})
    return tuple(by_layer.values())


def _build(run: RunOutcome, since: Interval, last_run_at: float) -> Episode:
    return Episode(
        target=run.target,
        since=since,
        status=run.status,
        patterns=run.patterns,
        cause=run.cause,
        confidence=run.confidence,
        last_run_at=last_run_at,
    )


def _tell(
    kind: EventKind, run: RunOutcome, episode: Episode, *, before: Status | None, patterns: tuple[Pattern, ...]
) -> Event:
    return Event(
        kind=kind,
        at=run.at,
        target=run.target,
        since=episode.since,
        before=before,
        after=episode.status,
        patterns=patterns,
        cause=episode.cause,
        confidence=episode.confidence,
        measurement=run.measurement,
    )
