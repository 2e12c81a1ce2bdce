"""The storm guard: when a whole country changes at once, follow-ups cost no more than the checks themselves do.

Checks alone are clean operation. Follow-ups get a minute of it at once and four fifths of it after that: over any five
minutes, the usual interval, both together are at most twice of clean operation.
"""

from probe.gate.line import TokenBucket

_BURST_S = 60.0
_SHARE = 0.8
"""A minute at once and this much after it make five minutes' worth in five minutes."""
_MIN_BURST = 60.0
"""Connections: a handful of targets that change at once get their follow-ups without delay."""


class StormGuard:
    """A budget of connections for follow-ups; it is open until the load of clean operation is known."""

    def __init__(self) -> None:
        self._bucket: TokenBucket | None = None
        self.deferred_total = 0

    def expect(self, connections_per_s: float, now_s: float) -> None:
        """Learn what clean operation costs; 0 = nothing is scheduled, and the guard is open."""
        if connections_per_s <= 0:
            self._bucket = None
            return
        burst = max(_MIN_BURST, connections_per_s * _BURST_S)
        if self._bucket is None:
            self._bucket = TokenBucket(connections_per_s * _SHARE, now_s, burst=burst)
        else:
            self._bucket.set_rate(connections_per_s * _SHARE, now_s, burst=burst)

    def has_room(self, now_s: float) -> bool:
        """Tell whether half of the budget is there: what nothing calls for leaves the rest to what does."""
        return self._bucket is None or self._bucket.holds(now_s, self._bucket.burst / 2)

    def allows(self, connections: int, now_s: float) -> bool:
        """Take this many connections from the budget; False = keep the follow-ups for later."""
        if self._bucket is None or self._bucket.take(now_s, min(float(connections), self._bucket.burst)):
            return True
        self.deferred_total += 1
        return False
