"""Measures one target for somebody else, with the same steps as our own checks.

The name is asked of this host's nameservers and of the configured resolvers. Every address that came of the former,
and every one that the client saw, is dialled; the page is fetched over one of our own, or, when we have none, over the
client's, if a certificate then tells that it is the right one.
"""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeAlias, assert_never

import msgspec

from probe.checks import web
from probe.checks.encrypted_resolver import NEUTRAL_NAME
from probe.checks.paths import MAX_PATHS
from probe.control.outbound import OutboundGate
from probe.control.policy import Policy
from probe.control.wire import strip
from probe.model.control import ControlRequest
from probe.model.depth import Depth
from probe.model.endpoint import Endpoint, is_literal
from probe.model.observation import DNSLookup, Observation, Resolver, Role, Transport
from probe.model.target import CheckName, Header, Request, Target
from probe.net.connect import connect
from probe.net.context import Context, Journal, unknown_asn
from probe.net.conversation import Occasion
from probe.net.dialogue import converse
from probe.net.echo import echo
from probe.net.lookup import lookup, lookup_system
from probe.net.quic import quic
from probe.net.secure import secure
from probe.net.stack import Stack
from probe.protocols import load_specs
from probe.protocols.http.redirect import WebAddress

BODY_BYTES = 65536
"""As much of a page as a client's plain run fetches, so that hashes can be compared."""
DNS_PORT = 53
Step: TypeAlias = Coroutine[Any, Any, None]
_TYPES = {4: "A", 6: "AAAA"}


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen."""

    observations: tuple[Observation, ...]
    started_at: float
    runtime_s: float
    cut_short: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How long a measurement may take."""

    step_s: float = 10.0
    whole_s: float = 30.0


class OutsideView:
    """Long-lived; one per server."""

    def __init__(
        self,
        stack: Stack,
        policy: Policy,
        *,
        resolvers: tuple[Resolver, ...] = (),
        families: tuple[int, ...] = (4, 6),
        sockets: int = 4000,
        greetings_apart_s: float = 25.0,
        bounds: Bounds | None = None,
        asn_of: Callable[[str], int] = unknown_asn,
    ) -> None:
        self._stack = stack
        self._families = families
        self._bounds = bounds or Bounds()
        self._greetings_apart_s = greetings_apart_s
        self._serial = 0
        self.policy = policy
        self.resolvers = resolvers
        self.asn_of = asn_of
        self.gate = OutboundGate(policy, sockets)
        self._dns_gate = OutboundGate(None, sockets)

    def open_context(self, *, timeout_s: float, families: Iterable[int], body_limit_bytes: int = BODY_BYTES) -> Context:
        """Return what the steps of a new measurement are handed."""
        self._serial += 1
        return Context(
            stack=self._stack,
            gate=self.gate,
            journal=Journal(self._stack.clock),
            holder=f"control-{self._serial}",
            timeout_s=min(timeout_s, self._bounds.step_s),
            hold_s=0.0,  # nobody injects here; a second answer would prove nothing
            families=tuple(sorted(set(families))),
            body_limit_bytes=body_limit_bytes,
            role=Role.CONTROL,
            asn_of=self.asn_of,
        )

    async def measure(self, request: ControlRequest) -> View:
        """Measure what is asked; what is not seen when time is over is left out."""
        ctx = self.open_context(timeout_s=request.timeout_s, families=request.families)
        cut_short = False
        try:
            async with asyncio.timeout(self._bounds.whole_s):
                await self._run(request, ctx)
        except TimeoutError:
            cut_short = True
        return View(
            observations=tuple(map(strip, ctx.journal.observations)),
            started_at=ctx.journal.started_at,
            runtime_s=ctx.journal.elapsed_s(),
            cut_short=cut_short,
        )

    async def _run(self, request: ControlRequest, ctx: Context) -> None:
        async with asyncio.TaskGroup() as group:
            if request.check is CheckName.DNS:
                types: tuple[str, ...] = (request.query_type,)
                for address in request.addresses:
                    group.create_task(self._ask_clients_resolver(request, ctx, address))
            else:
                types = tuple(_TYPES[family] for family in ctx.families)
            own = await self.resolve(ctx, request.host, types, group)
            if request.check is not CheckName.DNS:
                self._dial_all(request, ctx, own, group)

    async def resolve(
        self, ctx: Context, host: str, types: tuple[str, ...], group: asyncio.TaskGroup
    ) -> tuple[str, ...]:
        """Return what this host's nameservers say, the configured ones being asked in `group` meanwhile.

        Where its own say nothing at all, those others' answers stand in: a control with a broken resolver still looks.
        """
        asked: list[asyncio.Task[None]] = []
        if not is_literal(host):
            outward = dataclasses.replace(ctx, gate=self._dns_gate)
            for resolver in self.resolvers:
                asked += [group.create_task(_ask(outward, resolver, host, query_type)) for query_type in types]
        own = await self.lookup_own(ctx, host, types)
        if own or not asked or not _is_mute(ctx):
            return own
        await asyncio.wait(asked)
        lookups = (seen for seen in ctx.journal.observations if isinstance(seen, DNSLookup))
        return tuple(dict.fromkeys(address for lookup in lookups for address in lookup.addresses))

    async def lookup_own(self, ctx: Context, host: str, types: tuple[str, ...] = ("A", "AAAA")) -> tuple[str, ...]:
        """Return what this host's nameservers say; an address literal is its own answer."""
        if is_literal(host):
            return (host,)
        return await lookup_system(dataclasses.replace(ctx, gate=self._dns_gate), host, types)

    async def _ask_clients_resolver(self, request: ControlRequest, ctx: Context, address: str) -> None:
        """Ask the resolver that the client asked: is it silent for everybody?"""
        port_allowed = request.port == DNS_PORT or request.port in self.policy.ports
        if port_allowed and not self.policy.refuses_address(address):
            endpoint = Endpoint(address=address, port=request.port)
            await lookup(ctx, Resolver(transport=Transport.UDP, endpoint=endpoint), request.host, request.query_type)

    def choose(self, addresses: Iterable[str], *, most: int = MAX_PATHS) -> tuple[str, ...]:
        """Return the addresses that may be dialled from here, each once; there is nothing to learn of the others."""
        return tuple(
            address
            for address in dict.fromkeys(addresses)
            if (6 if ":" in address else 4) in self._families and not self.policy.refuses_address(address)
        )[:most]

    def _dial_all(
        self, request: ControlRequest, ctx: Context, resolved: tuple[str, ...], group: asyncio.TaskGroup
    ) -> None:
        own = self.choose(resolved)
        seen = tuple(address for address in self.choose(request.addresses) if address not in own)
        fetched: tuple[str, ...] = ()
        if request.check is CheckName.WEB:
            # Without a certificate, what the client was told may be a censor's address: no page from there.
            fetched = own or (seen if request.secure else ())
            if fetched:
                page = WebAddress(secure=request.secure, host=request.host, port=request.port, path=request.path)
                group.create_task(fetch(ctx, page, fetched))
        for address in (*own, *seen):
            endpoint = Endpoint(address=address, port=request.port)
            if request.greeting:
                group.create_task(greet(ctx, endpoint, request, self._greetings_apart_s))
            for step in _steps(request, ctx, endpoint, is_fetched=address in fetched):
                group.create_task(step)


