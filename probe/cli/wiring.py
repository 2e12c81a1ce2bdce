"""Joins the rooms for a command: settings in, an environment to measure with out."""

import contextlib
import functools
import os
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from probe import __version__
from probe.control.client import ControlClient
from probe.knowledge.reference import load_knowledge
from probe.model.settings import Settings
from probe.model.vantage import Vantage
from probe.net.context import Gatekeeper
from probe.net.routes import default_routes, is_tunnel
from probe.net.stack import Stack
from probe.pipeline.environment import Environment
from probe.pipeline.monitor import VantageMonitor
from probe.targets.secret_places import Given
from probe.targets.tunnels import read_secrets


@contextlib.asynccontextmanager
async def open_environment(
    settings: Settings, gate: Gatekeeper, stack: Stack, *, given: Given | None = None
) -> AsyncIterator[Environment]:
    """Bring an environment up around an open stack and a gate; `given` holds the secrets of this process alone."""
    families = tuple(sorted({route.family for route in default_routes()})) or (4,)
    with load_knowledge(settings) as knowledge:
        controls = ControlClient(
            settings.controls, stack, environ=os.environ, families=families, resolvers=settings.resolvers
        )
        try:
            yield Environment(
                stack=stack,
                gate=gate,
                settings=settings,
                vantage=build_vantage(settings),
                neutral_names=neutral_names(settings),
                resolvers=tuple(resolver for resolver in settings.resolvers if resolver.endpoint is not None),
                reference=knowledge.reference,
                asn_of=knowledge.asn_of,
                controls=controls if controls else None,
                environ=dict(os.environ),
                secrets_of=functools.partial(read_secrets, given=given),
            )
        finally:
            await controls.close()


@contextlib.asynccontextmanager
async def open_monitor(environment: Environment) -> AsyncIterator[VantageMonitor]:
    """Keep a monitor for as long as the block lasts."""
    monitor = VantageMonitor(environment)
    try:
        yield monitor
    finally:
        await monitor.close()


def build_vantage(settings: Settings) -> Vantage:
    """Return the vantage as the operator describes it, with the families that this host has a route for."""
    routes = default_routes()
    families = tuple(sorted({route.family for route in routes})) or (4,)
    return Vantage(
        id=settings.vantage.id,
        asn=settings.vantage.asn,
        country_code=settings.vantage.country,
        families=families,
        via=next((route.interface for route in routes if is_tunnel(route.interface)), ""),
        software_version=__version__,
    )


def neutral_names(settings: Settings) -> tuple[str, ...]:
    """Return the host names of the foreign anchors: nobody blocks them, or the baseline says so."""
    hosts = (urlsplit(url).hostname for url in settings.anchors.foreign)
    return tuple(host for host in hosts if host)
