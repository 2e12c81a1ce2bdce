"""Verdicts over time: how long something has been so, and what changed."""

from enum import IntEnum, StrEnum

import msgspec

from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, Status


class EventKind(StrEnum):
    """What happened to a target, or to the vantage."""

    ONSET = "onset"
    REFINED = "refined"
    ENDED = "ended"
    GROUP = "group"
    """Several targets changed at the same time, and have something in common."""
    GROUP_ENDED = "group_ended"
    VANTAGE = "vantage"
    CLOCK_STEP = "clock_step"


class Interval(msgspec.Struct, frozen=True, kw_only=True):
    """A moment known only between two runs; wall times, seconds since the epoch."""

    last_before: float | None
    """`None` = there was no run before."""
    first_in: float


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of one reachability: reachable, degraded or not."""

    target: str
    since: Interval
    status: Status
    patterns: tuple[Pattern, ...] = ()
    cause: Cause = Cause.NONE
    confidence: Confidence = Confidence.C0
    refinements: int = 0
    unobserved_s: float = 0.0
    """Time inside it in which nothing was measured."""
    last_run_at: float = 0.0
    ended: Interval | None = None


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something a person wants to be told, once."""

    kind: EventKind
    at: float
    """Wall time at which it was confirmed."""
    target: str = ""
    since: Interval | None = None
    """When what it tells of happened; for an end, when it ended."""
    before: Status | None = None
    after: Status | None = None
    patterns: tuple[Pattern, ...] = ()
    cause: Cause = Cause.NONE
    confidence: Confidence = Confidence.C0
    measurement: str = ""
    members: tuple[str, ...] = ()
    """Of a group: its targets."""
    text: str = ""


class Standing(IntEnum):
    """Reachability, ordered from best to worst: a change of it makes a new episode."""

    GOOD = 0
    DEGRADED = 1
    BAD = 2


class RunOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished run says of its target: what `episodes.fold` needs of a measurement."""

    target: str
    at: float
    """Wall time at which the run started."""
    status: Status
    patterns: tuple[Pattern, ...] = ()
    cause: Cause = Cause.NONE
    confidence: Confidence = Confidence.C0
    measurement: str = ""
    continues: str = ""
    """The measurement whose pending experiments this one ran: it judges that run anew and is no run itself."""

    @property
    def standing(self) -> Standing | None:
        """Return where this run puts the target; `None` = not judged, which is no run at all."""
        if self.status is Status.INSUFFICIENT:
            return None
        if self.status is Status.OK:
            return Standing.GOOD
        return Standing.DEGRADED if self.status is Status.DEGRADED else Standing.BAD


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """Runs in a row that contradict the episode and wait for one more, far enough from the first."""

    since: Interval
    standing: Standing
    """The one nearest to the episode's among them: of two claims the weaker is confirmed."""
    runs: int = 1
    named_by: RunOutcome
    """The latest run of that standing: it names status and patterns."""
    unobserved_s: float = 0.0
    """Gaps before it: they belong to the episode if that goes on after all."""


class EpisodeState(msgspec.Struct, frozen=True, kw_only=True):
    """All that folding the next run needs; kept by the store beside the target."""

    target: str
    episode: Episode | None = None
    """`None` = nothing confirmed yet."""
    candidate: Candidate | None = None
    last_run_at: float | None = None
    """Wall time of the last judged run, whatever it said."""
    recent: int = 0
    """The last judged runs as bits, newest lowest; 1 = not ok."""
    recent_runs: int = 0
    """How many of those bits are runs."""
    rising: Interval | None = None
    """When failing runs last began to gather: the onset of a mixed episode, if it comes to one."""
    mixed: bool = False
    """The episode was opened by the share of failing runs: single runs of either kind do not contradict it."""
    score: float = 0.0
    """Log-likelihood ratio of the test by which a mixed episode ends; 0 or below."""

    @property
    def unsettled(self) -> bool:
        """Tell whether there is more to know than the episode and the time of its last run."""
        return self.candidate is not None or self.mixed or self.recent != 0


class Pace(StrEnum):
    """What a run means for how often the target is run."""

    KEEP = "keep"
    BACK_OFF = "back_off"
    RESUME = "resume"


class Confirmation(msgspec.Struct, frozen=True, kw_only=True):
    """One more run is needed before anything is said."""

    target: str
    after_s: float
    """Counted from the start of the run that asks for it."""
    expects: Standing


class Fold(msgspec.Struct, frozen=True, kw_only=True):
    """What a run changed."""

    state: EpisodeState
    events: tuple[Event, ...] = ()
    confirmation: Confirmation | None = None
    """`None` also withdraws one that was asked for before."""
    closed: Episode | None = None
    """The episode that this run ended, to be kept as history."""
    pace: Pace = Pace.KEEP
