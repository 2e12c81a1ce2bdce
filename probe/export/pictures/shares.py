"""How many targets were in each status over time: columns of stacked shares."""

from collections import Counter
from collections.abc import Sequence

from probe.export.pictures.cells import Axis, render_ticks
from probe.export.pictures.svg import element, percent, text
from probe.export.text.words import name_status
from probe.model.cell import STATUSES
from probe.model.verdict import Status

_TOP_PX, _HEIGHT_PX = 6, 200
_SEAM = 0.0008
"""Columns overlap so far: rounded to pixels they would leave gaps."""
_ORDER = tuple(status for status in reversed(STATUSES) if status is not None)
"""Worst first, from the base up: small numbers of blocked targets lie on the line and are comparable."""


def count_column(column: bytes) -> dict[Status, int]:
    """Return how many cells of a column are in each status; those without data are in none."""
    counts: Counter[Status] = Counter()
    for code, number in Counter(column).items():
        status = STATUSES[code >> 4]
        if status is not None:
            counts[status] += number
    return dict(counts)


def render_shares(columns: Sequence[dict[Status, int]], axis: Axis) -> str:
    """Return the picture: the height is the share of troubled targets, scaled to the worst moment.

    Where `ok` is nearly everything, it would leave the rest a line: the picture is of what is not ok.
    """
    highest = max((_troubled(column) for column in columns), default=0)
    scale = _round_up(max(1, highest))
    parts, marks = _render_grid(scale)
    for number, column in enumerate(columns):
        base = 0.0
        place = {"x": percent(number / len(columns)), "width": percent(1 / len(columns) + _SEAM)}
        title = element("title", text(_say(column)))
        for status in _ORDER:
            count = column.get(status, 0)
            if not count or status is Status.OK:
                continue
            height = _HEIGHT_PX * count / scale
            base += height
            parts.append(
                element(
                    "rect", title, **place, y=_TOP_PX + _HEIGHT_PX - base, height=height, class_=f"s-{status.value}"
                )
            )
        if not column:
            parts.append(element("rect", **place, y=_TOP_PX, height=_HEIGHT_PX, class_="gap"))
    parts += render_ticks(axis, _TOP_PX + _HEIGHT_PX + 16)
    return element("svg", *parts, *marks, class_="shares", role="img", aria_label=_describe(columns, highest))


def _render_grid(scale: int) -> tuple[list[str], list[str]]:
    """Return the lines, which lie below the columns, and their values, which must be read above them."""
    parts, marks = [], []
    for value in (scale, scale // 2) if scale > 1 else (scale,):
        y = _TOP_PX + _HEIGHT_PX * (1 - value / scale)
        parts.append(element("line", x1="0", x2="100%", y1=y, y2=y, class_="grid"))
        marks.append(element("text", text(f"{value:,}"), x="0", y=y + 12, class_="tick scale"))
    base = _TOP_PX + _HEIGHT_PX
    return [*parts, element("line", x1="0", x2="100%", y1=base, y2=base, class_="base")], marks


def _troubled(column: dict[Status, int]) -> int:
    return sum(count for status, count in column.items() if status is not Status.OK)


def _round_up(value: int) -> int:
    """Return the next of 1, 2, 4, 6, 8, 10, 20, 40, …: the line half-way up has a whole number too."""
    scale = 1
    while True:
        for factor in (1, 2, 4, 6, 8):
            if value <= factor * scale:
                return factor * scale
        scale *= 10


def _say(column: dict[Status, int]) -> str:
    return ", ".join(f"{count:,} {name_status(status)}" for status, count in column.items()) or "no data"


def _describe(columns: Sequence[dict[Status, int]], highest: int) -> str:
    latest = next((column for column in reversed(columns) if column), {})
    return f"Targets that were not ok, over time: at most {highest:,} at once; last {_say(latest)}."