def _is_mute(ctx: Context) -> bool:
    """Tell whether this host's nameservers gave no answer of any kind: they are broken, or the way to them is."""
    own = [seen for seen in ctx.journal.observations if isinstance(seen, DNSLookup) and seen.resolver.system]
    return not any(seen.replies for seen in own)


def _steps(request: ControlRequest, ctx: Context, endpoint: Endpoint, *, is_fetched: bool) -> Iterator[Step]:
    """Yield what is tried at one address, the fetch of a page apart."""
    match request.check:
        case CheckName.WEB | CheckName.TLS:
            secured = request.check is CheckName.TLS or request.secure
            alpn = ("http/1.1",) if request.check is CheckName.WEB else ()
            names = request.server_names or (request.host,)
            for name in names if secured else ():
                if not (is_fetched and name == request.host):
                    yield shake_hands(ctx, endpoint, name, alpn=alpn, verify=name == request.host)
            if not secured and not is_fetched:
                yield dial(ctx, endpoint)
        case CheckName.H3:
            for name in request.server_names or (request.host,):
                yield shake_quic(ctx, endpoint, name, verify=name == request.host)
        case CheckName.TCP:
            yield dial(ctx, endpoint)
        case CheckName.DOT | CheckName.DOH:
            transport = Transport.DOT if request.check is CheckName.DOT else Transport.DOH
            name = (*request.server_names, "" if is_literal(request.host) else request.host)[0]
            path = request.path if request.path != "/" else "/dns-query"
            resolver = Resolver(transport=transport, endpoint=endpoint, server_name=name, path=path)
            yield _ask(ctx, resolver, NEUTRAL_NAME, "A")
        case CheckName.ICMP:
            yield _echo(ctx, endpoint.address)
        case CheckName.DNS | CheckName.VPN | CheckName.GROUP:
            return
        case _ as never:
            assert_never(never)


async def fetch(
    ctx: Context,
    address: WebAddress,
    addresses: tuple[str, ...],
    headers: tuple[Header, ...] = (),
) -> None:
    """Fetch a page and what it redirects to, over one of these addresses."""
    target = Target(
        id="control",
        check=CheckName.WEB,
        address="",
        host=address.host,
        port=address.port,
        path=address.path,
        secure=address.secure,
        request=Request(headers=headers) if headers else None,
    )
    await web.run(target, ctx, addresses=addresses)


async def greet(ctx: Context, endpoint: Endpoint, request: ControlRequest, apart_s: float) -> None:
    """Send a tunnel's server its protocol's first packet, in which are nobody's credentials; go no further."""
    occasion = Occasion(
        spec=load_specs()[request.greeting], host=request.host, params={}, secrets={}, deepest=Depth.HELLO,
        spacing_s=apart_s,
    )  # fmt: skip
    await converse(ctx, endpoint, occasion)


async def dial(ctx: Context, endpoint: Endpoint) -> None:
    """Connect and hang up."""
    async with connect(ctx, endpoint):
        pass


async def shake_hands(
    ctx: Context, endpoint: Endpoint, name: str, *, alpn: tuple[str, ...] = ("http/1.1",), verify: bool = True
) -> None:
    """Connect and shake hands for a name; an empty one is not sent."""
    async with connect(ctx, endpoint) as channel:
        if channel is not None:
            await secure(ctx, channel, server_name=name, alpn=alpn, verify=verify)


async def shake_quic(ctx: Context, endpoint: Endpoint, name: str, *, verify: bool = True) -> None:
    """Shake hands by QUIC for a name; an empty one is not sent."""
    async with quic(ctx, endpoint, server_name=name, verify=verify):
        pass


async def _ask(ctx: Context, resolver: Resolver, host: str, query_type: str) -> None:
    await lookup(ctx, resolver, host, query_type)


async def _echo(ctx: Context, address: str) -> None:
    await echo(ctx, address)
