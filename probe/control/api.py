"""The interface of a control: ours under /api/v1, OONI's test helper at the root.

POST /api/v1/measure        a `ControlRequest` in, a `ControlAnswer` out
GET  /api/v1/echo           which echo ports there are
GET  /api/v1/test-helpers   for OONI probes: this server as their web_connectivity helper
POST /  GET /               OONI's helper itself; with a token in its path, POST /t/TOKEN/
GET  /metrics  /-/healthy
"""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Middleware

from probe import __version__
from probe.control import ooni_wire, wire
from probe.control.admission import Admission, Refusal
from probe.control.echo import EchoPorts
from probe.control.figures import ControlMetrics, ControlStats, Interface, Outcome
from probe.control.ooni_helper import OoniHelper
from probe.control.settings import ServeSettings
from probe.control.view import OutsideView
from probe.model.control import ControlRequest, KnownVerdict
from probe.model.errors import ProtocolError
from probe.model.target import CheckName
from probe.net.clock import Clock

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]

_READ_S = 10.0
_OONI_AGENT = "ooniprobe-"
_FREE_PORT_CHECKS = (CheckName.DNS, CheckName.ICMP)
"""The one goes to port 53, the other to none."""


def nothing_known(_request: ControlRequest) -> tuple[KnownVerdict, ...]:
    """Return nothing: a control's server has no targets of its own."""
    return ()


