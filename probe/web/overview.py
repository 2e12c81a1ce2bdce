"""The page at `/`: how many targets are how, what changed, the vantage, and every target over time, 50 at a time.

Narrowed by `status`, `group`, `category`, `pattern` and `q`; `span` is `hour`, `day`, `week` or `month`; `page` counts
from 1.
"""

from collections.abc import Mapping, Sequence

import msgspec
from aiohttp import web

from probe.export.pictures.cells import HEIGHTS
from probe.export.pictures.shares import render_shares
from probe.export.stats import AgentStats
from probe.export.text.words import render_duration
from probe.model.cell import LAYERS, SEVERITY
from probe.model.vantage import Baseline
from probe.model.verdict import Status
from probe.web.agent_view import AgentView
from probe.web.filters import NAMES, Filter, read_filter
from probe.web.frame import send_page, send_problem
from probe.web.groups import Members
from probe.web.heat import HeatMap, Span
from probe.web.parameters import ParameterError, read_choice, read_page, refuse_unknown
from probe.web.selection import select, sort_worst_first
from probe.web.templating import picture

ROWS = 50
_EVENTS = 7
SPANS = ((Span.HOUR, "1 hour"), (Span.DAY, "24 hours"), (Span.WEEK, "7 days"), (Span.MONTH, "30 days"))
ORDER = tuple(reversed(SEVERITY))
"""Worst first."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What part of the list is asked for."""

    wanted: Filter
    span: Span | None
    """`None` = what shows something."""
    page: int


def read_place(query: Mapping[str, str]) -> Place:
    """Return it.

    Raises:
        ParameterError: a part of it is not known.
    """
    refuse_unknown(query, (*NAMES, "span", "page"))
    return Place(wanted=read_filter(query), span=read_span(query), page=read_page(query))


def read_span(query: Mapping[str, str]) -> Span | None:
    """Return `span`; `None` = it was not said.

    Raises:
        ParameterError: there is no such span.
    """
    return read_choice(query, "span", Span, Span.DAY) if query.get("span") else None


class Overview:
    """Serves `/`."""

    def __init__(self, view: AgentView, heat: HeatMap) -> None:
        self._view = view
        self._heat = heat

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [web.get("/", self.serve)]

    async def serve(self, request: web.Request) -> web.Response:
        """Send the page."""
        try:
            place = read_place(request.query)
        except ParameterError as error:
            return await send_problem(request, self._view, str(error), 400)
        snapshots = self._view.snapshots()
        found = await select(snapshots, place.wanted)
        matching = await sort_worst_first(found.matching)
        pages = max(1, -(-len(matching) // ROWS))
        page = min(place.page, pages)
        span = place.span or await self._heat.find_span()
        grid = await self._heat.grid(span)
        shown = matching[(page - 1) * ROWS : page * ROWS]
        events = await self._view.events("", since=0.0, limit=_EVENTS)
        members = Members(snapshots)
        return await send_page(
            request,
            self._view,
            "overview.html",
            headline=_headline(found.counts),
            total=len(snapshots),
            counts=found.counts,
            order=ORDER,
            wanted=place.wanted,
            span=span.value,
            spans=[(one.value, words) for one, words in SPANS],
            span_words=dict(SPANS)[span],
            shares=picture(render_shares(grid.counts, grid.axis)),
            events=events,
            addresses=self._name_targets([event.target for event in events]),
            health=build_health(self._view.baseline(), self._view.stats()),
            groups=found.groups,
            categories=found.categories,
            patterns=sorted({*found.patterns, place.wanted.pattern} - {""}),
            axis=grid.axis,
            rows=[(snapshot, members.cells(snapshot, grid)) for snapshot in shown],
            matching=len(matching),
            page=page,
            pages=pages,
            layers=LAYERS[1:],
            heights=HEIGHTS,
        )

    def _name_targets(self, ids: Sequence[str]) -> dict[str, str]:
        found = {one: self._view.snapshot(one) for one in ids}
        return {one: snapshot.target.address for one, snapshot in found.items() if snapshot is not None}


def _headline(counts: dict[Status, int]) -> str:
    """Say what matters most, in one sentence."""
    total = sum(counts.values())
    if not total:
        return "No target is on the list."
    blocked, likely = counts.get(Status.BLOCKED, 0), counts.get(Status.LIKELY_BLOCKED, 0)
    bad = total - sum(counts.get(one, 0) for one in (Status.OK, Status.DEGRADED, Status.INSUFFICIENT))
    parts = [f"{blocked:,} blocked"] if blocked else []
    parts += [f"{likely:,} likely blocked"] if likely else []
    other = bad - blocked - likely
    parts += [f"{other:,} not reachable for another reason"] if other else []
    waiting = counts.get(Status.INSUFFICIENT, 0)
    if not parts:
        if waiting == total:
            return "The one target is not judged yet." if total == 1 else f"None of {total:,} targets is judged yet."
        judged, adjective = total - waiting, "judged " if waiting else ""
        whole = f"The one {adjective}target" if judged == 1 else f"All {judged:,} {adjective}targets"
        return f"{whole} can be reached."
    return f"Of {total:,} target{'' if total == 1 else 's'}, {', '.join(parts)}."


Health = list[tuple[str, str, bool | None]]
"""Name, words, and whether that is good; `None` = neither."""


def build_health(baseline: Baseline | None, stats: AgentStats) -> Health:
    """Return the vantage and the agent in a few lines."""
    rows: Health = []
    if baseline is None:
        rows.append(("Network", "not yet looked at", None))
    else:
        good = [anchor for anchor in baseline.anchors if anchor.ok]
        rows += [
            ("Network", baseline.state.value.replace("_", " "), baseline.state.value == "online"),
            ("Anchors", f"{len(good)} of {len(baseline.anchors)} answer", _grade(len(good), len(baseline.anchors))),
            (
                "Resolvers",
                f"{baseline.resolvers_ok} of {baseline.resolvers_total} answer",
                _grade(baseline.resolvers_ok, baseline.resolvers_total),
            ),
            ("Families", ", ".join(f"IPv{family}" for family in baseline.families) or "none works", None),
        ]
        if baseline.findings:
            words = ", ".join(finding.value.replace("_", " ") for finding in baseline.findings)
            rows.append(("On this network", words, False))
    schedule = stats.schedule
    stretched = f", intervals × {schedule.stretch_ratio:.1f}" if schedule.stretch_ratio > 1 else ""
    rows.append(("Runs", f"{schedule.in_flight} under way, {schedule.queued} due{stretched}", None))
    rows.append(("Start lag", render_duration(schedule.lag_s), schedule.lag_s < 1.0))
    for name, answers in stats.controls.items():
        rows.append((f"Control {name}", "answers" if answers else "does not answer", answers))
    if stats.sham_interference_total:
        rows.append(("Sham targets", f"{stats.sham_interference_total} false findings", False))
    if stats.crashes_total:
        rows.append(("Own faults", f"{stats.crashes_total} runs crashed", False))
    if stats.store.dropped_total:
        rows.append(("Store", f"{stats.store.dropped_total} runs lost", False))
    return rows


def _grade(good: int, every: int) -> bool | None:
    """Return whether that is good; one of several may fail, which is what a quorum is for."""
    return True if good == every else None if good else False
