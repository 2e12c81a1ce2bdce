"""The cells of all targets over a span of time, read hour by hour from the store and kept while they are asked for.

An hour that is over does not change, so it is read once. Reading and folding go on in threads.
"""

import asyncio
from collections.abc import Sequence
from enum import StrEnum

import msgspec

from probe.export.pictures.cells import Axis
from probe.export.pictures.shares import count_column
from probe.model.cell import NOTHING
from probe.model.verdict import Status
from probe.store.hours import QUARTERS, HourCells
from probe.web.agent_view import AgentView

_FRESH_S = 10.0
_HOUR_S = 3600
_KEPT_HOURS = 31 * 24
_KEPT_QUARTERS = 26


class Span(StrEnum):
    """How far back a heat map goes."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


_CELLS = {Span.DAY: (96, 900), Span.WEEK: (168, _HOUR_S), Span.MONTH: (180, 4 * _HOUR_S)}
"""How many cells, and the seconds of each."""


class Grid(msgspec.Struct, frozen=True, kw_only=True):
    """The cells of every target, oldest first."""

    axis: Axis
    numbers: dict[str, int]
    width: int
    """How many numbers a column has."""
    data: bytes
    """Column by column."""
    counts: tuple[dict[Status, int], ...]
    """How many targets were in each status, column by column."""

    def row(self, target: str) -> bytes:
        """Return the cells of one target; all empty for one that was never run."""
        number = self.numbers.get(target)
        if number is None or number >= self.width:
            return bytes(self.axis.cells)
        return self.data[number :: self.width]


class HeatMap:
    """Keeps what was read."""

    def __init__(self, view: AgentView) -> None:
        self._view = view
        self._hours: dict[int, bytes] = {}
        """The worst of each target in an hour, by the hour."""
        self._quarters: dict[int, bytes] = {}
        self._grids: dict[Span, tuple[float, Grid]] = {}
        self._locks = {span: asyncio.Lock() for span in Span}

    async def grid(self, span: Span) -> Grid:
        """Return the cells of a span that ends now; at most ten seconds old."""
        async with self._locks[span]:
            now_s = self._view.wall_s()
            kept = self._grids.get(span)
            if kept is not None and 0 <= now_s - kept[0] < _FRESH_S:
                return kept[1]
            grid = await self._build(span, now_s)
            self._grids[span] = now_s, grid
            return grid

    async def _build(self, span: Span, now_s: float) -> Grid:
        cells, cell_s = _CELLS[span]
        end = int(now_s // cell_s) + 1
        axis = Axis(from_at=(end - cells) * cell_s, cell_s=cell_s, cells=cells)
        current = int(now_s // _HOUR_S)
        hours = range(int(axis.from_at // _HOUR_S), current + 1)
        quarters = span is Span.DAY
        for hour in hours:
            known = hour in (self._quarters if quarters else self._hours)
            if not known or hour >= current - 1:
                await self._read(hour, current)
        self._forget(current)
        numbers = await self._view.numbers()
        width = max(numbers.values(), default=0) + 1
        source = self._quarters if quarters else self._hours
        parts = {hour: source.get(hour, b"") for hour in hours}
        columns = await asyncio.to_thread(_join, axis, parts, width, quarters=quarters)
        counts = await asyncio.to_thread(lambda: tuple(count_column(column) for column in columns))
        return Grid(axis=axis, numbers=numbers, width=width, data=b"".join(columns), counts=counts)

    async def _read(self, hour: int, current: int) -> None:
        found = await self._view.hour(hour)
        self._hours[hour] = await asyncio.to_thread(_fold, found)
        if hour > current - _KEPT_QUARTERS:
            self._quarters[hour] = found.cells

    def _forget(self, current: int) -> None:
        for kept, hours in ((self._hours, _KEPT_HOURS), (self._quarters, _KEPT_QUARTERS)):
            for hour in [hour for hour in kept if not current - hours < hour <= current]:
                del kept[hour]


def _fold(found: HourCells) -> bytes:
    """Return the worst of the four quarters."""
    return bytes(map(max, *(found.cells[quarter::QUARTERS] for quarter in range(QUARTERS))))


def _join(axis: Axis, parts: dict[int, bytes], width: int, *, quarters: bool) -> list[bytes]:
    """Return all cells, column by column, each as wide."""
    columns = []
    for number in range(axis.cells):
        start = int(axis.from_at + number * axis.cell_s)
        hour = start // _HOUR_S
        if quarters:
            column = parts.get(hour, b"")[start % _HOUR_S // 900 :: QUARTERS]
        else:
            held = [parts.get(hour + more, b"") for more in range(int(axis.cell_s) // _HOUR_S)]
            widest = max(map(len, held))
            column = bytes(map(max, *(one.ljust(widest, b"\0") for one in held))) if len(held) > 1 else held[0]
        columns.append(column[:width].ljust(width, b"\0"))
    longest = max(1, int(_HOUR_S // axis.cell_s))
    return [_hold(columns, number, longest) for number in range(axis.cells)]


def _hold(columns: Sequence[bytes], number: int, longest: int) -> bytes:
    """Return a column; where nothing was run in it, what was found before holds, for an hour at most.

    That is the longest interval between two runs, and less than a gap (VERDICTS section 5).
    """
    column = columns[number]
    if column.find(NOTHING, 1) < 0:  # no target has the number 0
        return column
    for before in range(number - 1, max(-1, number - 1 - longest), -1):
        column = bytes(map(_either, column, columns[before]))
    return column


def _either(first: int, second: int) -> int:
    return first or second
