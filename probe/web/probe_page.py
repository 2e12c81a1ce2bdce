"""`GET /probe?target=&module=`: blackbox_exporter's contract, for targets that are on the list.

It renders the last run; only when that is older than the target's interval, or `fresh=true` is said, a run is made:
through schedule and gate like any other, and one for all who ask at the same time. What is on no list is not probed:
whoever can reach this page must not get a prober for the whole Internet.

`target` is an id or an address of ours, or what the job was written with: `module` then says what it means.
`debug=true` explains. `X-Prometheus-Scrape-Timeout-Seconds` is kept to: when the run takes longer, the one before it is
shown, and `wallprobe_probe_age_seconds` tells.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from probe.export.metrics.blackbox import render_probe
from probe.export.text.report import build_report
from probe.model.errors import UserError
from probe.model.measurement import Measurement
from probe.model.snapshot import TargetSnapshot
from probe.model.target import Exposure
from probe.targets.address import parse_address
from probe.targets.importers.blackbox_modules import Module, parse_modules
from probe.targets.importers.prometheus_jobs import build_uri
from probe.web.agent_view import AgentView
from probe.web.exposition import choose_format
from probe.web.guards import is_foreign_page
from probe.web.limits import WebLimits

DEFAULT_TIMEOUT_S = 10.0
TIMEOUT_OFFSET_S = 0.5
"""As blackbox_exporter: the answer must be there before Prometheus gives up."""
FRESH_EVERY_S = 30.0
LONGEST_TARGET = 4096
MODULES = {
    name: Module(name=name, place="built in", prober=prober, tls=tls)
    for name, prober, tls in (
        ("http_2xx", "http", False),
        ("tcp_connect", "tcp", False),
        ("tls_connect", "tcp", True),
        ("icmp", "icmp", False),
    )
}


def load_modules(path: str) -> dict[str, Module]:
    """Return the modules of a file, else the built-in ones.

    Raises:
        UserError: the file cannot be read, or is no blackbox_exporter's configuration.
    """
    if not path:
        return MODULES
    try:
        text = Path(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise UserError(f"web.modules_file {path}", f"cannot be read ({error})", "give a readable file") from error
    modules, _notes = parse_modules(text, path)
    return modules


class RefusedError(Exception):
    """The question cannot be answered; told to whoever asks."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class ProbePage:
    """Serves /probe."""

    def __init__(self, view: AgentView, modules: dict[str, Module], limits: WebLimits) -> None:
        self._view = view
        self._modules = modules
        self._longest_s = limits.serve_s - 1.0

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [web.get("/probe", self.serve)]

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a scrape."""
        try:
            snapshot = self._find(request)
            fresh = self._wants_run(request, snapshot)
        except RefusedError as refused:
            return web.Response(status=refused.status, text=f"{refused}\n")
        name = snapshot.target.id
        if fresh:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._timeout_s(request)):
                    await self._view.run_now(name)
            snapshot = self._view.snapshot(name) or snapshot
        run, age_s = self._view.last_run(name) or await self._find_kept(snapshot), self._age_s(snapshot)
        wanted = choose_format(request.headers.get("Accept", ""))
        page = render_probe(snapshot, run, age_s, wanted)
        if request.query.get("debug") == "true":
            return web.Response(text=_explain(snapshot, run, age_s, page.decode()))
        return web.Response(body=page, headers={"Content-Type": wanted.value, "Vary": "Accept"})

    async def _find_kept(self, snapshot: TargetSnapshot) -> Measurement | None:
        """Return the last run from the store, which keeps whole those that failed; `None` = only figures are known."""
        found = await self._view.measurement(snapshot.measurement) if snapshot.measurement else None
        return await self._view.measurement(found.continues) if found is not None and found.continues else found

    def _find(self, request: web.Request) -> TargetSnapshot:
        text, name = request.query.get("target", ""), request.query.get("module", "")
        if not text:
            raise RefusedError(400, "Target parameter is missing")
        if name and name not in self._modules:
            raise RefusedError(400, f'Unknown module "{name[:80]}"')
        if len(text) <= LONGEST_TARGET:
            for candidate in _read_target(text, self._modules.get(name or "http_2xx"), plain=not name):
                if (found := self._look_up(candidate)) is not None:
                    return found
        raise RefusedError(404, f"{text[:200]} is no target of this agent: put it on a list")

    def _look_up(self, candidate: str) -> TargetSnapshot | None:
        """Return a target by its id or its address; one that has a family or request of its own by address alone."""
        found = self._view.snapshot(candidate)
        if found is not None:
            return found
        try:
            meant = parse_address(candidate, source="target")
        except UserError:
            return None
        found = self._view.snapshot(meant.id)
        if found is not None:
            return found
        return next((one for one in self._view.snapshots() if one.target.address == meant.address), None)

    def _wants_run(self, request: web.Request, snapshot: TargetSnapshot) -> bool:
        age_s, target = self._age_s(snapshot), snapshot.target
        private = target.exposure is Exposure.PRIVATE
        if request.query.get("fresh") != "true":
            return not private and (age_s is None or age_s > target.interval_s)
        if is_foreign_page(request):
            raise RefusedError(403, "asked for by another site")
        if private:
            raise RefusedError(403, "a private endpoint is run at its own pace only: leave out fresh=true")
        return age_s is None or age_s > min(FRESH_EVERY_S, target.interval_s)

    def _age_s(self, snapshot: TargetSnapshot) -> float | None:
        return self._view.wall_s() - snapshot.last_run_at if snapshot.last_run_at else None

    def _timeout_s(self, request: web.Request) -> float:
        try:
            asked_s = float(request.headers.get("X-Prometheus-Scrape-Timeout-Seconds", DEFAULT_TIMEOUT_S))
        except ValueError:
            asked_s = DEFAULT_TIMEOUT_S
        # `min` and `max` in this order also take care of what is no number.
        return max(TIMEOUT_OFFSET_S, min(self._longest_s, asked_s - TIMEOUT_OFFSET_S))


def _read_target(text: str, module: Module | None, *, plain: bool) -> Iterator[str]:
    """Yield what may be meant: first what the module makes of it, then the text in our own language."""
    if plain:
        yield text
    if module is not None:
        with contextlib.suppress(UserError):
            yield build_uri(text, module)
        if module.prober == "http" and "://" not in text:
            yield f"https://{text}"
    if not plain:
        yield text


def _explain(snapshot: TargetSnapshot, run: Measurement | None, age_s: float | None, page: str) -> str:
    target = snapshot.target
    lines = [f"Target {target.id}: {target.check.value} {target.address}, every {target.interval_s:g} s"]
    if age_s is None:
        lines.append("It was never run.")
    elif run is None:
        lines.append(
            f"Run {snapshot.measurement} ended {age_s:.1f} s ago and was not kept whole; the next one will be."
        )
    else:
        lines += [f"Run {run.id} ended {age_s:.1f} s ago:", *(line.text for line in build_report(run))]
    return "\n".join([*lines, "", "", "Metrics that would have been returned:", page])
