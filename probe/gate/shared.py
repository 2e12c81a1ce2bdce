"""How often endpoints are shaken hands with by all processes of a state folder that no daemon grants their traffic.

A file for each endpoint holds the time of the last handshake; its lock lets one process at a time look and write. A
name says nothing: it is a hash, keyed by the installation. Where the folder cannot be written, each process counts for
itself. Source: flock(2); elsewhere than on Unix there is no such lock, and no counting together.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

from probe.net.clock import Clock

try:
    import fcntl
except ImportError:  # pragma: no cover - not on Windows
    fcntl = None  # type: ignore[assignment]

FOLDER = "handshakes"
_FORGET_AFTER_S = 86400.0


class SharedHandshakes:
    """Long-lived: one per process."""

    def __init__(self, folder: Path, clock: Clock, mark: Callable[[str], str]) -> None:
        """Prepare; `mark` makes an endpoint's file name of what it is called."""
        self._folder = folder
        self._clock = clock
        self._mark = mark

    def claim(self, identity: str, spacing_s: float) -> float:
        """Note a handshake that begins now, or return how long until one may."""
        if fcntl is None or spacing_s <= 0:
            return 0.0
        try:
            self._folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            with (self._folder / self._mark(identity)).open("a+", encoding="ascii", errors="replace") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                file.seek(0)
                now_s = self._clock.wall_s()
                # A clock that was set back makes nobody wait for longer than one spacing.
                wait_s = min(max(0.0, _read(file.read(64)) + spacing_s - now_s), spacing_s)
                if wait_s == 0.0:
                    file.truncate(0)
                    file.write(f"{now_s:.3f}")
                return wait_s
        except OSError:
            return 0.0

    def forget_old(self) -> None:
        """Take away what says nothing any more."""
        with contextlib.suppress(OSError):
            for path in self._folder.iterdir():
                if path.stat().st_mtime < self._clock.wall_s() - _FORGET_AFTER_S:
                    os.unlink(path)


def _read(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
