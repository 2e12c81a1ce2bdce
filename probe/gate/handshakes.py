"""How often an endpoint was shaken hands with, and which numbers are spent: kept over restarts.

Source: CONTRACT section 6 for the spacing. Times are wall times, because they must outlive a reboot; a clock that was
set back makes nobody wait for longer than one spacing.
"""

from probe.model.ledger import LedgerState
from probe.net.clock import Clock

_FORGET_AFTER_S = 86400.0
_AHEAD = 5_000_000_000
"""Reserved beyond what is asked for: five seconds of nanoseconds, so that a burst waits for the disk once.

No more: what a restart leaves unused of it lies in the future, and a server that saw such a timestamp refuses another
client of the same key, whose clock is right, until then.
"""


class Handshakes:
    """The memory alone; the gate saves it."""

    def __init__(self, clock: Clock, kept: LedgerState) -> None:
        self._clock = clock
        self._last: dict[str, float] = dict(kept.handshakes)
        self._limits: dict[str, int] = dict(kept.counters)
        """First number that is not reserved on disk, by counter."""
        self._next: dict[str, int] = dict(kept.counters)

    def wait_s(self, identity: str, spacing_s: float) -> float:
        """Return how long until this endpoint may be shaken hands with; 0 = now."""
        last_s = self._last.get(identity)
        if last_s is None:
            return 0.0
        return min(max(0.0, last_s + spacing_s - self._clock.wall_s()), spacing_s)

    def note(self, identity: str) -> None:
        """Remember a handshake that is about to begin."""
        self._last[identity] = self._clock.wall_s()

    def reserve(self, counter: str, at_least: int, count: int) -> tuple[int, bool]:
        """Return the first of `count` numbers never given before, and whether the reserve on disk must grow first."""
        number = max(at_least, self._next.get(counter, 0))
        self._next[counter] = number + count
        if number + count <= self._limits.get(counter, 0):
            return number, False
        self._limits[counter] = number + count + _AHEAD
        return number, True

    def forgo(self, counter: str) -> None:
        """Take back the reserve, which did not reach the disk: the next who asks must try again."""
        self._limits[counter] = self._next[counter]

    def snapshot(self) -> tuple[dict[str, float], dict[str, int]]:
        """Return what the ledger keeps: handshakes of the last day, and all reserves."""
        since_s = self._clock.wall_s() - _FORGET_AFTER_S
        self._last = {identity: at for identity, at in self._last.items() if at >= since_s}
        return dict(self._last), dict(self._limits)
