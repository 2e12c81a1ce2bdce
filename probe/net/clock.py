"""Two times: the wall's, for people, and the boot's, for arithmetic."""

import time
from typing import Protocol


class Clock(Protocol):
    """What a room that needs the time is given."""

    def wall_s(self) -> float:
        """Return seconds since the epoch (UTC)."""
        ...

    def boot_s(self) -> float:
        """Return seconds that no clock step moves and that go on during suspend, where the system can tell."""
        ...


class SystemClock:
    """The machine's clocks."""

    def __init__(self) -> None:
        self._boot_id = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

    def wall_s(self) -> float:
        """Return seconds since the epoch (UTC)."""
        return time.time()

    def boot_s(self) -> float:
        """Return seconds since boot, suspend included."""
        return time.clock_gettime(self._boot_id)
