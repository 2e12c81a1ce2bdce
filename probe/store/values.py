"""What the store gives back that the vocabulary has no word for."""

from enum import StrEnum

import msgspec

from probe.model.episode import Episode, Event
from probe.model.failure import FailureCode
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, Status


class Kept(StrEnum):
    """Why a whole measurement is kept; all but the samples are what a reader may want to see."""

    FAILING = "failing"
    BEFORE = "before"
    """The last ok before a change."""
    AFTER = "after"
    """The first ok after a change."""
    SAMPLE = "sample"
    ASKED = "asked"
    """A person asked for it: `check`."""
    CITED = "cited"
    """An event rests on it."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Durations of several runs."""

    min_s: float
    mean_s: float
    max_s: float


class PhaseSpread(msgspec.Struct, frozen=True, kw_only=True):
    """Durations of one phase on the fastest address of a family."""

    name: str
    family: int
    runs: int
    durations: Spread


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run, or an unbroken row of ok runs within an hour."""

    target: str
    first_at: float
    """Wall time, seconds since the epoch, of the first run in it."""
    last_at: float
    runs: int
    status: Status
    pattern: Pattern | None = None
    cause: Cause = Cause.NONE
    confidence: Confidence | None = None
    """`None` for folded ok runs."""
    durations: Spread
    phases: tuple[PhaseSpread, ...] = ()
    measurement: str = ""
    """Empty for folded ok runs."""


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What is counted for a target since it was first run; the daemon goes on from it after a restart."""

    target: str
    status: Status
    """Of the last run, judged or not."""
    last_run_at: float
    """When it ended; wall time, seconds since the epoch."""
    last_ok_at: float = 0.0
    """When the last run that found it usable ended; 0 = never."""
    runs_total: int = 0
    failures_total: int = 0
    failures: dict[FailureCode, int] = {}
    last_failure: FailureCode | None = None
    measurement: str = ""
    failed_measurement: str = ""


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A target over time, newest first."""

    target: str
    address: str
    tally: Tally | None = None
    episodes: tuple[Episode, ...] = ()
    events: tuple[Event, ...] = ()


class StoredMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """A line about a measurement that is kept whole."""

    id: str
    target: str
    started_at: float
    status: Status
    kept: Kept
