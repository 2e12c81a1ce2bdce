"""All that the agent tells of itself, as one value: the daemon fills it, the page of metrics reads it."""

import msgspec

from probe.gate.stats import GateStats
from probe.model.stats import Histogram, LogStats, ReloadStats, ScheduleStats, StoreStats
from probe.model.target import CheckName


class AgentStats(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of the long-lived objects at one moment."""

    gate: GateStats | None = None
    schedule: ScheduleStats = ScheduleStats()
    store: StoreStats = StoreStats()
    reload: ReloadStats = ReloadStats()
    log: LogStats = LogStats()
    loop_lag_s: float = 0.0
    """How late the event loop woke, at worst, in the last seconds."""
    check_durations: dict[CheckName, Histogram] = {}
    start_lags: Histogram | None = None
    """How late runs started, since this process did."""
    controls: dict[str, bool] = {}
    """Whether the last question to each control was answered, by its name in the configuration."""
    sham_interference_total: int = 0
    """Interference found on targets that nobody blocks: the live count of false positives."""
    crashes_total: int = 0
    """Measurements that ended by a fault of our own."""
