"""Puts the web together: sockets, limits, guards, endpoints.

`/metrics`, `/-/healthy` (200 while the process runs), `/-/ready` (200 once the configuration is loaded and the first
round is finished, else 503), `/-/reload` (POST or PUT; 500 with the reason when the configuration is wrong),
`/api/v1/…` (see `api`), `/probe` (see `probe_page`), and the pages.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from aiohttp import web

from probe.model.errors import UserError
from probe.model.settings import WebSettings
from probe.web.agent_view import AgentView
from probe.web.api import Api
from probe.web.api_heat import HeatApi
from probe.web.connections import Connections
from probe.web.doors import Doors
from probe.web.exposition import Exposition
from probe.web.frame import send_static
from probe.web.guards import PREFIX, TELEMETRY, add_headers, refuse_strangers
from probe.web.handler import StrictHandler
from probe.web.heat import HeatMap
from probe.web.limits import DEFAULT_LIMITS, WebLimits
from probe.web.listen import open_listeners
from probe.web.openapi import PATH as OPENAPI_PATH
from probe.web.openapi import send_openapi
from probe.web.other_pages import OtherPages
from probe.web.overview import Overview
from probe.web.probe_page import ProbePage, load_modules
from probe.web.protection import LOOK_EVERY_S, Protection
from probe.web.target_page import TargetPage
from probe.web.tls import has_allowed_san

log = logging.getLogger("wallprobe")
_BODY_BYTES = 65536
_SHUTDOWN_S = 0.5
"""aiohttp waits so long twice: for answers under way, then for their cancellation."""


class Operations:
    """Serves the endpoints for whoever runs the agent."""

    def __init__(self, view: AgentView) -> None:
        self._view = view

    def routes(self) -> list[web.RouteDef]:
        """Return what to register."""
        return [
            web.get("/-/healthy", self.healthy),
            web.get("/-/ready", self.ready),
            web.post("/-/reload", self.reload),
            web.put("/-/reload", self.reload),
        ]

    async def healthy(self, _request: web.Request) -> web.Response:
        """Tell that the process runs."""
        return web.Response(text="Wallprobe is healthy.\n")

    async def ready(self, _request: web.Request) -> web.Response:
        """Tell whether what is served is complete."""
        if self._view.ready:
            return web.Response(text="Wallprobe is ready.\n")
        return web.Response(status=503, text="Wallprobe is not ready: the first round is not finished.\n")

    async def reload(self, _request: web.Request) -> web.Response:
        """Have the configuration read again."""
        try:
            await self._view.reload()
        except UserError as error:
            return web.Response(status=500, text=f"not reloaded, the old configuration stays: {error}\n")
        return web.Response(text="reloaded\n")


def build_app(
    view: AgentView,
    limits: WebLimits,
    connections: Connections | None = None,
    settings: WebSettings | None = None,
    protection: Protection | None = None,
    routes: Sequence[web.RouteDef] = (),
) -> web.Application:
    """Return the application without its sockets; call it inside the running loop."""
    settings = settings or WebSettings()
    protection = protection or Protection("")
    guard = refuse_strangers(connections, settings.external_url)
    outer = web.Application(middlewares=[guard, protection.middleware()], client_max_size=_BODY_BYTES)
    outer[PREFIX] = prefix = settings.route_prefix
    outer[TELEMETRY] = prefix + settings.telemetry_path
    outer.on_response_prepare.append(protection.add_headers)
    outer.on_response_prepare.append(add_headers)
    exposition = Exposition(view, limits)

    async def close_exposition(_app: web.Application) -> None:
        exposition.close()
        protection.close()

    outer.on_cleanup.append(close_exposition)
    inner = web.Application() if prefix else outer
    inner.add_routes([web.get(settings.telemetry_path, exposition.serve)])
    inner.add_routes(Operations(view).routes())
    inner.add_routes(Api(view).routes())
    heat = HeatMap(view)
    outer.cleanup_ctx.append(heat.warm)
    inner.add_routes(HeatApi(view, heat).routes())
    inner.add_routes([web.get(OPENAPI_PATH, send_openapi)])
    inner.add_routes([web.get("/static/{name}", send_static)])
    inner.add_routes(Overview(view, heat).routes())
    inner.add_routes(TargetPage(view, heat).routes())
    inner.add_routes(OtherPages(view).routes())
    inner.add_routes(ProbePage(view, load_modules(settings.modules_file), limits).routes())
    inner.add_routes(routes)
    if prefix:
        # The prefix itself first: the part below it would take it for its own, and find nothing there.
        outer.add_routes([web.get("/", _lead_to(prefix)), web.get(prefix, _lead_to(prefix))])
        outer.add_subapp(prefix, inner)
    return outer


def _lead_to(prefix: str) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def lead(_request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": f"{prefix}/"})

    return lead


class WebServer:
    """A server that listens; `close` it before the agent goes."""

    def __init__(self, runner: web.AppRunner, connections: Connections, doors: Doors, protection: Protection) -> None:
        self._runner = runner
        self._connections = connections
        self._doors = doors
        self._protection = protection
        self._looking = asyncio.create_task(self._look())
        self.addresses = doors.addresses
        """Where it listens, as `host:port`."""

    async def _look(self) -> None:
        """Take over certificates, users and limits when their files change."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if await self._protection.look():
                self._doors.renew(self._protection.context)

    async def close(self) -> None:
        """Stop accepting, give answers under way about a second, and drop the rest."""
        self._looking.cancel()
        self._doors.close()
        self._connections.close()
        await self._runner.cleanup()


async def start_web(
    view: AgentView,
    settings: WebSettings,
    environ: Mapping[str, str],
    limits: WebLimits = DEFAULT_LIMITS,
    *,
    routes: Sequence[web.RouteDef] = (),
) -> WebServer:
    """Listen where the settings say, or on the sockets that systemd passed; `routes` come besides our own.

    Raises:
        UserError: an address cannot be had, goes beyond loopback without protection, or the web configuration is wrong.
    """
    protection = Protection(settings.config_file, open_health=settings.open_health)
    sockets = open_listeners(settings, environ, protected=protection.protects)
    loop = asyncio.get_running_loop()

    def admits(transport: asyncio.BaseTransport) -> bool:
        names = protection.allowed_sans
        return not names or has_allowed_san(transport.get_extra_info("peercert"), names)

    connections = Connections(loop, limits, admits)
    runner = web.AppRunner(
        build_app(view, limits, connections, settings, protection, routes),
        access_log=None,
        shutdown_timeout=_SHUTDOWN_S,
    )
    await runner.setup()
    server = runner.server
    assert server is not None
    factory = connections.guard(
        lambda: StrictHandler(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # as AppRunner passes it: none is written
            keepalive_timeout=limits.idle_s,
            lingering_time=1.0,
        )
    )
    doors = Doors(sockets, factory, limits)
    await doors.open(protection.context)
    return WebServer(runner, connections, doors, protection)
