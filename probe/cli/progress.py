"""Shows on a terminal that a check is still at work; silent everywhere else."""

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


class Progress:
    """A bar on stderr while targets are checked."""

    def __init__(self, total: int, *, enabled: bool) -> None:
        self._total = total
        self._enabled = enabled
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if self._enabled:
            from rich.console import Console
            from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(),
                console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._bar.start()
            self._task = self._bar.add_task("measuring", total=self._total or None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def advance(self, address: str) -> None:
        """Count one target as done."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, advance=1, description=f"measured {address}")

    def wait_for(self, address: str, delay_s: float) -> None:
        """Say why nothing seems to happen."""
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=f"waiting {delay_s:.0f} s until {address} is cold again")

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Take the bar away while a report is printed."""
        if self._bar is not None:
            self._bar.stop()
        try:
            yield
        finally:
            if self._bar is not None:
                self._bar.start()
