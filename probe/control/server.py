"""Puts a control together: view, interface, echo ports, sockets; and takes it down in order."""

import asyncio
import dataclasses
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.typedefs import Middleware

from probe.control.admission import Admission
from probe.control.api import ControlApi
from probe.control.echo import EchoPorts
from probe.control.hello_ports import HelloPorts
from probe.control.ooni_helper import OoniHelper
from probe.control.settings import ServeSettings
from probe.control.tokens import Callers
from probe.control.view import Bounds, OutsideView
from probe.net.context import unknown_asn
from probe.net.routes import default_routes
from probe.net.stack import Stack

_DRAIN_S = 10.0
"""What is under way at SIGTERM may take so long to end."""
_IDLE_S = 75.0
_TLS_HANDSHAKE_S = 10.0
_HEADERS = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}

ProtocolFactory = Callable[[], asyncio.Protocol]


class _NoMalformedRequests(logging.Filter):
    """Leaves out that somebody sent what is no request: he gets a 400, and strangers do not write our log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


_LOG = logging.getLogger("wallprobe.control")
_LOG.addFilter(_NoMalformedRequests())


class Opened(Protocol):
    """Listening sockets at which somebody accepts."""

    def close(self) -> None:
        """Accept nobody any more."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """What stands before the interface, for whoever starts the server to add."""

    middlewares: tuple[Middleware, ...] = ()
    wrap: Callable[[ProtocolFactory], ProtocolFactory] | None = None
    """Puts a protocol of its own around each connection's."""
    open: Callable[[Sequence[socket.socket], ProtocolFactory, ssl.SSLContext | None], Awaitable[Opened]] | None = None
    """Accepts on the listening sockets; without it, the loop's own server does."""


def build_view(settings: ServeSettings, stack: Stack, asn_of: Callable[[str], int] = unknown_asn) -> OutsideView:
    """Return what measures, in the families that this host has a route for."""
    families = tuple(sorted({route.family for route in default_routes()})) or (4,)
    return OutsideView(
        stack,
        settings.policy,
        resolvers=settings.resolvers,
        families=families,
        sockets=settings.limits.sockets,
        greetings_apart_s=settings.limits.greetings_apart_s,
        bounds=Bounds(step_s=settings.limits.step_s, whole_s=settings.limits.whole_s),
        asn_of=asn_of,
    )


class ControlServer:
    """A control that listens; `close` it before its stack."""

    def __init__(
        self,
        runner: web.AppRunner,
        doors: Sequence[Opened],
        addresses: tuple[str, ...],
        echo: EchoPorts,
        api: ControlApi,
        hellos: HelloPorts,
    ) -> None:
        self._runner = runner
        self._doors = doors
        self.echo = echo
        self.hellos = hellos
        self.api = api
        self.addresses = addresses
        """Where it listens, as `host:port`."""

    async def close(self) -> None:
        """Accept nobody any more, let what is under way end, then go."""
        for door in self._doors:
            door.close()
        await self.echo.close()
        await self.hellos.close()
        await self._runner.cleanup()


async def start_control(
    settings: ServeSettings,
    view: OutsideView,
    stack: Stack,
    listeners: Sequence[socket.socket],
    context: ssl.SSLContext | None,
    *,
    front: Front | None = None,
    helper: OoniHelper | None = None,
) -> ControlServer:
    """Serve on bound sockets. Without tokens and client CA only loopback is trusted, and nobody else is let in."""
    front = front or Front()
    names = [one.getsockname() for one in listeners]
    echo = EchoPorts(
        settings.echo,
        tuple(dict.fromkeys(str(name[0]) for name in names)),
        frozenset(int(name[1]) for name in names),
    )
    echo.start()
    hellos = HelloPorts(settings.hellos, tuple(dict.fromkeys(str(name[0]) for name in names)))
    await hellos.start()
    callers = Callers(settings.tokens, settings.limits.per_minute, stack.clock.boot_s())
    admission = Admission(
        callers,
        stack.clock,
        trusts_loopback=not (callers.has_tokens or settings.tls.client_ca_file),
        concurrent=settings.limits.concurrent,
    )
    api = ControlApi(settings, view, admission, stack.clock, echo=echo, helper=helper)
    app = web.Application(middlewares=[*front.middlewares, api.answer_refusals()])
    app.on_response_prepare.append(_add_headers)
    app.add_routes(api.routes())
    runner = web.AppRunner(
        app, logger=_LOG, access_log=None, keepalive_timeout=_IDLE_S, shutdown_timeout=_DRAIN_S, lingering_time=1.0
    )
    await runner.setup()
    assert runner.server is not None
    factory: ProtocolFactory = front.wrap(runner.server) if front.wrap is not None else runner.server
    doors: Sequence[Opened]
    if front.open is not None:
        doors = [await front.open(listeners, factory, context)]
    else:
        doors = await _open(listeners, factory, context)
    return ControlServer(runner, doors, tuple(_format(name) for name in names), echo, api, hellos)


async def _open(
    listeners: Sequence[socket.socket], factory: ProtocolFactory, context: ssl.SSLContext | None
) -> list[asyncio.Server]:
    loop = asyncio.get_running_loop()
    handshake_s = _TLS_HANDSHAKE_S if context is not None else None
    return [
        await loop.create_server(factory, sock=one, ssl=context, ssl_handshake_timeout=handshake_s, backlog=1024)
        for one in listeners
    ]


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["Server"] = "wallprobe"


def _format(name: tuple[object, ...]) -> str:
    return f"[{name[0]}]:{name[1]}" if ":" in str(name[0]) else f"{name[0]}:{name[1]}"
