"""The cells of all targets over a span of time, from hours as the store gives them."""

import msgspec

from probe.export.pictures.cells import Axis
from probe.export.pictures.shares import count_column
from probe.model.cell import NOTHING
from probe.model.verdict import Status
from probe.store.hours import HourCells

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
    """Return the worst of the hour's parts."""
    return bytes(map(max, *(found.cells[part :: found.parts] for part in range(found.parts))))


def build_grid(axis: Axis, hours: dict[int, bytes], numbers: dict[str, int], *, parts: int) -> Grid:
    """Return the cells of an axis; `hours` are since the epoch, each in so many parts, 1 = folded."""
    width = max(numbers.values(), default=0) + 1
    cut = [_cut(axis, number, hours, parts)[:width].ljust(width, b"\0") for number in range(axis.cells)]
    columns = _hold(cut, axis)
    counts = tuple(count_column(column) for column in columns)
    return Grid(axis=axis, numbers=numbers, width=width, data=b"".join(columns), counts=counts)


def _cut(axis: Axis, number: int, hours: dict[int, bytes], parts: int) -> bytes:
    """Return one cell of all targets: a part of an hour, or the worst of several hours."""
    start = int(axis.from_at + number * axis.cell_s)
    hour = start // HOUR_S
    if parts > 1:
        return hours.get(hour, b"")[start % HOUR_S * parts // HOUR_S :: parts]
    held = [hours.get(hour + more, b"") for more in range(int(axis.cell_s) // HOUR_S)]
    widest = max(map(len, held))
    return bytes(map(max, *(one.ljust(widest, b"\0") for one in held))) if len(held) > 1 else held[0]


def _hold(columns: list[bytes], axis: Axis) -> list[bytes]:
    """Return the columns; where nothing was run, what was found before holds, for an hour at most.

    That is the longest interval between two runs, and less than a gap (CONTRACT section 5). Each pass looks as far back
    as all before it together, so that few are needed; the nearest always wins.
    """
    left, reach = int(HOUR_S // axis.cell_s), 1
    while left > 0:
        step = min(reach, left)
        columns = [_fill(column, columns[at - step] if at >= step else b"") for at, column in enumerate(columns)]
        left, reach = left - step, reach + step
    return columns


def _fill(column: bytes, before: bytes) -> bytes:
    """Return the column with what is 0 in it taken from before.

    As one large number each, because byte by byte 10,000 targets would hold up the interpreter.
    """
    size = len(column)
    if not before or column.find(NOTHING, 1) < 0:  # no target has the number 0
        return column
    cells, lowest = int.from_bytes(column, "little"), int.from_bytes(b"\1" * size, "little")
    gathered = cells
    for shift in range(1, 8):
        gathered |= cells >> shift
    taken = (gathered & lowest) * 0xFF  # all bits of each byte that is not 0
    return (cells | (int.from_bytes(before, "little") & ~taken)).to_bytes(size, "little")
