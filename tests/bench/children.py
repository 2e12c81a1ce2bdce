"""Processes that a job starts: pinned to a core, ended by their own id, their CPU and memory read from outside."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

_CPUCLOCK_SCHED = 2
"""`clock_getcpuclockid`: scheduler time of a whole process, in nanoseconds."""
_STOP_S = 8.0


class Child:
    """One process; leave the block and it is gone."""

    def __init__(
        self, argv: Sequence[str], *, core: int, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self._log = log
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
            )
        os.sched_setaffinity(self.process.pid, {core})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End it, kindly first."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_STOP_S)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until it is ready.

        Raises:
            RuntimeError: it ended first, or took too long; with the last lines it wrote.
        """
        deadline_s = time.monotonic() + timeout_s
        while not ready():
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.process.args!r} ended with {self.process.returncode}: {self._tail()}")
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{self.process.args!r} was not ready in {timeout_s} s: {self._tail()}")
            time.sleep(0.02)

    def _tail(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")[-2000:]

    def cpu_s(self) -> float:
        """Return the CPU time of all its threads so far, user and system."""
        return time.clock_gettime((~self.process.pid << 3) | _CPUCLOCK_SCHED)

    def rss_mb(self) -> float:
        """Return its resident memory in MB (10⁶ bytes)."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise RuntimeError("no VmRSS")
