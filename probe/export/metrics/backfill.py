"""What was found over time as OpenMetrics with timestamps, to fill the hole that a cut line left in Prometheus.

Source: OpenMetrics 1.0.0; `promtool tsdb create-blocks-from openmetrics`, which wants a timestamp on every sample and
`# EOF` at the end. Names and labels are those of `/metrics`, so that queries and rules read on across the hole.

A row of ok runs is stored as its first, its last and their number: they are laid out evenly between the two, which is
how the schedule makes them. Runs that could not be judged leave no sample, as they change nothing on `/metrics`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from probe.export.metrics.families import FAMILIES, Format, Slot
from probe.export.metrics.labels import render_labels
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, Status

END = b"# EOF\n"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A run, or a row of equal ones."""

    first_at: float
    last_at: float
    runs: int
    status: Status
    pattern: Pattern | None = None
    cause: Cause = Cause.NONE
    confidence: Confidence | None = None


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """One target, and what `group` says of it."""

    target: str
    group: str = ""


Point = tuple[float, Found]


def lay_out(found: Iterable[Found], since: float, until: float) -> list[Point]:
    """Return a point for each judged run within the time, oldest first, no two in the same millisecond."""
    points: list[Point] = []
    for row in found:
        if row.status is Status.INSUFFICIENT:
            continue
        apart_s = (row.last_at - row.first_at) / (row.runs - 1) if row.runs > 1 else 0.0
        points += [(row.first_at + number * apart_s, row) for number in range(row.runs if apart_s else 1)]
    points.sort(key=lambda point: point[0])
    kept: list[Point] = []
    last_ms = -1
    for at, row in points:
        at_ms = round(at * 1000)
        if at_ms > last_ms and since <= at <= until:
            kept.append((at_ms / 1000, row))
            last_ms = at_ms
    return kept


def render_backfill(
    series: Sequence[Series], load: Callable[[str], list[Point]], more: Mapping[str, str]
) -> Iterator[bytes]:
    """Yield the page in pieces, family by family; `load` is asked once for each family and target."""
    lines: dict[Slot, Callable[[str, list[Point]], list[str]]] = {
        Slot.REACHABLE: _reachable,
        Slot.STATUS: _statuses,
        Slot.PATTERN: _patterns,
        Slot.CONFIDENCE: _confidences,
        Slot.LAST_RUN: _last_runs,
    }
    for slot, render in lines.items():
        yield FAMILIES[slot].render_head(Format.OPENMETRICS)
        for one in series:
            keys = render_labels({"target": one.target, "group": one.group, **more})
            yield "".join(render(f"{FAMILIES[slot].name}{{{keys}", load(one.target))).encode()
    yield END


def _reachable(start: str, points: list[Point]) -> list[str]:
    return [f"{start}}} {int(row.status.reachable)} {at:.3f}\n" for at, row in points]


def _statuses(start: str, points: list[Point]) -> list[str]:
    return [
        f'{start},status="{status.value}"}} {int(row.status is status)} {at:.3f}\n'
        for status in Status
        for at, row in points
    ]


def _patterns(start: str, points: list[Point]) -> list[str]:
    """Return the samples pattern by pattern: the samples of one series stand together."""
    named: dict[str, list[str]] = {}
    for at, row in points:
        if row.status is not Status.OK:
            labels = f'pattern="{row.pattern.value if row.pattern else ""}",cause="{row.cause.value}"'
            named.setdefault(labels, []).append(f"{start},{labels}}} 1 {at:.3f}\n")
    return [line for lines in named.values() for line in lines]


def _confidences(start: str, points: list[Point]) -> list[str]:
    return [f"{start}}} {row.confidence.value} {at:.3f}\n" for at, row in points if row.confidence is not None]


def _last_runs(start: str, points: list[Point]) -> list[str]:
    return [f"{start}}} {at:.3f} {at:.3f}\n" for at, _ in points]
