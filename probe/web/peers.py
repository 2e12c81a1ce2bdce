"""What other agents may ask of this one: a control's view of a target, and what we last said of our own.

POST /api/v1/peer/measure     as a control's /api/v1/measure, with our own verdicts of that host beside it
GET  /api/v1/peer/verdicts    `{"vantage": …, "verdicts": […]}`: the fresh verdicts on targets of exposure `public`

Served only where `peers:` names somebody: by token, or by a certificate of the web server's client authority. What is
measured for others is bounded apart from our own runs, and no bogon or port beyond the web's is ever dialled.
"""

from collections.abc import Iterator

import msgspec
from aiohttp import web

from probe.control.admission import Admission
from probe.control.api import Answer, ControlApi
from probe.control.policy import Policy
from probe.control.settings import ControlLimits, ServeSettings
from probe.control.tokens import Callers
from probe.control.view import Bounds, OutsideView
from probe.model.control import ControlRequest, KnownVerdict
from probe.model.settings import Settings
from probe.model.snapshot import TargetSnapshot
from probe.model.target import Exposure
from probe.net.stack import Stack
from probe.web.agent_view import AgentView

_LIMITS = ControlLimits(concurrent=8, sockets=64)
_MOST_TOLD = 5000


class Peers:
    """Long-lived; one per agent."""

    def __init__(self, view: AgentView, settings: Settings, stack: Stack, *, policy: Policy | None = None) -> None:
        vantage = view.vantage()
        self._view = view
        outside = OutsideView(
            stack,
            policy or Policy(),
            resolvers=tuple(r for r in settings.resolvers if r.endpoint is not None),
            families=vantage.families,
            sockets=_LIMITS.sockets,
            bounds=Bounds(step_s=_LIMITS.step_s, whole_s=_LIMITS.whole_s),
        )
        self._admission = Admission(
            Callers(settings.peers.tokens, settings.peers.per_minute, stack.clock.boot_s()),
            stack.clock,
            trusts_loopback=False,
            concurrent=_LIMITS.concurrent,
            trusts_certificates=settings.peers.client_certificates,
        )
        served = ServeSettings(
            name=vantage.id,
            asn=vantage.asn,
            country="" if vantage.country_code == "ZZ" else vantage.country_code,
            limits=_LIMITS,
        )
        self._api = ControlApi(served, outside, self._admission, stack.clock, known=self._find_known)

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        refusing = self._api.answer_refusals()

        def guarded(answer: Answer) -> Answer:
            async def serve(request: web.Request) -> web.StreamResponse:
                response: web.StreamResponse = await refusing(request, answer)
                return response

            return serve

        return [
            web.post("/api/v1/peer/measure", guarded(self._api.measure)),
            web.get("/api/v1/peer/verdicts", guarded(self.verdicts)),
        ]

    async def verdicts(self, request: web.Request) -> web.Response:
        """Tell what was last said of each target that may be told of."""
        self._admission.charge(self._admission.identify(request))
        found = [known for _, known in self._fresh()][:_MOST_TOLD]
        body = msgspec.json.encode({"vantage": self._view.vantage().id, "verdicts": found})
        return web.Response(body=body, content_type="application/json")

    def _find_known(self, request: ControlRequest) -> tuple[KnownVerdict, ...]:
        return tuple(
            known
            for snapshot, known in self._fresh()
            if snapshot.target.host == request.host and snapshot.target.check is request.check
        )

    def _fresh(self) -> Iterator[tuple[TargetSnapshot, KnownVerdict]]:
        """Yield verdicts that still hold, of targets that are nobody's own: a stale one would be told as news."""
        now_s = self._view.wall_s()
        for snapshot in self._view.snapshots():
            verdict = snapshot.verdict
            told = snapshot.target.exposure is Exposure.PUBLIC and not snapshot.stale
            if verdict is None or not told or snapshot.valid_until < now_s:
                continue
            episode = snapshot.episode
            yield (
                snapshot,
                KnownVerdict(
                    target=snapshot.target.address,
                    status=verdict.status,
                    patterns=verdict.patterns,
                    cause=verdict.cause,
                    confidence=verdict.confidence,
                    since=episode.since.first_in if episode is not None else 0.0,
                    seen_at=snapshot.last_run_at,
                ),
            )
