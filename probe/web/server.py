"""Puts the web together: sockets, limits, guards, endpoints.

`/metrics`, `/-/healthy` (200 while the process runs), `/-/ready` (200 once the configuration is loaded and the first
round is finished, else 503), `/-/reload` (POST or PUT; 500 with the reason when the configuration is wrong),
`/api/v1/…` (see `api`), `/probe` (see `probe_page`), and `/`.
"""

import asyncio
import socket
from collections.abc import Mapping

from aiohttp import web

from probe.model.errors import UserError
from probe.model.settings import WebSettings
from probe.web.agent_view import AgentView
from probe.web.api import Api
from probe.web.connections import Connections
from probe.web.exposition import Exposition
from probe.web.guards import add_headers, refuse_strangers
from probe.web.limits import DEFAULT_LIMITS, WebLimits
from probe.web.listen import format_address, open_listeners
from probe.web.page import Page
from probe.web.probe_page import ProbePage, load_modules
from probe.web.tls import load_tls

_BODY_BYTES = 65536
_SHUTDOWN_S = 0.5
"""aiohttp waits so long twice: for answers under way, then for their cancellation."""
_TLS_HANDSHAKE_S = 10.0


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
    view: AgentView, limits: WebLimits, connections: Connections | None = None, modules: str = ""
) -> web.Application:
    """Return the application without its sockets; call it inside the running loop."""
    app = web.Application(middlewares=[refuse_strangers(connections)], client_max_size=_BODY_BYTES)
    app.on_response_prepare.append(add_headers)
    exposition = Exposition(view, limits)

    async def close_exposition(_app: web.Application) -> None:
        exposition.close()

    app.on_cleanup.append(close_exposition)
    app.add_routes([web.get("/metrics", exposition.serve)])
    app.add_routes(Operations(view).routes())
    app.add_routes(Api(view).routes())
    app.add_routes(Page(view).routes())
    app.add_routes(ProbePage(view, load_modules(modules), limits).routes())
    return app


class WebServer:
    """A server that listens; `close` it before the agent goes."""

    def __init__(
        self, runner: web.AppRunner, connections: Connections, servers: list[asyncio.Server], addresses: tuple[str, ...]
    ) -> None:
        self._runner = runner
        self._connections = connections
        self._servers = servers
        self.addresses = addresses
        """Where it listens, as `host:port`."""

    async def close(self) -> None:
        """Stop accepting, give answers under way about a second, and drop the rest."""
        for server in self._servers:
            server.close()
        self._connections.close()
        await self._runner.cleanup()


async def start_web(
    view: AgentView, settings: WebSettings, environ: Mapping[str, str], limits: WebLimits = DEFAULT_LIMITS
) -> WebServer:
    """Listen where the settings say, or on the sockets that systemd passed.

    Raises:
        UserError: an address cannot be had, goes beyond loopback without protection, or the web configuration is wrong.
    """
    context = load_tls(settings.config_file) if settings.config_file else None
    sockets: list[socket.socket] = open_listeners(settings, environ)
    loop = asyncio.get_running_loop()
    connections = Connections(loop, limits)
    runner = web.AppRunner(
        build_app(view, limits, connections, settings.modules_file),
        access_log=None,
        keepalive_timeout=limits.idle_s,
        shutdown_timeout=_SHUTDOWN_S,
        lingering_time=1.0,
    )
    await runner.setup()
    assert runner.server is not None
    factory = connections.guard(runner.server)
    handshake_s = _TLS_HANDSHAKE_S if context is not None else None
    servers = [
        await loop.create_server(factory, sock=one, ssl=context, ssl_handshake_timeout=handshake_s) for one in sockets
    ]
    return WebServer(runner, connections, servers, tuple(format_address(one) for one in sockets))
