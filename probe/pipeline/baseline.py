"""One look at the vantage itself: gateway, resolvers, anchors, portal, and what sits on or beside this machine."""

import asyncio
import email.utils
import ipaddress
from urllib.parse import urlsplit

from probe.classify.tries import is_private
from probe.classify.vantage import Sights, judge_vantage
from probe.model.endpoint import Endpoint, is_literal
from probe.model.errors import ProtocolError
from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup, HTTPExchange, Role, TLSHandshake, Transport
from probe.model.vantage import AnchorResult, Baseline
from probe.net.connect import connect
from probe.net.context import Context, Journal
from probe.net.echo import echo
from probe.net.exchange import exchange
from probe.net.lookup import lookup, lookup_getaddrinfo, lookup_system
from probe.net.routes import default_routes, is_tunnel
from probe.net.secure import secure
from probe.pipeline.environment import Environment
from probe.pipeline.ids import new_id
from probe.protocols.http.http1 import OutgoingRequest
from probe.protocols.tls.certificate import parse_certificate

ANCHORS_QUICK = 5
QUICK_TIMEOUT_S = 5.0
FULL_TIMEOUT_S = 10.0
"""Of each step; the whole look ends at `FULL_WITHIN_S`, and what has not answered by then has failed."""
QUICK_WITHIN_S = 8.0
FULL_WITHIN_S = 13.0
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
_FAKE = ipaddress.ip_network("198.18.0.0/15")
"""RFC 2544 benchmark space: what fake-IP proxies answer names with."""


