"""Follow-ups: each is one step, made exactly as the plan says."""

import asyncio
import dataclasses
from typing import assert_never

from probe.checks.quic_steps import run_quic_step
from probe.checks.volume import VOLUME_BYTES, fetch_neutral
from probe.checks.vpn import speak
from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Step
from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup, Role
from probe.model.target import Target
from probe.net.connect import connect, hold
from probe.net.context import Context
from probe.net.conversation import Occasion
from probe.net.dialogue import converse
from probe.net.echo import echo
from probe.net.exchange import exchange
from probe.net.hello import send_hello
from probe.net.lookup import lookup, lookup_getaddrinfo
from probe.net.path_trace import trace_name, trace_syn
from probe.net.secure import secure
from probe.net.stream import ByteStream
from probe.net.ttl_floor import compare_ttls
from probe.protocols import sink
from probe.protocols.http.http1 import OutgoingRequest

_LONG = (Design.VOLUME, Design.FLOW)
_HOLD_S = 0.3
_HOLD_AGAIN_S = 0.7
"""How long a repeated question listens on: the true answer, if any comes, is cached and one round trip away."""
_PATIENCE_AGAIN = 0.45
"""Share of the timeout that a question is repeated for once it was lost: the first verdict is due after 1.5 of them."""
_BODY_LIMIT_BYTES = 65536
_HELLO_TIMEOUT_S = 4.0
"""A first word comes at once or after a retransmission or three; the comparison must fit into the first verdict."""


async def run_experiment(experiment: Experiment, ctx: Context, target: Target) -> None:
    """Wait as long as the plan says, then make the one step; its observations carry the experiment's id."""
    if experiment.delay_s > 0:
        await asyncio.sleep(experiment.delay_s)
    ctx = dataclasses.replace(
        ctx,
        role=Role.EXPERIMENT,
        experiment=experiment.id,
        hop=experiment.hop,
        body_limit_bytes=VOLUME_BYTES if experiment.design in _LONG else _BODY_LIMIT_BYTES,
        timeout_s=min(ctx.timeout_s, experiment.within_s) if experiment.within_s else ctx.timeout_s,
    )
    match experiment.step:
        case Step.LOOKUP:
            await _look_up(experiment, ctx)
        case Step.CONNECT:
            async with connect(ctx, _endpoint_of(experiment, target)):
                pass
        case Step.MIN_TTL:
            path = None if experiment.secure else experiment.path
            place = _endpoint_of(experiment, target)
            await compare_ttls(ctx, place, experiment.name, experiment.beside, path=path)
        case Step.HOLD:
            await hold(ctx, _endpoint_of(experiment, target), for_s=_HOLD_S)
        case Step.ECHO:
            await echo(ctx, _endpoint_of(experiment, target).address)
        case Step.TRACE_SYN | Step.TRACE_NAME:
            await _trace(experiment, ctx, _endpoint_of(experiment, target))
        case Step.HANDSHAKE:
            await _shake_hands(experiment, ctx, target, _endpoint_of(experiment, target))
        case Step.FETCH:
            await _fetch(experiment, ctx, _endpoint_of(experiment, target))
        case Step.QUIC | Step.QUIC_PING | Step.FETCH_H3 | Step.QUIC_ANCHOR:
            await run_quic_step(experiment, ctx)
        case Step.HELLO:
            brief = dataclasses.replace(ctx, timeout_s=min(ctx.timeout_s, _HELLO_TIMEOUT_S))
            await send_hello(
                brief, _endpoint_of(experiment, target), experiment.shape, _sni_of(experiment), experiment.ech
            )
        case Step.NEUTRAL_PAGE:
            await fetch_neutral(ctx, experiment.name)
        case Step.CONVERSE | Step.SINK:
            await _converse(experiment, ctx, target, _endpoint_of(experiment, target))
        case _:
            assert_never(experiment.step)


async def _converse(experiment: Experiment, ctx: Context, target: Target, endpoint: Endpoint) -> None:
    if experiment.step is Step.SINK:
        # Bytes for a control's own port: nobody's protocol, and no handshake that would have to keep its distance.
        occasion = Occasion(spec=sink.SPEC, host="", params={"bytes": experiment.name}, secrets={}, spacing_s=0.0)
        await converse(ctx, endpoint, occasion)
        return
    deepest = Depth.VOLUME if experiment.design is Design.VOLUME else None
    await speak(_partner(experiment, target, ctx), ctx, endpoint, deepest)


