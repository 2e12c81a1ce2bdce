"""`/targets/{id}`: one target, its verdict first, then the evidence, the way, the times and what was kept of it."""

import asyncio
from collections.abc import Sequence

import msgspec
from aiohttp import web

from probe.classify.facts.symptom import find_symptom, inherits
from probe.export.grid import Grid
from probe.export.pictures.cells import HEIGHTS
from probe.export.pictures.path import build_path, render_path
from probe.export.pictures.timings import build_columns, choose_family, find_phases, render_timings
from probe.export.text.advice import advise
from probe.export.text.comparisons import Cell, build_cells
from probe.export.text.ladder import build_ladder
from probe.export.text.words import shown_status
from probe.model.cell import LAYERS
from probe.model.measurement import Measurement
from probe.model.observation import Role
from probe.model.snapshot import TargetSnapshot
from probe.model.target import CheckName
from probe.model.verdict import Evidence, Status
from probe.store.values import Run
from probe.web.agent_view import AgentView
from probe.web.api import leave_out_request
from probe.web.frame import send_page, send_problem
from probe.web.groups import Members
from probe.web.heat import HeatMap
from probe.web.overview import ORDER, SPANS, read_span
from probe.web.parameters import ParameterError, read_text, refuse_unknown
from probe.web.templating import picture

_RUNS = 5000
_KEPT = 20
_CITED = 3
_OBSERVATIONS_SHOWN = 60


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement, ready for the page."""

    measurement: Measurement
    path: str
    ladder: tuple[str, ...]
    designs: tuple[tuple[str, tuple[Cell, ...]], ...]
    """Comparisons, own ones and those of earlier measurements; the id of where they are from, empty = this one."""
    evidence: tuple[Evidence, ...]
    advice: tuple[str, ...]
    steps_of: str
    """The measurement whose steps are drawn: that which this one goes on with; empty = its own."""
    observations: tuple[tuple[str, str], ...]
    """A line and the whole as JSON, for each."""
    left_out: int


def show(measurement: Measurement, cited: Sequence[Measurement] = (), begun: Measurement | None = None) -> Shown:
    """Prepare a measurement and the comparisons of those that it leans on; runs in a thread.

    `begun` is what it goes on with: a deferred comparison has a verdict and traces, and no steps of its own.
    """
    safe = leave_out_request(measurement)
    stepped = safe
    if begun is not None:
        stepped = msgspec.structs.replace(safe, observations=(*begun.observations, *safe.observations))
    own = safe.observations[:_OBSERVATIONS_SHOWN]
    designs = [("", build_cells(safe)), *((one.id, build_cells(one)) for one in cited)]
    encoded = [msgspec.json.format(msgspec.json.encode(one), indent=2).decode() for one in own]
    return Shown(
        measurement=safe,
        path=picture(render_path(build_path(stepped))),
        ladder=build_ladder(stepped),
        steps_of=begun.id if begun is not None else "",
        designs=tuple((source, cells) for source, cells in designs if cells),
        evidence=tuple({one.rule_id: one for one in safe.verdict.evidence}.values()),
        advice=advise(safe),
        observations=tuple(zip((_name(one) for one in own), encoded, strict=True)),
        left_out=len(safe.observations) - len(own),
    )


def _leans_on(measurement: Measurement, first: Measurement) -> bool:
    """Tell whether the comparisons of earlier runs count here: this one failed in no other way, or only compared."""
    checked = any(observation.role is Role.TARGET for observation in measurement.observations)
    if checked and not find_symptom(measurement.observations):
        return False
    return inherits(measurement.observations, first.observations)


def _name(observation: msgspec.Struct) -> str:
    tag = observation.__struct_config__.tag
    failure = getattr(observation, "failure", None)
    where = getattr(observation, "endpoint", None) or getattr(observation, "name", "") or ""
    role = getattr(observation, "experiment", "") or "own step"
    return f"{tag} {where}  {failure.code.value if failure else 'ok'}  ({role})"


class TargetPage:
    """Serves it."""

    def __init__(self, view: AgentView, heat: HeatMap) -> None:
        self._view = view
        self._heat = heat

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [web.get("/targets/{id}", self.serve)]

    async def serve(self, request: web.Request) -> web.Response:
        """Send the page of one target."""
        try:
            refuse_unknown(request.query, ("span", "measurement"))
            asked_span = read_span(request.query)
            asked = read_text(request.query, "measurement")
        except ParameterError as error:
            return await send_problem(request, self._view, str(error), 400)
        snapshot = self._view.snapshot(request.match_info["id"])
        if snapshot is None:
            return await send_problem(request, self._view, "There is no such target on the list.", 404)
        target = snapshot.target.id
        span = asked_span or await self._heat.find_span()
        grid = await self._heat.grid(span)
        members = Members(self._view.snapshots() if snapshot.target.check is CheckName.GROUP else ())
        history = await self._view.history(target, since=0.0)
        kept = await self._view.kept(target, limit=_KEPT)
        measurement = await self._find(snapshot, asked, [one.id for one in kept])
        if asked and measurement is None:
            return await send_problem(request, self._view, "That measurement is not kept, or of another target.", 404)
        runs = await self._view.runs(target, since=grid.axis.from_at, limit=_RUNS)
        return await send_page(
            request,
            self._view,
            "target.html",
            snapshot=snapshot,
            target=snapshot.target,
            verdict=snapshot.verdict,
            status=shown_status(snapshot),
            shown=await self._show(measurement) if measurement is not None else None,
            latest=measurement is not None and measurement.id == snapshot.measurement,
            history=history,
            kept=kept,
            span=span.value,
            spans=[(one.value, words) for one, words in SPANS],
            span_words=dict(SPANS)[span],
            axis=grid.axis,
            cells=members.cells(snapshot, grid),
            members=[(one, grid.row(one.target.id)) for one in members.of(snapshot)],
            order=ORDER,
            layers=LAYERS[1:],
            heights=HEIGHTS,
            drawn=await asyncio.to_thread(_draw_timings, runs, grid),
        )

    async def _show(self, measurement: Measurement) -> Shown:
        found = [await self._view.measurement(one.measurement) for one in measurement.cites[:_CITED]]
        cited = [one for one in found if one is not None]
        begun = None
        if measurement.continues and not any(one.role is Role.TARGET for one in measurement.observations):
            begun = await self._view.measurement(measurement.continues)
        leaning = cited if cited and _leans_on(measurement, cited[0]) else ()
        return await asyncio.to_thread(show, measurement, leaning, begun)

    async def _find(self, snapshot: TargetSnapshot, asked: str, kept: Sequence[str]) -> Measurement | None:
        """Return the measurement that is asked for; else the one behind the verdict, or the newest that is kept."""
        if asked:
            found = await self._view.measurement(asked)
            return found if found is not None and found.target.id == snapshot.target.id else None
        wanted = [snapshot.measurement] if snapshot.measurement else []
        if shown_status(snapshot) is not Status.OK and snapshot.failed_measurement:
            wanted.append(snapshot.failed_measurement)
        for one in (*wanted, *kept[:1]):
            found = await self._view.measurement(one)
            if found is not None:
                return found
        return None


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """The phases over time."""

    timings: str
    phases: tuple[tuple[str, float], ...]
    family: int
    runs: int


def _draw_timings(runs: Sequence[Run], grid: Grid) -> Drawn:
    family = choose_family(runs)
    columns = build_columns(runs, grid.axis, family)
    return Drawn(
        timings=picture(render_timings(columns, grid.axis)),
        phases=find_phases(columns),
        family=family,
        runs=sum(run.runs for run in runs),
    )
