"""Bytes against the budget of a day: 24 hours on the boot clock, so no clock step forgives or charges twice."""

from collections import deque

_HOUR_S = 3600.0
_HOURS = 24


class DayVolume:
    """Bytes in both directions, in bins of an hour."""

    def __init__(self, limit_bytes: int, now_s: float) -> None:
        self.limit_bytes = limit_bytes
        self.sent_total = 0
        self.received_total = 0
        self._hour = int(now_s // _HOUR_S)
        self._before_this_hour = 0
        self._bins: deque[tuple[int, int]] = deque()
        """Hour and volume of the hours that are over, oldest first; hours without traffic are left out."""

    def add(self, sent: int, received: int) -> None:
        """Count what one operation carried."""
        self.sent_total += sent
        self.received_total += received

    def today(self, now_s: float) -> int:
        """Return the bytes of the last 24 hours, to the hour.

        What came since the last call counts for the hour of that call: call it every few minutes at least.
        """
        hour = int(now_s // _HOUR_S)
        total = self.sent_total + self.received_total
        if hour != self._hour:
            self._bins.append((self._hour, total - self._before_this_hour))
            self._hour = hour
            self._before_this_hour = total
        while self._bins and self._bins[0][0] <= hour - _HOURS:
            self._bins.popleft()
        return total - self._before_this_hour + sum(volume for _, volume in self._bins)

    def allows_deep(self, now_s: float) -> bool:
        """Tell whether deep runs may go on: they are the first to stop."""
        return self.today(now_s) < self.limit_bytes
