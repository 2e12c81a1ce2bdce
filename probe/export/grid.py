"""The cells of all targets over a span of time, from hours as the store gives them."""

from collections.abc import Sequence

import msgspec

from probe.export.pictures.cells import Axis
from probe.export.pictures.shares import count_column
from probe.model.cell import NOTHING
from probe.model.verdict import Status
from probe.store.hours import QUARTERS, HourCells

HOUR_S = 3600


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


def fold_hour(found: HourCells) -> bytes:
    """Return the worst of the four quarters."""
    return bytes(map(max, *(found.cells[quarter::QUARTERS] for quarter in range(QUARTERS))))


def build_grid(axis: Axis, parts: dict[int, bytes], numbers: dict[str, int], *, quarters: bool) -> Grid:
    """Return the cells of an axis; `parts` are hours since the epoch, folded, or with all their quarters."""
    width = max(numbers.values(), default=0) + 1
    columns = _join(axis, parts, width, quarters=quarters)
    counts = tuple(count_column(column) for column in columns)
    return Grid(axis=axis, numbers=numbers, width=width, data=b"".join(columns), counts=counts)


def _join(axis: Axis, parts: dict[int, bytes], width: int, *, quarters: bool) -> list[bytes]:
    """Return all cells, column by column, each as wide."""
    columns = []
    for number in range(axis.cells):
        start = int(axis.from_at + number * axis.cell_s)
        hour = start // HOUR_S
        if quarters:
            column = parts.get(hour, b"")[start % HOUR_S // 900 :: QUARTERS]
        else:
            held = [parts.get(hour + more, b"") for more in range(int(axis.cell_s) // HOUR_S)]
            widest = max(map(len, held))
            column = bytes(map(max, *(one.ljust(widest, b"\0") for one in held))) if len(held) > 1 else held[0]
        columns.append(column[:width].ljust(width, b"\0"))
    longest = int(HOUR_S // axis.cell_s)
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
