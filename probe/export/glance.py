"""What one wants to see at a glance on a terminal: counts, the worst targets with their last hours, what changed."""

from collections.abc import Sequence

import msgspec

from probe.export.pictures.cells import worst_of
from probe.export.text.words import MARKS, describe_event, name_status, render_span, render_time
from probe.model.cell import SEVERITY, decode_cell
from probe.model.episode import Event
from probe.model.verdict import Status

BARS = dict(zip(SEVERITY, "·▁▃▅▅▅▇█", strict=True))
"""As in the strips of the pages: the worse, the higher."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One target."""

    id: str
    address: str
    status: Status
    since: float | None
    pattern: str
    confidence: int
    cells: bytes


class Glance(msgspec.Struct, frozen=True, kw_only=True):
    """One moment."""

    now: float
    source: str
    """Whose word it is: an address, or a file."""
    place: str
    counts: dict[Status, int]
    rows: tuple[Row, ...]
    """Worst first; not all of them."""
    events: tuple[Event, ...]
    note: str = ""

    @property
    def total(self) -> int:
        """Return how many targets there are."""
        return sum(self.counts.values())


def draw_bars(cells: bytes, width: int) -> str:
    """Return a row of cells in so many characters at most, the worst of what falls together."""
    each = max(1, -(-len(cells) // width))
    drawn = []
    for start in range(0, len(cells), each):
        status, _ = decode_cell(worst_of([bytes([code]) for code in cells[start : start + each]])[0])
        drawn.append(BARS[status] if status is not None else " ")
    return "".join(drawn)


def write_counts(glance: Glance) -> str:
    """Return how many targets are how, worst first."""
    parts = [f"{glance.counts[one]:,} {name_status(one)}" for one in reversed(SEVERITY) if glance.counts.get(one)]
    return f"{glance.total:,} targets: " + (", ".join(parts) or "none")


def write_since(row: Row, now: float) -> str:
    """Return how long it has been so; `-` = not confirmed."""
    return render_span(now - row.since) if row.since is not None else "-"


def write_status(row: Row) -> str:
    """Return mark, status and confidence."""
    sure = "" if row.status in (Status.OK, Status.INSUFFICIENT) else f" C{row.confidence}"
    return f"{MARKS[row.status]} {name_status(row.status)}{sure}"


def printable(text: str) -> str:
    """Return text without control characters: some of it was written by servers."""
    return "".join(c if c.isprintable() else "�" for c in text)


def write_plain(glance: Glance) -> Sequence[str]:
    """Return all of it as lines, for pipes: fields are parted by tabs."""
    head = f"{render_time(glance.now)}\t{glance.source}\t{glance.place}"
    lines = [head, write_counts(glance)]
    lines += [glance.note] if glance.note else []
    for row in glance.rows:
        fields = (write_status(row), write_since(row, glance.now), row.pattern or "-", row.address)
        lines.append("\t".join(printable(field) for field in fields))
    for event in glance.events:
        fields = (render_time(event.at), event.kind.value, event.target or "-", describe_event(event))
        lines.append("\t".join(printable(field) for field in fields))
    return lines
