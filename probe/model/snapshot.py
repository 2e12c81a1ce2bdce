"""The last word on a target: what metrics, pages and the API render."""

import msgspec

from probe.model.episode import Episode
from probe.model.failure import FailureCode
from probe.model.target import Target
from probe.model.verdict import Verdict


class Phase(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """How long one phase of the last run took on the fastest address of a family."""

    name: str
    """`queued`, `resolve`, `connect`, `tls`, `first_byte`, `transfer` or `echo`."""
    family: int
    duration_s: float


class TargetSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """State of one target after a run. Times are wall times, seconds since the epoch; 0 = never."""

    target: Target
    verdict: Verdict | None = None
    """The last judged one: frozen while the vantage is unfit."""
    episode: Episode | None = None
    measurement: str = ""
    last_run_at: float = 0.0
    last_ok_at: float = 0.0
    valid_until: float = 0.0
    duration_s: float = 0.0
    runs_total: int = 0
    failures_total: int = 0
    failures: dict[FailureCode, int] = {}
    """Failed runs by the code they failed with; runs that failed without one are in `failures_total` alone."""
    last_failure: FailureCode | None = None
    """Code of the last failed run; `None` = none failed yet, or it had no code."""
    failed_measurement: str = ""
    """Id of the last failed run: a link from the counter to its evidence."""
    phases: tuple[Phase, ...] = ()
    certificate_expires_at: float = 0.0
    """End of the first of its certificates to end, as of the last run that saw a valid or an expired one."""
    stale: bool = False
    """The vantage is unfit: this is what was last known."""
