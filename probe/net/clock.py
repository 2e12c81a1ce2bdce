"""Two times: the wall's, for people, and the boot's, for arithmetic."""

import functools
import time
from collections.abc import Callable
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
    """The machine's clocks. They are read twenty times in a check, so there is no call of ours around the system's."""

    def __init__(self) -> None:
        self.wall_s: Callable[[], float] = time.time
        """Seconds since the epoch (UTC)."""
        self.boot_s: Callable[[], float] = functools.partial(
            time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        )
        """Seconds since boot, suspend included."""
