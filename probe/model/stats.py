"""What the long-lived objects tell of themselves: frozen figures, read when a page of metrics is made.

Counters (`…_total`) only grow while the process lives; the rest is how it is now.
"""

import msgspec

from probe.model.experiment import Traffic
from probe.model.target import CheckName

CHECK_DURATION_BUCKETS_S = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 60.0)
"""Upper bounds; with the open one above them twelve buckets."""


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """How often a duration fell into each bucket."""

    counts: tuple[int, ...]
    """One for each bound of `CHECK_DURATION_BUCKETS_S`, then the open one; not cumulative."""
    sum_s: float


class GateStats(msgspec.Struct, frozen=True, kw_only=True):
    """The gate: what it granted, and what waits for it."""

    grants_total: dict[Traffic, int] = {}
    waiting: int = 0
    """Steps that wait for a grant."""
    open_sockets: int = 0
    hot_endpoints: int = 0
    bytes_sent_total: int = 0
    bytes_received_total: int = 0
    bytes_today: int = 0
    """Counts toward `limits.bytes_per_day`."""


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


class AgentStats(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, at one moment."""

    gate: GateStats = GateStats()
    schedule: ScheduleStats = ScheduleStats()
    store: StoreStats = StoreStats()
    reload: ReloadStats = ReloadStats()
    loop_lag_s: float = 0.0
    """How late the event loop woke, at worst, in the last seconds."""
    check_durations: dict[CheckName, Histogram] = {}
    controls: dict[str, bool] = {}
    """Whether the last question to each control was answered, by its name in the configuration."""
    sham_interference_total: int = 0
    """Interference found on targets that nobody blocks: the live count of false positives."""
    crashes_total: int = 0
    """Measurements that ended by a fault of our own."""
