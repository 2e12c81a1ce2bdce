"""When a private tunnel is tried again: at +2 and +10 minutes after a failure, then at its slots alone.

Source: CONTRACT section 6. Probing must not burn an endpoint that its owner keeps to himself.
"""

from probe.model.episode import Fold, Pace, Standing
from probe.model.measurement import Measurement
from probe.model.target import CheckName, Exposure, Target
from probe.schedule import Schedule

AFTER_S = (120.0, 600.0)
"""Counted from the failing run before."""
GOOD_AFTER_S = 120.0


def is_private_tunnel(target: Target) -> bool:
    """Tell whether only far apart and identical handshakes are allowed."""
    return target.check is CheckName.VPN and target.exposure is Exposure.PRIVATE


class Retries:
    """Counts failing runs in a row, by target."""

    def __init__(self) -> None:
        self._failed: dict[str, int] = {}

    def next_s(self, measurement: Measurement, folded: Fold) -> float | None:
        """Return how long after the start of this run the next one comes; `None` = at its slot."""
        name = measurement.target.id
        if measurement.verdict.status.reachable:
            self._failed.pop(name, None)
            wanted = folded.confirmation is not None and folded.confirmation.expects is Standing.GOOD
            return GOOD_AFTER_S if wanted else None
        failed = self._failed[name] = self._failed.get(name, 0) + 1
        return AFTER_S[failed - 1] if failed <= len(AFTER_S) else None

    def reschedule(self, schedule: Schedule, measurement: Measurement, folded: Fold, now_s: float) -> None:
        """Try a private endpoint again twice, and then at its slots, further and further apart."""
        target_id, after_s = measurement.target.id, self.next_s(measurement, folded)
        if after_s is None:
            schedule.cancel_follow_up(target_id)
        else:
            schedule.follow_up(target_id, max(now_s, now_s - measurement.runtime_s + after_s))
        if folded.pace is Pace.BACK_OFF and after_s is None:
            schedule.back_off(target_id)
        elif folded.pace is Pace.RESUME:
            schedule.resume(target_id, now_s)

    def keep_only(self, names: "set[str] | dict[str, Target]") -> None:
        """Forget targets that are not on the list any more."""
        self._failed = {name: failed for name, failed in self._failed.items() if name in names}
