"""Verdicts over time: how long something has been so, and what changed."""

from enum import StrEnum

import msgspec

from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, Status


class EventKind(StrEnum):
    """What happened to a target, or to the vantage."""

    ONSET = "onset"
    REFINED = "refined"
    ENDED = "ended"
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
    before: Status | None = None
    after: Status | None = None
    patterns: tuple[Pattern, ...] = ()
    cause: Cause = Cause.NONE
    confidence: Confidence = Confidence.C0
    measurement: str = ""
    text: str = ""
