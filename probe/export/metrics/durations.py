"""Counts how long checks took, in the twelve buckets of `wallprobe_check_duration_seconds`."""

from bisect import bisect_left

from probe.model.stats import CHECK_DURATION_BUCKETS_S, Histogram
from probe.model.target import CheckName


class LagCounts:
    """Counts how late runs start, in the same buckets."""

    def __init__(self) -> None:
        self._counts = [0] * (len(CHECK_DURATION_BUCKETS_S) + 1)
        self._sum_s = 0.0

    def observe(self, lag_s: float) -> None:
        """Count one start."""
        self._counts[bisect_left(CHECK_DURATION_BUCKETS_S, lag_s)] += 1
        self._sum_s += lag_s

    def histogram(self) -> Histogram:
        """Return what was counted so far."""
        return Histogram(counts=tuple(self._counts), sum_s=self._sum_s)


class DurationCounts:
    """Kept by whoever runs checks; `histograms` is its frozen copy."""

    def __init__(self) -> None:
        self._counts: dict[CheckName, list[int]] = {}
        self._sums_s: dict[CheckName, float] = {}

    def observe(self, check: CheckName, duration_s: float) -> None:
        """Count one run; a duration equal to a bound belongs under it."""
        counts = self._counts.setdefault(check, [0] * (len(CHECK_DURATION_BUCKETS_S) + 1))
        counts[bisect_left(CHECK_DURATION_BUCKETS_S, duration_s)] += 1
        self._sums_s[check] = self._sums_s.get(check, 0.0) + duration_s

    def histograms(self) -> dict[CheckName, Histogram]:
        """Return what was counted so far, by check."""
        return {
            check: Histogram(counts=tuple(counts), sum_s=self._sums_s[check]) for check, counts in self._counts.items()
        }
