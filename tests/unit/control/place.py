"""A control on loopback, in front of a small Internet on loopback."""

import contextlib
import ipaddress
import socket
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from probe.control.ooni_helper import HelperPorts, OoniHelper
from probe.control.policy import Policy
from probe.control.server import ControlServer, start_control
from probe.control.settings import ControlTls, EchoSettings, ServeSettings
from probe.control.tokens import hash_token
from probe.control.view import Bounds, OutsideView
from probe.model.settings import TokenEntry
from tests.unit.checks.world import World, open_world

ANYWHERE = Policy(ports=frozenset(range(1, 65536)), networks=(ipaddress.ip_network("127.0.0.0/8"),))
TOKEN = "wpc_" + "t" * 43
ENTRY = TokenEntry(name="home", sha256=hash_token(TOKEN), per_minute=6000)
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """Return a port of 127.0.0.1 that nobody has."""
    with socket.socket(socket.AF_INET, kind) as probing:
        probing.bind(("127.0.0.1", 0))
        port: int = probing.getsockname()[1]
        return port


class Place:
    """The control and the world that it measures."""

    def __init__(self, world: World, view: OutsideView, server: ControlServer, port: int) -> None:
        self.world = world
        self.view = view
        self.server = server
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    async def ask(self, method: str, path: str, **fields: Any) -> tuple[int, bytes, dict[str, str]]:
        """Send one request; return status, body and headers."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, self.url + path, **fields) as response,
        ):
            return response.status, await response.read(), dict(response.headers)


@contextlib.asynccontextmanager
async def open_place(
    *,
    names: dict[str, list[str]] | None = None,
    policy: Policy = ANYWHERE,
    bounds: Bounds | None = None,
    helper_ports: HelperPorts | None = None,
    tls: Any = None,
    settings_tls: ControlTls | None = None,
    sockets: int = 4000,
    **settings: Any,
) -> AsyncIterator[Place]:
    """Open a control that may measure any port of this machine, unless the policy says otherwise."""
    async with open_world() as world:
        world.names.update(names or {})
        given = {
            "echo": EchoSettings(low=0, high=0),
            "tokens": (ENTRY,),
            "tls": settings_tls or ControlTls(),
        } | settings
        view = OutsideView(
            world.stack,
            policy,
            families=(4,),
            bounds=bounds or Bounds(step_s=1.0, whole_s=5.0),
            sockets=sockets,
            resolvers=given.get("resolvers", ()),
        )
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        server = await start_control(
            ServeSettings(**given), view, world.stack, [listener], tls, helper=OoniHelper(view, ports=helper_ports)
        )
        try:
            yield Place(world, view, server, listener.getsockname()[1])
        finally:
            await server.close()
            listener.close()
