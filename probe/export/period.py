"""A stretch of time as a report: what every target came to in it, from its episodes, worst first.

Shares of time are of the time that lies inside an episode: what was before the first confirmed one is not counted.
"""

import csv
import io

import msgspec

from probe.export.grid import Grid
from probe.export.pictures.cells import Axis, find_runs
from probe.export.text.words import name_status, render_time
from probe.model.cell import LAYERS, SEVERITY, STATUSES
from probe.model.episode import Episode, Event
from probe.model.verdict import Status
from probe.store.values import History

COLUMNS = (
    "target", "address", "status", "since_earliest", "since", "until", "hours_in_period", "unobserved_hours",
    "patterns", "cause", "confidence",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class TargetPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """One target."""

    id: str
    address: str
    status: Status | None
    """In its latest episode; `None` = none was confirmed."""
    episodes: tuple[Episode, ...]
    """Those that touch the period, newest first; they may reach out of it."""
    usable_ratio: float | None
    """`None` = no episode touches the period."""
    onsets: int
    """How often it became not usable, or degraded, in the period."""
    cells: bytes
    """What its runs came to, along the period's axis."""


class Period(msgspec.Struct, frozen=True, kw_only=True):
    """The whole report."""

    vantage: str
    network: str
    from_at: float
    to_at: float
    axis: Axis
    counts: tuple[dict[Status, int], ...]
    """How many targets were in each status, cell by cell of the axis."""
    targets: tuple[TargetPeriod, ...]
    events: tuple[Event, ...]

    @property
    def statuses(self) -> dict[Status, int]:
        """Return how many targets are in each status at the end, worst first."""
        found = {status: sum(target.status is status for target in self.targets) for status in reversed(SEVERITY)}
        return {status: count for status, count in found.items() if count}

    @property
    def troubled(self) -> tuple[TargetPeriod, ...]:
        """Return those that were anything but ok at some time."""
        return tuple(one for one in self.targets if any(e.status is not Status.OK for e in one.episodes))


def build_target(history: History, grid: Grid, from_at: float, to_at: float) -> TargetPeriod:
    """Return what became of one target."""
    episodes = tuple(one for one in history.episodes if _overlap_s(one, from_at, to_at) > 0)
    total_s = sum(_overlap_s(one, from_at, to_at) for one in episodes)
    usable_s = sum(_overlap_s(one, from_at, to_at) for one in episodes if one.status.reachable)
    return TargetPeriod(
        id=history.target,
        address=history.address,
        status=episodes[0].status if episodes else None,
        episodes=episodes,
        usable_ratio=usable_s / total_s if total_s else None,
        onsets=sum(one.status is not Status.OK and one.since.first_in >= from_at for one in episodes),
        cells=grid.row(history.target),
    )


def sort_targets(targets: list[TargetPeriod]) -> tuple[TargetPeriod, ...]:
    """Return them worst first: by what they are, then by how long they were not usable."""

    def rank(one: TargetPeriod) -> tuple[int, float, str]:
        severity = SEVERITY[one.status] if one.status is not None else 0
        return -severity, one.usable_ratio if one.usable_ratio is not None else 1.0, one.id

    return tuple(sorted(targets, key=rank))


def render_csv(period: Period) -> str:
    """Return a line for each episode; a target without one has a line of its own.

    A text that a spreadsheet would take for a formula is preceded by an apostrophe.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180 section 2
    writer.writerow(COLUMNS)
    for target in period.targets:
        if not target.episodes:
            writer.writerow([_plain(target.id), _plain(target.address), *([""] * (len(COLUMNS) - 2))])
        for one in target.episodes:
            earliest = one.since.last_before
            row = [
                target.id,
                target.address,
                one.status.value,
                render_time(earliest) if earliest is not None else "",
                render_time(one.since.first_in),
                render_time(one.ended.first_in) if one.ended is not None else "",
                f"{_overlap_s(one, period.from_at, period.to_at) / 3600:.2f}",
                f"{one.unobserved_s / 3600:.2f}",
                " ".join(one.patterns),
                one.cause.value,
                f"C{one.confidence.value}",
            ]
            writer.writerow([_plain(value) for value in row])
    return out.getvalue()


def render_json(period: Period) -> bytes:
    """Return the whole as JSON; cells as code, count, code, count, … as in `/api/v1/heatmap`."""
    record = {
        "vantage": period.vantage,
        "network": period.network,
        "from": period.from_at,
        "to": period.to_at,
        "cell_s": period.axis.cell_s,
        "cells_from": period.axis.from_at,
        "statuses": [name_status(one) if one else "" for one in STATUSES],
        "layers": LAYERS,
        "targets": [
            {
                "id": one.id,
                "address": one.address,
                "status": one.status,
                "usable_ratio": one.usable_ratio,
                "onsets": one.onsets,
                "episodes": one.episodes,
                "runs": [number for run in find_runs(one.cells) for number in run],
            }
            for one in period.targets
        ],
        "events": period.events,
    }
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def _overlap_s(episode: Episode, from_at: float, to_at: float) -> float:
    """Return how long an episode was inside the period."""
    until = episode.ended.first_in if episode.ended is not None else to_at
    return max(0.0, min(until, to_at) - max(episode.since.first_in, from_at))


def _plain(value: str) -> str:
    return f"'{value}" if value.startswith(_FORMULA) else value
