"""Notices that many targets fail at once: then it is the vantage's turn first. Source: CONTRACT section 3."""

from collections import deque

WINDOW_S = 60.0
SHARE = 0.3
AT_LEAST = 5
"""Two of six failing are no mass event: below this many failures nothing is held back."""


class MassAlarm:
    """Counts failures of formerly reachable targets in a sliding minute."""

    def __init__(self) -> None:
        self._failures: deque[tuple[float, str]] = deque()
        self._runs: deque[tuple[float, str]] = deque()

    def take(self, target_id: str, now_s: float, *, was_reachable: bool, failed: bool) -> bool:
        """Count a run; tell whether more than 30 % of the formerly reachable targets run in this minute failed."""
        if was_reachable:
            self._runs.append((now_s, target_id))
            if failed:
                self._failures.append((now_s, target_id))
        for row in (self._failures, self._runs):
            while row and row[0][0] < now_s - WINDOW_S:
                row.popleft()
        failing = {name for _, name in self._failures}
        return len(failing) >= AT_LEAST and len(failing) > SHARE * len({name for _, name in self._runs})
