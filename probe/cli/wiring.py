"""Joins the rooms for a command: settings in, an environment to measure with out."""

import contextlib
import dataclasses
import functools
import os
from collections.abc import AsyncIterator, Mapping
from urllib.parse import urlsplit

import msgspec

from probe import __version__
from probe.checks.vpn import goes_by_udp
from probe.control.client import ControlClient
from probe.knowledge.reference import load_knowledge
from probe.model.depth import Depth
from probe.model.errors import UserError
from probe.model.proof import Proof
from probe.model.settings import Settings, TargetSource
from probe.model.target import CheckName, Exposure, Target
from probe.model.vantage import Vantage
from probe.net.context import Gatekeeper, Manners
from probe.net.routes import default_routes, identify_network, is_tunnel
from probe.net.stack import Stack
from probe.pipeline.environment import Environment
from probe.pipeline.monitor import VantageMonitor
from probe.pipeline.proofs import find_proofs, read_word
from probe.store.store import Store
from probe.targets.aliases.veil import Veil
from probe.targets.hosts import is_address
from probe.targets.lists.entries import read_address
from probe.targets.secret_places import Given
from probe.targets.secret_reading import read_secrets
from probe.targets.traits import Traits


@contextlib.asynccontextmanager
async def open_environment(
    settings: Settings,
    gate: Gatekeeper,
    stack: Stack,
    *,
    given: Given | None = None,
    store: Store | None = None,
    manners: Manners | None = None,
    veil: Veil | None = None,
) -> AsyncIterator[Environment]:
    """Bring an environment up around an open stack and a gate.

    `given` holds the secrets of this process alone, `store` knows when a tunnel's credentials worked, `veil` where
    targets are that are shown under aliases.

    Raises:
        UserError: a reference is no tunnel at an address literal.
    """
    vantage = build_vantage(settings)
    manners, veil = manners or Manners(), veil or Veil()
    references = tuple(r for source in settings.references for r in _read_reference(source))
    veil.cover_references(references)
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
                vantage=vantage,
                references=references,
                veil=veil,
                manners=dataclasses.replace(
                    manners,
                    spacing_s=settings.limits.handshakes_apart_s,
                    private_spacing_s=settings.limits.handshakes_apart_s,
                ),
                proofs_of=functools.partial(_find_proofs, store, vantage, stack, veil.find_references(references)),
                neutral_names=neutral_names(settings),
                resolvers=tuple(resolver for resolver in settings.resolvers if resolver.endpoint is not None),
                reference=knowledge.reference,
                asn_of=knowledge.asn_of,
                controls=controls or None,
                environ=dict(os.environ),
                secrets_of=functools.partial(read_secrets, given=given, login=manners.deepest.rank > Depth.PROOF.rank),
            )
        finally:
            await controls.close()


def _read_reference(source: TargetSource) -> tuple[Target, ...]:
    errors: list[UserError] = []
    found = read_address(source.uri, source.place, Traits(), errors)
    if errors:
        raise errors[0]
    remedy = "write a tunnel's address, such as openvpn://192.0.2.1:1194"
    if any(target.check is not CheckName.VPN or not is_address(target.host) for target in found):
        raise UserError(source.place, "a reference is no tunnel at an address literal", remedy)
    return tuple(
        msgspec.structs.replace(
            target,
            params={**target.params, "over": "udp" if goes_by_udp(target) else "tcp"},
            exposure=Exposure.PUBLIC,
        )
        for target in found
    )


def _find_proofs(
    store: Store | None, vantage: Vantage, stack: Stack, places: Mapping[str, str], target: Target
) -> tuple[Proof, ...]:
    """Return what is known of a tunnel's credentials; `places` says where references are that have aliases."""
    wall_s = stack.clock.wall_s()
    found = find_proofs(store, target, vantage, wall_s) if store is not None else ()
    if places:
        found = tuple(
            msgspec.structs.replace(
                proof,
                references=tuple(places.get(r, r) for r in proof.references),
                greeted=tuple(places.get(r, r) for r in proof.greeted),
                carriers=tuple(places.get(r, r) for r in proof.carriers),
            )
            for proof in found
        )
    return (*found, read_word(target.worked, wall_s)) if target.worked else found


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
        network=identify_network(),
        software_version=__version__,
    )


def neutral_names(settings: Settings) -> tuple[str, ...]:
    """Return the host names of the foreign anchors: nobody blocks them, or the baseline says so."""
    hosts = (urlsplit(url).hostname for url in settings.anchors.foreign)
    return tuple(host for host in hosts if host)
