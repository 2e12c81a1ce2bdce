"""The bench's arithmetic: medians and spreads, ratios taken within a round, figures held against their limits."""

import statistics
from collections.abc import Sequence

import msgspec

NOISY_SHARE = 0.25
"""A reference job that strays further than this from its median makes a run neither pass nor fail."""


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """Repeated readings of one thing."""

    median: float
    low: float
    high: float
    readings: tuple[float, ...]

    @property
    def noisy(self) -> bool:
        """Tell whether a reading strays from the median by more than a quarter of it."""
        return max(self.high - self.median, self.median - self.low) > NOISY_SHARE * self.median


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report."""

    name: str
    spread: Spread
    unit: str
    limit: float | None = None
    """The figure must not exceed it; `None` = it is there to be read."""
    noisy: bool = False
    digits: int = 3

    @property
    def verdict(self) -> str:
        """Return `ok`, `over`, `noisy`, or nothing where there is no limit."""
        if self.limit is None:
            return ""
        if self.spread.median <= self.limit:
            return "ok"
        return "noisy" if self.noisy else "over"


def spread_of(readings: Sequence[float]) -> Spread:
    """Sum readings up.

    Raises:
        ValueError: there are none.
    """
    if not readings:
        raise ValueError("no readings")
    return Spread(median=statistics.median(readings), low=min(readings), high=max(readings), readings=tuple(readings))


def ratios_within_rounds(ours: Sequence[float], reference: Sequence[float]) -> Spread:
    """Divide round by round, so that what slows a whole round down cancels out."""
    return spread_of([mine / other for mine, other in zip(ours, reference, strict=True)])


def reading(name: str, value: float, unit: str, *, limit: float | None = None, digits: int = 3) -> Figure:
    """Return the figure of a single reading."""
    return Figure(name=name, spread=spread_of([value]), unit=unit, limit=limit, digits=digits)


def render_figures(figures: Sequence[Figure]) -> list[str]:
    """Return a table, one line for each figure."""
    width = max((len(figure.name) for figure in figures), default=0)
    return [_render(figure, width) for figure in figures]


def _render(figure: Figure, width: int) -> str:
    spread, digits = figure.spread, figure.digits
    line = f"{figure.name:<{width}}  {spread.median:>10.{digits}f} {figure.unit:<5}"
    if len(spread.readings) > 1:
        line += f"  {spread.low:.{digits}f} to {spread.high:.{digits}f}"
    if figure.limit is not None:
        line += f"  limit {figure.limit:g}: {figure.verdict}"
    return line.rstrip()
