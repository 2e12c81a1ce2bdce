"""A tunnel that the user already has as a control: the same steps run through it, and no server is needed (family C).

Names are asked over TCP through the tunnel, of the configured resolvers or of two public ones, never of this host's
own. A proxy's word that a connection stands is left out where nothing came over it, and of a tunnel through which
nothing came at all nothing is believed: a dead tunnel fails everywhere.
"""

import contextlib
import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from probe.control.outbound import OutboundGate
from probe.control.policy import Policy
from probe.control.view import OutsideView
from probe.model.control import ControlKind, ControlReport, ControlRequest
from probe.model.endpoint import Endpoint
from probe.model.failure import FailureCode
from probe.model.observation import (
    HTTPExchange,
    Observation,
    Resolver,
    TCPConnect,
    TLSHandshake,
    Transport,
)
from probe.model.settings import ControlSettings
from probe.net.context import Context, Journal, unknown_asn
from probe.net.lookup import lookup_system
from probe.net.stack import Stack
from probe.net.system_resolver import GivenResolvers
from probe.net.tunnel import Tunnel, TunnelKind, parse_way
from probe.protocols.written.resolver_uri import parse_resolver

PUBLIC_RESOLVERS = ("tcp://9.9.9.9", "tcp://8.8.8.8")
ANY_PORT = Policy(ports=range(1, 65536))
"""No way into anybody's private network: an address of those is a censor's answer, and leads nowhere."""
_SOCKETS = 64
_PROXY_S = 5.0


class TunnelReach:
    """One tunnel; long-lived."""

    def __init__(
        self,
        settings: ControlSettings,
        stack: Stack,
        *,
        families: tuple[int, ...] = (4, 6),
        resolvers: tuple[Resolver, ...] = (),
        policy: Policy = ANY_PORT,
        asn_of: Callable[[str], int] = unknown_asn,
    ) -> None:
        kind, self._host, self._port = parse_way(settings.proxy)
        self.settings = settings
        self.name = settings.name or f"via {urlsplit(settings.proxy).netloc}"
        self._kind = kind
        self._own = stack
        self._families = families
        self._gate = OutboundGate(None, _SOCKETS)
        usable = tuple(_over_a_stream(r) for r in resolvers if r.endpoint is not None and not r.system)
        names = GivenResolvers(usable or tuple(parse_resolver(uri) for uri in PUBLIC_RESOLVERS))
        device = self._host if kind is TunnelKind.DEVICE else ""
        self._stack = Stack(
            clock=stack.clock,
            trust=stack.trust,
            capabilities=stack.capabilities,
            dns=stack.dns,
            names=names,
            tunnel=Tunnel(kind=kind, device=device),
        )
        self._view = OutsideView(self._stack, policy, families=families, sockets=_SOCKETS, asn_of=asn_of)

    async def ask(self, request: ControlRequest) -> ControlReport:
        """Measure through the tunnel; that nothing comes through it is in the report."""
        clock = self._own.clock
        started_boot_s, asked_at = clock.boot_s(), clock.wall_s()
        report = ControlReport(
            control=self.name,
            kind=ControlKind.TUNNEL,
            asked_at=asked_at,
            asn=self.settings.asn,
            country=self.settings.country,
        )
        if self._kind is not TunnelKind.DEVICE:
            proxy = await self._find_proxy()
            if proxy is None:
                return msgspec.structs.replace(report, failure="tunnel: its name has no address", unreachable=True)
            self._stack.tunnel = Tunnel(kind=self._kind, proxy=proxy)
        seen = await self._view.measure(request)
        report = msgspec.structs.replace(report, runtime_s=clock.boot_s() - started_boot_s, cut_short=seen.cut_short)
        if not any(_came_through(o) for o in seen.observations):
            return msgspec.structs.replace(
                report,
                failure=f"tunnel: nothing came through it{_name_reason(seen.observations)}",
                unreachable=True,
                way=seen.observations,
            )
        believed = seen.observations if self._kind is TunnelKind.DEVICE else leave_out_promises(seen.observations)
        return msgspec.structs.replace(report, observations=believed)

    async def _find_proxy(self) -> Endpoint | None:
        if self._host == "localhost":
            return Endpoint(address="127.0.0.1", port=self._port)
        with contextlib.suppress(ValueError):
            return Endpoint(address=str(ipaddress.ip_address(self._host)), port=self._port)
        ctx = Context(
            stack=self._own,
            gate=self._gate,
            journal=Journal(self._own.clock),
            holder=self.name,
            timeout_s=_PROXY_S,
            hold_s=0.0,
            families=self._families,
        )
        addresses = await lookup_system(ctx, self._host)
        return Endpoint(address=addresses[0], port=self._port) if addresses else None


def _over_a_stream(resolver: Resolver) -> Resolver:
    udp = resolver.transport is Transport.UDP
    return msgspec.structs.replace(resolver, transport=Transport.TCP) if udp else resolver


def _came_through(observation: Observation) -> bool:
    """Tell whether this step brought something from the far side: an answer, good or bad, and no proxy's promise."""
    if isinstance(observation, TCPConnect):
        # Refused by the place, as the proxy tells: it looked.
        return observation.failure is not None and observation.failure.code is FailureCode.CONNECTION_REFUSED
    if isinstance(observation, TLSHandshake):
        return bool(observation.chain) or observation.failure is None
    if isinstance(observation, HTTPExchange):
        return bool(observation.status)
    return observation.failure is None or bool(getattr(observation, "replies", ()))


def leave_out_promises(observations: tuple[Observation, ...]) -> tuple[Observation, ...]:
    """Leave out connections over which nothing came back: that the proxy took them says nothing of the place."""
    heard = {
        o.endpoint
        for o in observations
        if isinstance(o, TLSHandshake | HTTPExchange) and _came_through(o) and o.endpoint is not None
    }
    return tuple(
        o for o in observations if not isinstance(o, TCPConnect) or o.failure is not None or o.endpoint in heard
    )


def _name_reason(observations: tuple[Observation, ...]) -> str:
    failures = [o.failure for o in observations if o.failure is not None and o.failure.detail]
    return f" ({failures[0].detail[:80]})" if failures else ""