class ControlApi:
    """Answers requests."""

    def __init__(
        self,
        settings: ServeSettings,
        view: OutsideView,
        admission: Admission,
        clock: Clock,
        *,
        echo: EchoPorts | None = None,
        helper: OoniHelper | None = None,
        known: Callable[[ControlRequest], tuple[KnownVerdict, ...]] = nothing_known,
    ) -> None:
        self._settings = settings
        self._view = view
        self._admission = admission
        self._clock = clock
        self._echo = echo
        self._helper = helper or OoniHelper(view)
        self._known = known
        self._metrics = ControlMetrics(self.stats)
        self._measurements = 0
        self._measurement_s = 0.0

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [
            web.post("/api/v1/measure", self.measure),
            web.get("/api/v1/echo", self.list_echo_ports),
            web.get("/api/v1/test-helpers", self.list_helpers),
            web.get("/metrics", self.metrics),
            web.get("/-/healthy", self.healthy),
            web.post("/t/{token}/", self.help_ooni),
            web.get("/t/{token}/", self.greet_ooni),
            web.route("*", "/", self.serve_root),
        ]

    async def measure(self, request: web.Request) -> web.Response:
        """Measure for one of ours."""
        self._admission.charge(self._admission.identify(request))
        self._admission.check_room(Interface.NATIVE)
        try:
            asked = wire.parse_request(await _read(request, wire.MAX_REQUEST_BYTES))
        except ProtocolError as error:
            raise Refusal(400, Outcome.MALFORMED, str(error)) from error
        if asked.check not in _FREE_PORT_CHECKS:
            self._check_port(asked.port)
        self._admission.check_room(Interface.NATIVE)  # others came while we read
        started_s = self._enter(Interface.NATIVE)
        try:
            view = await self._view.measure(asked)
        finally:
            self._leave(Interface.NATIVE, started_s)
        self._count(Interface.NATIVE, Outcome.CUT_SHORT if view.cut_short else Outcome.ANSWERED)
        answer = wire.ControlAnswer(
            control=self._settings.name,
            version=__version__,
            asn=self._settings.asn,
            country=self._settings.country,
            started_at=view.started_at,
            runtime_s=view.runtime_s,
            cut_short=view.cut_short,
            observations=view.observations,
            known=self._known(asked),
        )
        return _json(wire.encode(answer))

    async def list_echo_ports(self, request: web.Request) -> web.Response:
        """Tell which echo ports there are."""
        self._admission.charge(self._admission.identify(request))
        offer = self._echo.offer() if self._echo is not None else wire.EchoOffer()
        return _json(wire.encode(offer))

    async def list_helpers(self, request: web.Request) -> web.Response:
        """Tell an OONI probe that we are its helper."""
        scheme = "https" if request.secure else "http"
        address = self._settings.url or f"{scheme}://{request.host}"
        helper = {"address": f"{address.rstrip('/')}/", "type": "https" if address.startswith("https:") else "legacy"}
        return _json(wire.encode({"web-connectivity": [helper]}))

    async def serve_root(self, request: web.Request) -> web.Response:
        """Greet on GET, measure on POST, refuse all else, as OONI's helper does."""
        if request.method == "GET":
            return await self.greet_ooni(request)
        if request.method == "POST":
            return await self.help_ooni(request)
        raise Refusal(400, Outcome.MALFORMED, "GET or POST")

    async def greet_ooni(self, _request: web.Request) -> web.Response:
        """Say that we live."""
        return _json(wire.encode(ooni_wire.GREETING))

    async def help_ooni(self, request: web.Request) -> web.Response:
        """Measure for an OONI probe."""
        path_token = request.match_info.get("token", "")
        caller = self._admission.identify(request, path_token, anybody=self._settings.ooni_open)
        self._admission.charge(caller)
        self._admission.check_room(Interface.OONI, self._ooni_limit(request))
        try:
            asked = ooni_wire.parse_helper_request(await _read(request, ooni_wire.MAX_REQUEST_BYTES))
            site, _ = ooni_wire.parse_url(asked.http_request)
        except ProtocolError as error:
            raise Refusal(400, Outcome.MALFORMED, str(error)) from error
        # Their contract has no word for it, and to say that the port fails would make the site down for the probe.
        self._check_port(site.port)
        self._admission.check_room(Interface.OONI, self._ooni_limit(request))  # others came while we read
        started_s = self._enter(Interface.OONI)
        try:
            answer = await self._helper.measure(asked)
        finally:
            self._leave(Interface.OONI, started_s)
        self._count(Interface.OONI, Outcome.ANSWERED)
        return _json(ooni_wire.encode_answer(answer))

    def _check_port(self, port: int) -> None:
        """See that a port is measured here: whoever is refused asks another control.

        Raises:
            Refusal: it is not.
        """
        if port not in self._view.policy.ports:
            raise Refusal(403, Outcome.REFUSED, f"port {port} is not measured here")

    def _ooni_limit(self, request: web.Request) -> int:
        """Return how many may be under way: the upper half is for OONI's own probes."""
        most = self._settings.limits.ooni_concurrent
        return most if request.headers.get("User-Agent", "").startswith(_OONI_AGENT) else most // 2

    async def healthy(self, _request: web.Request) -> web.Response:
        """Tell that the process runs."""
        return web.Response(text="Wallprobe control is healthy.\n")

    async def metrics(self, request: web.Request) -> web.Response:
        """Show the figures, to those who may ask."""
        self._admission.identify(request)
        return web.Response(body=self._metrics.render(), headers={"Content-Type": "text/plain; version=0.0.4"})

    def stats(self) -> ControlStats:
        """Return the figures of this moment."""
        echo = self._echo
        return ControlStats(
            requests=dict(self._admission.requests),
            measurements=self._measurements,
            measurement_s=self._measurement_s,
            in_flight=sum(self._admission.in_flight.values()),
            in_flight_limit=self._settings.limits.concurrent,
            sockets=self._view.gate.in_flight,
            refused_dials=self._view.gate.refused_total,
            echo_ports=echo.ports if echo is not None else 0,
            echo_connections=echo.connections if echo is not None else 0,
            echo_accepted=dict(echo.accepted) if echo is not None else {},
            echo_dropped=echo.dropped_total if echo is not None else 0,
            echo_datagrams=echo.datagrams_total if echo is not None else 0,
        )

    def answer_refusals(self) -> Middleware:
        """Return the middleware that turns a refusal into its answer."""

        @web.middleware
        async def answer(request: web.Request, handler: Answer) -> web.StreamResponse:  # aiohttp asks for this name
            try:
                return await handler(request)
            except Refusal as refusal:
                native = request.path.startswith(("/api/", "/metrics"))
                self._count(Interface.NATIVE if native else Interface.OONI, refusal.outcome)
                body = wire.encode({"error": refusal.reason})
                return _json(body, status=refusal.status, headers=refusal.headers)

        return answer

    def _enter(self, interface: Interface) -> float:
        self._admission.in_flight[interface] += 1
        return self._clock.boot_s()

    def _leave(self, interface: Interface, started_s: float) -> None:
        self._admission.in_flight[interface] -= 1
        self._measurements += 1
        self._measurement_s += self._clock.boot_s() - started_s

    def _count(self, interface: Interface, outcome: Outcome) -> None:
        self._admission.requests[interface, outcome] += 1


async def _read(request: web.Request, limit: int) -> bytes:
    """Read a body of bounded size in bounded time.

    Raises:
        Refusal: it is too large, or too slow.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(_READ_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise Refusal(413, Outcome.MALFORMED, f"more than {limit} bytes")
    except TimeoutError as error:
        raise Refusal(408, Outcome.MALFORMED, "the request did not come in time") from error
    except (web.HTTPException, ValueError, OSError) as error:
        raise Refusal(400, Outcome.MALFORMED, "the body cannot be read") from error
    return bytes(body)


def _json(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)
