"""What the long-lived objects tell of themselves: frozen figures, read when a page of metrics is made.

Counters (`…_total`) only grow while the process lives; the rest is how it is now.
"""

import msgspec

CHECK_DURATION_BUCKETS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
"""Upper bounds; with the open one above them twelve buckets."""


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """How often a duration fell into each bucket."""

    counts: tuple[int, ...]
    """One for each bound of `CHECK_DURATION_BUCKETS_S`, then the open one; not cumulative."""
    sum_s: float


class ScheduleStats(msgspec.Struct, frozen=True, kw_only=True):
    """The schedule: how well it keeps its times."""

    targets: int = 0
    lag_s: float = 0.0
    """How late the last run started."""
    in_flight: int = 0
    queued: int = 0
    """Due, and not yet started."""
    missed_runs_total: int = 0
    stretch_ratio: float = 1.0
    """By how much all intervals are stretched to stay inside the budgets; 1 = not at all."""


class StoreStats(msgspec.Struct, frozen=True, kw_only=True):
    """The database."""

    size_bytes: int = 0
    measurements_total: int = 0
    """Measurements committed."""
    queued: int = 0
    """Handed over, and not yet committed."""
    dropped_total: int = 0
    """Measurements lost because the queue was full or the disk refused."""
    commit_failures_total: int = 0
    last_commit_at: float = 0.0
    """Wall time, seconds since the epoch; 0 = never."""


class ReloadStats(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration in force."""

    last_successful: bool = True
    last_success_at: float = 0.0
    """Wall time, seconds since the epoch; 0 = never."""


class LogStats(msgspec.Struct, frozen=True, kw_only=True):
    """The log."""

    lines: dict[str, int] = {}
    """Lines written, by level."""
    suppressed_total: int = 0
    """Lines left out because too many of the same kind came at once."""