def _partner(experiment: Experiment, target: Target, ctx: Context) -> Target:
    """Return whose protocol and credentials a conversation uses: a reference's, where the experiment names one."""
    return ctx.references.get(experiment.name, target)


def _endpoint_of(experiment: Experiment, target: Target) -> Endpoint:
    """Return where the step goes.

    Raises:
        ValueError: the plan named no endpoint; our own mistake.
    """
    if experiment.endpoint is None:
        raise ValueError(f"{experiment.id} of {target.id} says nowhere to go")
    return experiment.endpoint


async def _look_up(experiment: Experiment, ctx: Context) -> None:
    if experiment.resolver is None or experiment.resolver.endpoint is None:
        await lookup_getaddrinfo(ctx, experiment.name)
    else:
        # A lookup that looks odd listens on by itself; a repeat always does, for what a clean first reply hides.
        hold = experiment.design is Design.REPEAT
        earlier = _asked_before(experiment, ctx)
        if earlier:
            lost = any(o.failure is not None and o.failure.code is FailureCode.TIMEOUT for o in earlier)
            share = _PATIENCE_AGAIN if lost else 1.0
            hold_s = min(ctx.hold_s, _HOLD_AGAIN_S)
            ctx = dataclasses.replace(ctx, hold_s=hold_s, timeout_s=share * ctx.timeout_s)
        await lookup(ctx, experiment.resolver, experiment.name, experiment.query_type, hold=hold)


def _asked_before(experiment: Experiment, ctx: Context) -> list[DNSLookup]:
    """Return what the same server was asked of the same in this run: an answer, if it has one, is ready there."""
    if experiment.resolver is None or experiment.resolver.endpoint is None:
        return []
    server, question = experiment.resolver.endpoint.address, (experiment.name, experiment.query_type)
    lookups = (o for o in ctx.journal.observations if isinstance(o, DNSLookup) and (o.name, o.query_type) == question)
    return [o for o in lookups if o.resolver.endpoint is not None and o.resolver.endpoint.address == server]


async def _trace(experiment: Experiment, ctx: Context, endpoint: Endpoint) -> None:
    if experiment.step is Step.TRACE_SYN:
        await trace_syn(ctx, endpoint, experiment.ttls)
    else:
        path = None if experiment.secure else experiment.path
        await trace_name(ctx, endpoint, experiment.name, experiment.ttls, path=path)


async def _shake_hands(experiment: Experiment, ctx: Context, target: Target, endpoint: Endpoint) -> None:
    async with connect(ctx, endpoint) as channel:
        if channel is not None:
            # The site's own certificate may be asked for under another name.
            meant = target.host if experiment.design is Design.CERTIFICATE else None
            verify = _must_verify(experiment) or meant is not None
            await secure(ctx, channel, server_name=_sni_of(experiment), verify_name=meant, verify=verify)


async def _fetch(experiment: Experiment, ctx: Context, endpoint: Endpoint) -> None:
    request = OutgoingRequest(
        host=experiment.host or experiment.name or endpoint.address,
        port=endpoint.port,
        secure=experiment.secure,
        path=experiment.path,
    )
    async with connect(ctx, endpoint) as channel:
        if channel is None:
            return
        stream: ByteStream | None = channel
        if experiment.secure:
            stream = await secure(
                ctx,
                channel,
                server_name=_sni_of(experiment),
                verify=_must_verify(experiment),
                request_follows=True,
            )
        if stream is not None:
            await exchange(ctx, stream, request)


def _sni_of(experiment: Experiment) -> str:
    return "" if experiment.name_kind is NameKind.NONE else experiment.name


def _must_verify(experiment: Experiment) -> bool:
    """Tell whether the server must prove itself to be who was named.

    A server need not have a certificate for a name that is not its own, nor where none was said; a control's echo port
    has no true one for any name. What a proxy hands on is the site's own.
    """
    if experiment.design is Design.FLOW:
        return False
    return experiment.name_kind is NameKind.TEST or experiment.design is Design.PROXY
