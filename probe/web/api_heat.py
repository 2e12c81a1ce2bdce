"""The API's view over time, and of the vantage. Times are seconds since the epoch (UTC).

`GET /api/v1/heatmap?span=&status=&group=&category=&pattern=&q=&offset=&limit=` (`span` hour, day, week or month; limit
up to 10,000, default 1,000): what the runs of each target came to, worst targets first. A row is `[id, address, status,
since, pattern, confidence, runs]`; `runs` is code, count, code, count, … from `from_at` on, each cell `cell_s` long. A
code is 16 times the number of a status in `statuses` plus the number of a layer in `layers`; 0 = not measured.
`GET /api/v1/vantage`: where we stand, the last look at it, and how many targets are in each status.
"""

import asyncio
from collections.abc import Sequence

import msgspec
from aiohttp import web

from probe.export.grid import Grid
from probe.export.pictures.cells import find_runs
from probe.export.text.words import is_confirmed, shown_status
from probe.model.cell import LAYERS, STATUSES
from probe.model.snapshot import TargetSnapshot
from probe.model.vantage import Baseline, Vantage
from probe.model.verdict import Status
from probe.web.agent_view import AgentView
from probe.web.answers import send_json, strict
from probe.web.filters import NAMES, Filter, read_filter
from probe.web.groups import Members
from probe.web.heat import HeatMap, Span
from probe.web.parameters import read_choice, read_limit, read_offset, refuse_unknown
from probe.web.selection import select, sort_worst_first

LIMIT_TARGETS = 10_000
_DEFAULT_TARGETS = 1000


class HeatRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One target over time."""

    id: str
    address: str
    status: Status
    since: float | None
    """Since when it is so; `null` = not confirmed yet."""
    pattern: str
    """The primary one; empty = none."""
    confidence: int
    runs: tuple[int, ...]


class HeatAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What `/api/v1/heatmap` says."""

    from_at: float
    cell_s: float
    cells: int
    statuses: tuple[str, ...]
    """By their number; the first, empty, stands for not measured."""
    layers: tuple[str, ...]
    total: int
    """How many targets the filter lets through."""
    next_offset: int | None
    rows: tuple[HeatRow, ...]


class VantageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What `/api/v1/vantage` says."""

    now: float
    ready: bool
    """Whether every target was run once."""
    vantage: Vantage
    baseline: Baseline | None
    targets: int
    statuses: dict[Status, int]
    in_flight: int
    queued: int
    lag_s: float
    """How late the last run started."""


class HeatApi:
    """Serves them."""

    def __init__(self, view: AgentView, heat: HeatMap) -> None:
        self._view = view
        self._heat = heat

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [
            web.get("/api/v1/heatmap", strict(self.heatmap)),
            web.get("/api/v1/vantage", strict(self.vantage)),
        ]

    async def heatmap(self, request: web.Request) -> web.Response:
        """Show targets over time."""
        query = request.query
        refuse_unknown(query, (*NAMES, "span", "offset", "limit"))
        span = read_choice(query, "span", Span, Span.DAY)
        offset, limit = read_offset(query), read_limit(query, _DEFAULT_TARGETS, LIMIT_TARGETS)
        found = await select(self._view.snapshots(), read_filter(query))
        matching = await sort_worst_first(found.matching)
        grid = await self._heat.grid(span)
        end = offset + limit
        rows = await asyncio.to_thread(_build_rows, matching[offset:end], grid, Members(self._view.snapshots()))
        answer = HeatAnswer(
            from_at=grid.axis.from_at,
            cell_s=grid.axis.cell_s,
            cells=grid.axis.cells,
            statuses=tuple(status.value if status else "" for status in STATUSES),
            layers=LAYERS,
            total=len(matching),
            next_offset=end if end < len(matching) else None,
            rows=rows,
        )
        return await send_json(request, answer)

    async def vantage(self, request: web.Request) -> web.Response:
        """Show where we stand."""
        refuse_unknown(request.query, ())
        found = await select(self._view.snapshots(), Filter())
        schedule = self._view.stats().schedule
        answer = VantageAnswer(
            now=self._view.wall_s(),
            ready=self._view.ready,
            vantage=self._view.vantage(),
            baseline=self._view.baseline(),
            targets=sum(found.counts.values()),
            statuses={status: found.counts.get(status, 0) for status in Status},
            in_flight=schedule.in_flight,
            queued=schedule.queued,
            lag_s=schedule.lag_s,
        )
        return await send_json(request, answer)


def _find_since(snapshot: TargetSnapshot) -> float | None:
    """Return since when a target is as it is shown; what was confirmed before it changed is no answer to that."""
    episode = snapshot.episode
    confirmed = episode is not None and is_confirmed(episode, shown_status(snapshot))
    return episode.since.first_in if episode is not None and confirmed else None


def _build_rows(snapshots: Sequence[TargetSnapshot], grid: Grid, members: Members) -> tuple[HeatRow, ...]:
    return tuple(
        HeatRow(
            id=snapshot.target.id,
            address=snapshot.target.address,
            status=shown_status(snapshot),
            since=_find_since(snapshot),
            pattern=snapshot.verdict.patterns[0].value if snapshot.verdict and snapshot.verdict.patterns else "",
            confidence=int(snapshot.verdict.confidence) if snapshot.verdict else 0,
            runs=tuple(number for run in find_runs(members.cells(snapshot, grid)) for number in run),
        )
        for snapshot in snapshots
    )
