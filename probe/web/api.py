"""The API: what is known, as JSON. Times are seconds since the epoch (UTC), durations seconds, lists newest first.

`GET /api/v1/targets?status=&group=&category=&pattern=&q=&offset=&limit=` (limit up to 1000, the default):
    `{"targets": [TargetRow…], "total": 1234, "next_offset": 1000 or null}`, in the list's order.
`GET /api/v1/measurements?target=&since=&limit=` (limit up to 1000, default 100):
    `{"measurements": [{"target", "first_at", "last_at", "runs", "status", "pattern", "cause", "confidence",
    "durations", "phases", "measurement"}…]}`. Of one target, all its runs: an unbroken hour of ok runs is one row,
    `runs` counts them, and its `measurement` is empty. Without `target`, the last run of each target.
`GET /api/v1/measurements/{id}`:
    one measurement with all its observations; bytes are base64. Values of request headers and the request body are
    left out, because they may be somebody's token.
`GET /api/v1/events?target=&since=&limit=` (limit up to 1000, default 100):
    `{"events": [{"kind", "at", "target", "since": {"last_before", "first_in"}, "before", "after", "patterns", "cause",
    "confidence", "measurement", "members", "text"}…]}`; `members` are the targets of a group.
`GET /api/v1/openapi.json` describes all of it for programs; `api_heat.py` has the rest.
`since` is a number or an ISO 8601 time. What is wrong is 400 or 404 with `{"error": "one line"}`.
"""

import msgspec
from aiohttp import web

from probe.export.text.words import shown_status
from probe.model.episode import Interval
from probe.model.measurement import Measurement
from probe.model.pattern import Pattern
from probe.model.snapshot import TargetSnapshot
from probe.model.target import CheckName, Exposure, Header
from probe.model.verdict import Cause, Confidence, Depth, Status
from probe.web.agent_view import AgentView
from probe.web.answers import send_json, strict
from probe.web.filters import NAMES as FILTER_NAMES
from probe.web.filters import read_filter
from probe.web.parameters import (
    LIMIT_ROWS,
    read_limit,
    read_offset,
    read_since,
    read_text,
    refuse_unknown,
)
from probe.web.selection import select, select_latest

_DEFAULT_ROWS = 100
_LEFT_OUT = "(left out)"


class TargetRow(msgspec.Struct, frozen=True, kw_only=True):
    """One target, as listed."""

    id: str
    check: CheckName
    address: str
    category: str
    group: str
    labels: dict[str, str]
    exposure: Exposure
    interval_s: float
    status: Status
    reachable: bool | None
    """`None` = not judged."""
    patterns: tuple[Pattern, ...] = ()
    cause: Cause = Cause.NONE
    confidence: Confidence = Confidence.C0
    depth: Depth = Depth.NONE
    summary: str = ""
    since: Interval | None = None
    """Of the confirmed episode, whose status may be another while a change is not confirmed."""
    episode_status: Status | None = None
    unobserved_s: float = 0.0
    stale: bool = False
    measurement: str = ""
    last_run_at: float = 0.0
    last_ok_at: float = 0.0
    valid_until: float = 0.0
    duration_s: float = 0.0
    runs_total: int = 0
    failures_total: int = 0


def build_row(snapshot: TargetSnapshot) -> TargetRow:
    """Pick what a list shows; request and expectations stay out of it."""
    target, episode = snapshot.target, snapshot.episode
    status = shown_status(snapshot)
    row = TargetRow(
        id=target.id,
        check=target.check,
        address=target.address,
        category=target.category,
        group=target.group,
        labels=target.labels,
        exposure=target.exposure,
        interval_s=target.interval_s,
        status=status,
        reachable=None if status is Status.INSUFFICIENT else status.reachable,
        since=episode.since if episode is not None else None,
        episode_status=episode.status if episode is not None else None,
        unobserved_s=episode.unobserved_s if episode is not None else 0.0,
        stale=snapshot.stale,
        measurement=snapshot.measurement,
        last_run_at=snapshot.last_run_at,
        last_ok_at=snapshot.last_ok_at,
        valid_until=snapshot.valid_until,
        duration_s=snapshot.duration_s,
        runs_total=snapshot.runs_total,
        failures_total=snapshot.failures_total,
    )
    if (verdict := snapshot.verdict) is None:
        return row
    return msgspec.structs.replace(
        row,
        patterns=verdict.patterns,
        cause=verdict.cause,
        confidence=verdict.confidence,
        depth=verdict.depth,
        summary=verdict.summary,
    )


def leave_out_request(measurement: Measurement) -> Measurement:
    """Return a measurement whose target no longer tells what the user sends to it."""
    target = measurement.target
    if (request := target.request) is None:
        return measurement
    shown = msgspec.structs.replace(
        request,
        headers=tuple(Header(name=header.name, value=_LEFT_OUT) for header in request.headers),
        body=_LEFT_OUT if request.body else "",
    )
    return msgspec.structs.replace(measurement, target=msgspec.structs.replace(target, request=shown))


class Api:
    """The endpoints under /api/v1."""

    def __init__(self, view: AgentView) -> None:
        self._view = view

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [
            web.get("/api/v1/targets", strict(self.targets)),
            web.get("/api/v1/measurements", strict(self.measurements)),
            web.get("/api/v1/measurements/{id}", strict(self.measurement)),
            web.get("/api/v1/events", strict(self.events)),
        ]

    async def targets(self, request: web.Request) -> web.Response:
        """List targets with what was last said of them."""
        query = request.query
        refuse_unknown(query, (*FILTER_NAMES, "offset", "limit"))
        offset, limit = read_offset(query), read_limit(query, LIMIT_ROWS)
        found = await select(self._view.snapshots(), read_filter(query))
        total, end = len(found.matching), offset + limit
        rows = [build_row(snapshot) for snapshot in found.matching[offset:end]]
        return await send_json(request, {"targets": rows, "total": total, "next_offset": end if end < total else None})

    async def measurements(self, request: web.Request) -> web.Response:
        """List runs."""
        refuse_unknown(request.query, ("target", "since", "limit"))
        target, since, limit = _read_span(request)
        if target:
            found = await self._view.runs(target, since=since, limit=limit)
        else:
            found = await select_latest(self._view.snapshots(), since=since, limit=limit)
        return await send_json(request, {"measurements": found})

    async def measurement(self, request: web.Request) -> web.Response:
        """Show one measurement."""
        refuse_unknown(request.query, ())
        found = await self._view.measurement(request.match_info["id"])
        if found is None:
            return await send_json(request, {"error": "no such measurement is kept"}, status=404)
        return await send_json(request, leave_out_request(found))

    async def events(self, request: web.Request) -> web.Response:
        """List events."""
        refuse_unknown(request.query, ("target", "since", "limit"))
        target, since, limit = _read_span(request)
        return await send_json(request, {"events": await self._view.events(target, since=since, limit=limit)})


def _read_span(request: web.Request) -> tuple[str, float, int]:
    query = request.query
    return read_text(query, "target"), read_since(query), read_limit(query, _DEFAULT_ROWS)
