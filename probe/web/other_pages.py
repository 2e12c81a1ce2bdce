"""Events, the vantage, and the taxonomy."""

from collections import Counter
from collections.abc import Sequence

from aiohttp import web

from probe.classify.taxonomy import TAXONOMY
from probe.export.stats import AgentStats
from probe.export.text.network import describe_finding
from probe.model.pattern import Pattern
from probe.model.vantage import Baseline
from probe.web.agent_view import AgentView
from probe.web.frame import send_page, send_problem
from probe.web.overview import Health, build_health
from probe.web.parameters import ParameterError, read_since, read_text, refuse_unknown

_EVENTS = 200
_BASELINES = 200


class OtherPages:
    """Serves them."""

    def __init__(self, view: AgentView) -> None:
        self._view = view

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [
            web.get("/events", self.events),
            web.get("/vantage", self.vantage),
            web.get("/patterns", self.patterns),
        ]

    async def events(self, request: web.Request) -> web.Response:
        """Send what changed, newest first; `before` in the list is reached by `since`."""
        try:
            refuse_unknown(request.query, ("target", "since"))
            target, since = read_text(request.query, "target"), read_since(request.query)
        except ParameterError as error:
            return await send_problem(request, self._view, str(error), 400)
        events = await self._view.events(target, since=since, limit=_EVENTS)
        known = {event.target: self._view.snapshot(event.target) for event in events if event.target}
        addresses = {name: found.target.address for name, found in known.items() if found is not None}
        return await send_page(
            request,
            self._view,
            "events.html",
            events=events,
            addresses=addresses,
            full=len(events) == _EVENTS,
            target=target,
        )

    async def vantage(self, request: web.Request) -> web.Response:
        """Send how this network is, and was."""
        baseline, stats = self._view.baseline(), self._view.stats()
        earlier = await self._view.baselines(since=0.0, limit=_BASELINES)
        return await send_page(
            request,
            self._view,
            "vantage.html",
            baseline=baseline,
            findings=[describe_finding(finding) for finding in baseline.findings] if baseline is not None else [],
            health=build_health(baseline, stats),
            agent=describe_agent(stats),
            earlier=_without_repeats(earlier),
        )

    async def patterns(self, request: web.Request) -> web.Response:
        """Send the taxonomy, with how many targets show each pattern now."""
        shown: Counter[Pattern] = Counter()
        for snapshot in self._view.snapshots():
            if snapshot.verdict is not None and snapshot.verdict.patterns:
                shown.update(snapshot.verdict.patterns)
        return await send_page(request, self._view, "patterns.html", taxonomy=TAXONOMY, shown=shown)


def _without_repeats(baselines: Sequence[Baseline]) -> list[Baseline]:
    """Return those that begin another state, newest first."""
    kept: list[Baseline] = []
    for one in baselines:
        if kept and kept[-1].state is one.state:
            kept[-1] = one
        else:
            kept.append(one)
    return kept


def describe_agent(stats: AgentStats) -> Health:
    """Return the agent's own figures in a few lines."""
    rows: Health = [
        ("Targets", f"{stats.schedule.targets:,}", None),
        ("Runs missed", f"{stats.schedule.missed_runs_total:,}", stats.schedule.missed_runs_total == 0),
        ("Event loop", f"woke {stats.loop_lag_s * 1000:.0f} ms late at worst", stats.loop_lag_s < 0.05),
        ("Database", f"{stats.store.size_bytes / 1e6:,.1f} MB, {stats.store.queued:,} waiting", None),
        ("Commits failed", f"{stats.store.commit_failures_total:,}", stats.store.commit_failures_total == 0),
        ("Configuration", "in force" if stats.reload.last_successful else "the last reload failed; the old one stays",
         stats.reload.last_successful),
    ]  # fmt: skip
    return rows