class BaselineRun:
    """A look in the making."""

    def __init__(self, environment: Environment, *, quick: bool, previous: tuple[AnchorResult, ...] = ()) -> None:
        self._environment = environment
        self._previous = previous
        self._quick = quick
        self._journal = Journal(environment.stack.clock)
        routes = default_routes()
        self._families = tuple(sorted({route.family for route in routes})) or (4,)
        self._tunnel = any(is_tunnel(route.interface) for route in routes)
        self._gateways = tuple(route.gateway for route in routes if route.gateway)
        self._anchors: list[AnchorResult] = []
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._gateway_ok: bool | None = None
        self._portal: HTTPExchange | None = None
        self._udp_ok: bool | None = None
        self._falsified = False
        self._ports: dict[str, bool] = {}
        """Transport and place of each reference server, and whether it could be reached."""
        self._getaddrinfo_differs = False
        self._context = Context(
            stack=environment.stack,
            gate=environment.gate,
            journal=self._journal,
            holder=new_id(self._journal.started_at),
            timeout_s=QUICK_TIMEOUT_S if quick else FULL_TIMEOUT_S,
            families=self._families,
            role=Role.ANCHOR,
            body_limit_bytes=4096,
        )

    async def complete(self) -> Baseline:
        """Look, judge, and return the baseline."""
        settings = self._environment.settings.anchors
        foreign = settings.foreign[:ANCHORS_QUICK] if self._quick else settings.foreign
        try:
            async with asyncio.timeout(QUICK_WITHIN_S if self._quick else FULL_WITHIN_S):
                await self._look(foreign)
        except TimeoutError:
            self._give_up(foreign, "foreign")
            if not self._quick:
                self._give_up(settings.domestic, "domestic")
        return self._judge()

    def _give_up(self, urls: tuple[str, ...], group: str) -> None:
        """Count the anchors that did not answer in time as failed."""
        answered = {anchor.address for anchor in self._anchors}
        late = [url for url in urls if url not in answered]
        self._anchors += [AnchorResult(address=url, group=group, ok=False, failure="timeout") for url in late]

    async def _look(self, foreign: tuple[str, ...]) -> None:
        settings = self._environment.settings.anchors
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._try_anchor(url, "foreign")) for url in foreign]
            if not self._quick:
                tasks += [group.create_task(self._try_anchor(url, "domestic")) for url in settings.domestic]
                group.create_task(self._try_gateway())
                group.create_task(self._try_portal(settings.portal))
                group.create_task(self._try_resolvers())
                group.create_task(self._try_honesty())
                group.create_task(self._try_ports())
            else:
                group.create_task(self._stop_at_quorum(tasks))

    async def try_one(self, url: str) -> bool:
        """Try a single anchor; tell whether it proved itself."""
        await self._try_anchor(url, "foreign")
        return any(anchor.ok for anchor in self._anchors)

    async def _stop_at_quorum(self, tasks: list[asyncio.Task[None]]) -> None:
        """Call the rest off once two anchors have proved themselves by their own certificates."""
        pending: set[asyncio.Task[None]] = set(tasks)
        while pending:
            _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            if len({anchor.address for anchor in self._anchors if anchor.ok}) >= min(2, len(tasks)):
                for task in pending:
                    task.cancel()
                return

    def _judge(self) -> Baseline:
        lookups = [
            o
            for o in self._journal.observations
            if isinstance(o, DNSLookup) and o.resolver.system and o.resolver.endpoint
        ]
        asked = {str(o.resolver): o.resolver for o in lookups}
        answered = {str(o.resolver): o.resolver for o in lookups if o.replies}
        fitness = judge_vantage(
            Sights(
                gateway_ok=self._gateway_ok,
                resolvers_ok=len(answered),
                resolvers_total=len(asked),
                resolver_outside=any(r.endpoint and not is_private(r.endpoint.address) for r in answered.values()),
                anchors=tuple(self._anchors),
                previous=self._previous,
                portal_status=self._portal.status or None if self._portal else None,
                portal_body_bytes=self._portal.body_bytes if self._portal else 0,
                families=self._families,
                udp_ok=self._udp_ok,
                clock_offset_s=self._clock_offset_s(),
                tunnel_route=self._tunnel,
                proxy_environment=any(self._environment.environ.get(name) for name in PROXY_VARIABLES),
                fake_addresses=self._fake_addresses(),
                neutral_falsified=self._falsified,
                getaddrinfo_differs=self._getaddrinfo_differs,
            )
        )
        return Baseline(
            id=self._context.holder,
            quick=self._quick,
            started_at=self._journal.started_at,
            started_boot_s=self._journal.started_boot_s,
            runtime_s=self._journal.elapsed_s(),
            state=fitness.state,
            gateway_ok=self._gateway_ok,
            resolvers_ok=len(answered),
            resolvers_total=len(asked),
            anchors=tuple(self._anchors),
            families=fitness.families,
            udp_ok=self._udp_ok,
            loss_ratio=fitness.loss_ratio,
            clock_offset_s=self._clock_offset_s(),
            findings=fitness.findings,
            selective=fitness.selective,
            details=self._details(resolver_answers=bool(answered)),
        )

    def _details(self, *, resolver_answers: bool) -> tuple[str, ...]:
        """Return what a person wants to know of this network besides its state."""
        if self._quick:
            return ()
        honest = "no encrypted resolver to compare with"
        if not resolver_answers:
            honest = "does not answer"
        elif any(r.transport in (Transport.DOH, Transport.DOT) for r in self._environment.resolvers):
            honest = "lies about neutral names" if self._falsified else "answers neutral names as it should"
        portal = "not asked"
        if self._environment.settings.anchors.portal:
            portal = "no answer" if self._portal is None else f"status {self._portal.status}"
        ports = tuple(f"{place} {'open' if ok else 'closed'}" for place, ok in sorted(self._ports.items()))
        return (f"DNS {honest}", f"Portal check: {portal}", *ports)

    async def _try_anchor(self, url: str, group: str) -> None:
        """Resolve, connect and shake hands with one anchor, each address and family for itself."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        addresses = await lookup_system(self._context, host)
        if not is_literal(host):
            self._addresses[host] = addresses
        if not addresses:
            self._anchors.append(AnchorResult(address=url, group=group, ok=False, failure="dns"))
            return
        chosen = {Endpoint(address=a, port=port).family: a for a in reversed(addresses)}
        async with asyncio.TaskGroup() as paths:
            for address in chosen.values():
                paths.create_task(self._try_anchor_at(url, group, host, Endpoint(address=address, port=port)))

    async def _try_anchor_at(self, url: str, group: str, host: str, endpoint: Endpoint) -> None:
        started_s = self._journal.elapsed_s()
        async with connect(self._context, endpoint) as channel:
            rtt_s = self._journal.elapsed_s() - started_s
            ok, failure, issuer = False, "tcp", ""
            if channel is not None:
                secured = await secure(self._context, channel, server_name=host)
                ok, failure = secured is not None, "" if secured is not None else "tls"
                if not ok:
                    issuer = self._issuer_at(endpoint)
        self._anchors.append(
            AnchorResult(
                address=url, group=group, ok=ok, family=endpoint.family, rtt_s=rtt_s, failure=failure, issuer=issuer
            )
        )

    def _issuer_at(self, endpoint: Endpoint) -> str:
        """Return who signed the certificate that was refused there for its issuer; dates and names are other faults."""
        for observation in reversed(self._journal.observations):
            if isinstance(observation, TLSHandshake) and observation.endpoint == endpoint and observation.chain:
                if observation.failure is None or observation.failure.code is not FailureCode.SSL_UNKNOWN_AUTHORITY:
                    return ""
                try:
                    return parse_certificate(observation.chain[0]).issuer
                except ProtocolError:
                    return ""
        return ""

    async def _try_gateway(self) -> None:
        for gateway in self._gateways[:1]:
            self._gateway_ok = await echo(self._context, gateway) or None

    async def _try_portal(self, url: str) -> None:
        if not url:
            return
        parts = urlsplit(url)
        host = parts.hostname or ""
        addresses = await lookup_system(self._context, host)
        if not addresses:
            return
        endpoint = Endpoint(address=addresses[0], port=parts.port or 80)
        async with connect(self._context, endpoint) as channel:
            if channel is not None:
                request = OutgoingRequest(host=host, port=endpoint.port, path=parts.path or "/", secure=False)
                self._portal = await exchange(self._context, channel, request)

    async def _try_resolvers(self) -> None:
        """Ask every nameserver of this host, and one public resolver by UDP, a neutral name."""
        neutral = self._environment.neutral_names[0] if self._environment.neutral_names else "example.com"
        clear = [r for r in self._environment.resolvers if r.transport is Transport.UDP and not r.system]
        async with asyncio.TaskGroup() as group:
            for resolver in self._environment.stack.names.resolvers():
                group.create_task(lookup(self._context, resolver, neutral, "A"))
            if clear:
                task = group.create_task(lookup(self._context, clear[0], neutral, "A"))
        if clear:
            self._udp_ok = bool(task.result())

    async def _try_ports(self) -> None:
        """Connect to the ports of the reference resolvers: which services pass here at all?"""
        places = {
            resolver.endpoint
            for resolver in self._environment.resolvers
            if resolver.endpoint is not None and resolver.transport is not Transport.UDP
        }
        async with asyncio.TaskGroup() as group:
            for endpoint in sorted(places, key=str):
                group.create_task(self._try_port(endpoint))

    async def _try_port(self, endpoint: Endpoint) -> None:
        self._ports[f"TCP {endpoint}"] = False
        async with connect(self._context, endpoint) as channel:
            self._ports[f"TCP {endpoint}"] = channel is not None

    async def _try_honesty(self) -> None:
        """Hold two neutral names against an encrypted resolver, and our view of the nameservers against libc's."""
        encrypted = [r for r in self._environment.resolvers if r.transport in (Transport.DOH, Transport.DOT)]
        for name in self._environment.neutral_names[:2]:
            before = len(self._journal.observations)
            ours = await lookup_system(self._context, name)
            system = await lookup_getaddrinfo(self._context, name)
            if bool(ours) != bool(system) or (ours and all(map(_is_fake, system)) != all(map(_is_fake, ours))):
                self._getaddrinfo_differs = True
            # Silence is no lie: then there is nothing to hold against what others say.
            said = ours or any(
                isinstance(o, DNSLookup) and o.name == name and o.resolver.system and o.replies
                for o in self._journal.observations[before:]
            )
            false = said and all(is_private(a) or a in ("0.0.0.0", "::") for a in ours)
            if false and encrypted and await lookup(self._context, encrypted[0], name, "A"):
                self._falsified = True

    def _fake_addresses(self) -> bool:
        given = [addresses for addresses in self._addresses.values() if addresses]
        fake = [addresses for addresses in given if all(_is_fake(a) or is_private(a) for a in addresses)]
        return len(fake) >= 2 or (len(given) == 1 and len(fake) == 1)

    def _clock_offset_s(self) -> float | None:
        """Return how far the world's clock is ahead of ours, by the portal check's `Date` header."""
        if self._portal is None:
            return None
        date = next((value for name, value in self._portal.headers if name.lower() == "date"), "")
        try:
            return email.utils.parsedate_to_datetime(date).timestamp() - self._environment.stack.clock.wall_s()
        except ValueError:
            return None


def _is_fake(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return isinstance(parsed, ipaddress.IPv4Address) and parsed in _FAKE
