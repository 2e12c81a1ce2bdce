"""Rows of cells (`probe.model.cell`) as runs of equal ones, as sentences, and as strips."""

import re
from collections.abc import Sequence

import msgspec

from probe.export.pictures.svg import element, percent, text
from probe.export.text.words import find_moment, name_status
from probe.model.cell import NOTHING, OK, SEVERITY, decode_cell
from probe.model.verdict import Status

_EQUAL = re.compile(rb"(.)\1*", re.DOTALL)
HEIGHTS = dict(zip(SEVERITY, (22, 34, 50, 66, 66, 66, 86, 100), strict=True))
"""Per cent of the strip: the worse, the higher, so that nobody needs the colours."""
_PLAIN = frozenset({Status.OK, Status.INSUFFICIENT})
_TICKS = 6
"""As many words as find room below a strip on a narrow screen."""


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """The times that the cells of a row stand for."""

    from_at: float
    """Wall time of the first cell's beginning."""
    cell_s: float
    cells: int

    @property
    def to_at(self) -> float:
        """Return the end of the last cell."""
        return self.from_at + self.cell_s * self.cells


def find_runs(cells: bytes) -> list[tuple[int, int]]:
    """Return (code, how many in a row) pairs."""
    return [(match.group()[0], match.end() - match.start()) for match in _EQUAL.finditer(cells)]


def describe_cells(cells: bytes) -> str:
    """Return a row in words: `ok 92 %, blocked 8 % (tls); no data for 5 %`."""
    measured = len(cells) - cells.count(NOTHING)
    if not measured:
        return "no data"
    shares: dict[Status, int] = {}
    layers: dict[Status, set[str]] = {}
    for code in set(cells) - {NOTHING}:
        status, layer = decode_cell(code)
        if status is not None:
            shares[status] = shares.get(status, 0) + cells.count(code)
            layers.setdefault(status, set()).update({layer} - {""})
    parts = []
    for status in sorted(shares, key=lambda one: -shares[one]):
        where = f" ({', '.join(sorted(layers[status]))})" if layers[status] else ""
        parts.append(f"{name_status(status)} {_share(shares[status], measured)}{where}")
    missing = len(cells) - measured
    return ", ".join(parts) + (f"; no data for {_share(missing, len(cells))}" if missing else "")


def _share(part: int, whole: int) -> str:
    exact = 100 * part / whole
    return f"{exact:.0f} %" if exact >= 1 or part == 0 else "under 1 %"


def render_strip(cells: bytes, axis: Axis, *, label: str = "") -> str:
    """Return a row of cells as a picture: colour and height say the status, the pattern says the layer."""
    parts, at = [], 0
    for code, count in find_runs(cells):
        status, layer = decode_cell(code)
        place = {"x": percent(at / len(cells)), "width": percent(count / len(cells))}
        if status is None:
            parts.append(element("rect", **place, y="90%", height="10%", class_="none"))
        else:
            height = HEIGHTS[status]
            title = element("title", text(_name_run(axis, at, count, status, layer))) if code != OK else ""
            box = {"y": f"{100 - height}%", "height": f"{height}%"}
            parts.append(element("rect", title, **place, **box, class_=f"s-{status.value}"))
            if layer and status not in _PLAIN:
                parts.append(element("rect", **place, **box, fill=f"url(#p-{layer})", class_="over"))
        at += count
    words = f"{label}: {describe_cells(cells)}" if label else describe_cells(cells)
    return element("svg", *parts, class_="strip", role="img", aria_label=words)


def _name_run(axis: Axis, at: int, count: int, status: Status, layer: str) -> str:
    start, end = axis.from_at + at * axis.cell_s, axis.from_at + (at + count) * axis.cell_s
    where = f", {layer}" if layer else ""
    return f"{_clock(start, axis)}–{_clock(end, axis)} UTC  {name_status(status)}{where}"


def _clock(at: float, axis: Axis) -> str:
    moment = find_moment(at)
    if moment is None:
        return ""
    return moment.strftime("%H:%M" if axis.to_at - axis.from_at <= 86400 else "%d %b %H:%M")


def find_ticks(axis: Axis) -> list[tuple[float, str]]:
    """Return round times inside the axis as (share of the width, words)."""
    span_s = axis.to_at - axis.from_at
    minutes = (10, 30, 60, 180, 240, 360, 720, 1440, 2880, 7200, 10_080, 20_160)
    step_s = next((60 * step for step in minutes if span_s / (60 * step) <= _TICKS), 30 * 86400)
    at, ticks = (axis.from_at // step_s + 1) * step_s, []
    while at < axis.to_at:
        moment = find_moment(at)
        if moment is not None:
            at_midnight = moment.hour == 0 and moment.minute == 0
            ticks.append(((at - axis.from_at) / span_s, moment.strftime("%d %b" if at_midnight else "%H:%M")))
        at += step_s
    return ticks


def render_axis(axis: Axis) -> str:
    """Return the times below or above strips."""
    return element("svg", *render_ticks(axis, 12), class_="axis", aria_hidden="true")


def render_ticks(axis: Axis, y: float) -> list[str]:
    """Return the times of an axis, each under its place: all pictures of one page have them at the same places."""
    return [
        element("text", text(words), x=percent(share), y=y, text_anchor="middle", class_="tick")
        for share, words in find_ticks(axis)
        if 0.04 < share < 0.96
    ]


def worst_of(rows: Sequence[bytes]) -> bytes:
    """Return the worst of several rows, cell by cell: codes are ordered so."""
    return rows[0] if len(rows) == 1 else bytes(map(max, *rows)) if rows else b""


def best_of(rows: Sequence[bytes]) -> bytes:
    """Return the best of several rows, cell by cell; what was not measured does not count."""
    return bytes(min((code for code in codes if code), default=NOTHING) for codes in zip(*rows, strict=True))
