"""How long each phase took, over time: stacked columns, with the runs that failed marked below."""

from collections.abc import Sequence

import msgspec

from probe.export.pictures.cells import Axis, render_ticks
from probe.export.pictures.svg import element, percent, text
from probe.export.text.words import name_status, render_duration
from probe.model.verdict import Status
from probe.store.values import Run

SHOWN = ("resolve", "connect", "tls", "quic", "handshake", "first_byte", "transfer", "echo")
"""From the base up, in the order in which they happen."""
_COLUMNS = 96
_TOP_PX, _HEIGHT_PX = 8, 150


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One moment of the picture."""

    phases: dict[str, float]
    """Mean duration by phase, in the order of `SHOWN`."""
    runs: int = 0
    worst: Status | None = None
    """Of the runs in it that were not ok; `None` = all were, or there were none."""


def build_columns(runs: Sequence[Run], axis: Axis, family: int) -> tuple[Column, ...]:
    """Return the columns of an axis; phases of a family only, an hour of folded runs fills what it spans."""
    sums: list[dict[str, tuple[float, int]]] = [{} for _ in range(_COLUMNS)]
    counts, worst = [0] * _COLUMNS, [Status.OK] * _COLUMNS
    step_s = (axis.to_at - axis.from_at) / _COLUMNS
    for run in runs:
        first = int((run.first_at - axis.from_at) // step_s)
        last = int((run.last_at - axis.from_at) // step_s)
        for number in range(max(0, first), min(_COLUMNS - 1, last) + 1):
            counts[number] += run.runs
            if run.status is not Status.OK:
                worst[number] = run.status
            for phase in run.phases:
                if phase.name in SHOWN and phase.family in (family, 0):
                    total, runs_in = sums[number].get(phase.name, (0.0, 0))
                    sums[number][phase.name] = total + phase.durations.mean_s * phase.runs, runs_in + phase.runs
    return tuple(
        Column(
            phases={name: sums[at][name][0] / sums[at][name][1] for name in SHOWN if name in sums[at]},
            runs=counts[at],
            worst=worst[at] if worst[at] is not Status.OK else None,
        )
        for at in range(_COLUMNS)
    )


def choose_family(runs: Sequence[Run]) -> int:
    """Return the family that most runs have phases of."""
    four, six = (sum(any(p.family == family for p in run.phases) for run in runs) for family in (4, 6))
    return 6 if six > four else 4


def find_phases(columns: Sequence[Column]) -> tuple[tuple[str, float], ...]:
    """Return the phases that there are, each with its median over the columns: the legend, and the table beside it."""
    found = []
    for name in SHOWN:
        values = sorted(column.phases[name] for column in columns if name in column.phases)
        if values:
            found.append((name, values[len(values) // 2]))
    return tuple(found)


def render_timings(columns: Sequence[Column], axis: Axis) -> str:
    """Return the picture. Its scale leaves out the highest twentieth, so that one slow run does not flatten all."""
    totals = sorted(sum(column.phases.values()) for column in columns if column.phases)
    top_s = _round_up(totals[min(len(totals) - 1, len(totals) * 19 // 20)] if totals else 0.1)
    base = _TOP_PX + _HEIGHT_PX
    parts, marks = [], []
    for value in (top_s, top_s / 2):
        y = base - _HEIGHT_PX * value / top_s
        parts.append(element("line", x1="0", x2="100%", y1=y, y2=y, class_="grid"))
        marks.append(element("text", text(render_duration(value)), x="0", y=y + 12, class_="tick scale"))
    for number, column in enumerate(columns):
        parts += _render_column(column, number / len(columns), 1 / len(columns), base, top_s)
    parts.append(element("line", x1="0", x2="100%", y1=base, y2=base, class_="base"))
    parts += render_ticks(axis, base + 30)
    return element("svg", *parts, *marks, class_="timings", role="img", aria_label=_describe(columns))


def _render_column(column: Column, at: float, width: float, base: float, top_s: float) -> list[str]:
    parts, below = [], 0.0
    place = {"x": percent(at + width * 0.08), "width": percent(width * 0.84)}
    words = ", ".join(f"{name} {render_duration(took)}" for name, took in column.phases.items())
    title = element("title", text(words))
    for name, took_s in column.phases.items():
        height = min(_HEIGHT_PX * took_s / top_s, _HEIGHT_PX - below)
        below += height
        parts.append(element("rect", title, **place, y=base - below, height=max(0.0, height), class_=f"ph-{name}"))
    if column.worst is not None:
        title = element("title", text(f"{column.runs} runs, {name_status(column.worst)}"))
        middle, classes = percent(at + width / 2), f"fail t-{column.worst.value}"
        parts.append(element("text", title, "✗", x=middle, y=base + 13, text_anchor="middle", class_=classes))
    return parts


def _round_up(seconds: float) -> float:
    scale = 0.001
    while True:
        for factor in (1, 1.5, 2, 3, 4, 5, 6, 8):
            if seconds <= factor * scale:
                return factor * scale
        scale *= 10


def _describe(columns: Sequence[Column]) -> str:
    phases = ", ".join(f"{name} {render_duration(took)}" for name, took in find_phases(columns))
    failed = sum(column.worst is not None for column in columns)
    return f"Time of each phase; medians: {phases or 'none'}. Runs failed in {failed} of {len(columns)} columns."
