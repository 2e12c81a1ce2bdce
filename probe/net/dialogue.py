"""Drives a dialogue over a real channel: one conversation, one observation.

Beneath it stand a UDP socket of its own, a TCP connection, or TLS over one: those are steps and observations of their
own, and a conversation (`conversation.py`) begins only when they succeeded.
"""

import msgspec

from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.errors import UserError
from probe.model.experiment import Traffic
from probe.model.failure import FailureCode, Stage
from probe.model.observation import DialogueExchange, TLSHandshake
from probe.net.attempt import build_failure
from probe.net.connect import connect
from probe.net.context import Context, TooSoon
from probe.net.conversation import Conversation, Occasion
from probe.net.datagrams import Datagrams
from probe.net.secure import secure
from probe.net.stream import ByteStream
from probe.protocols.dialogue import DialogueSpec, Tcp, Tls, Udp

_STAMPS = 16


async def converse(ctx: Context, endpoint: Endpoint, occasion: Occasion) -> DialogueExchange | None:
    """Hold one conversation and append it; `None` = the channel below failed, whose observation says how.

    Raises:
        ValueError: the protocol stands on nothing that we can open; our own mistake.
    """
    stack = occasion.spec.choose_stack(occasion.params)
    run = Conversation(ctx, endpoint, occasion, "+".join(type(layer).__name__.lower() for layer in stack))
    try:
        await ctx.gate.claim_handshake(f"{occasion.spec.name} {endpoint}", occasion.spacing_s, occasion.patience_s)
        stamps = await _reserve_stamps(ctx, occasion.spec)
    except TooSoon as error:
        return run.give_up(FailureCode.TOO_SOON, str(error))
    except OSError as error:
        return run.give_up(FailureCode.PERMISSION_DENIED, error.strerror or "")
    match stack[0]:
        case Udp():
            return await _over_udp(run, stamps)
        case Tcp():
            return await _over_tcp(run, stack[1:], stamps)
        case _:
            raise ValueError(f"{occasion.spec.name} stands on no transport")  # our own mistake


async def _reserve_stamps(ctx: Context, spec: DialogueSpec) -> int:
    if not spec.counter:
        return 0
    return await ctx.gate.reserve(spec.counter, int(ctx.stack.clock.wall_s() * 1e9), _STAMPS)


async def _over_udp(run: Conversation, stamps: int) -> DialogueExchange:
    ctx = run.ctx
    try:
        grant = await ctx.gate.ask(Traffic.DATAGRAM, run.endpoint, ctx.holder)
    except PermissionError as error:
        return run.give_up(FailureCode.PERMISSION_DENIED, error.strerror or "")
    channel: Datagrams | None = None
    run.queued_s, run.hot = grant.queued_s, grant.hot
    try:
        run.begin()
        try:
            channel = run.datagrams = Datagrams(run.endpoint, ctx.stack.capabilities, ctx.stack.clock, ctx.stack.tunnel)
        except OSError as error:
            run.failure = build_failure(Stage.DIALOGUE, error)
            return run.append()
        run.local_port = channel.local_port
        await run.hold(stamps, b"")
        run.bytes_sent, run.bytes_received = channel.bytes_sent, channel.bytes_received
        if run.failure is not None and (icmp := channel.take_icmp()) is not None:
            run.failure = msgspec.structs.replace(run.failure, icmp=icmp)
        return run.append()
    finally:
        if channel is not None:
            channel.close()
            ctx.gate.release(grant, bytes_sent=channel.bytes_sent, bytes_received=channel.bytes_received)
        else:
            ctx.gate.release(grant)


async def _over_tcp(run: Conversation, above: tuple[object, ...], stamps: int) -> DialogueExchange | None:
    async with connect(run.ctx, run.endpoint) as channel:
        if channel is None:
            return None
        run.local_port = channel.local_port
        stream: ByteStream | None = channel
        certificate = b""
        for layer in above:
            if not isinstance(layer, Tls):
                raise ValueError(f"{run.occasion.spec.name}: {layer} does not stand on TCP")  # our own mistake
            name = run.occasion.params.get("sni", run.occasion.host)
            pair = _find_pair(run.occasion, layer)
            try:
                stream = await secure(
                    run.ctx, channel, server_name=name, alpn=layer.alpn, verify=layer.verify, pair=pair
                )
            except UserError as error:
                return run.give_up(FailureCode.CREDENTIALS_MISSING, str(error))
            if stream is None:
                return None
            seen = run.ctx.journal.observations[-1]
            if isinstance(seen, TLSHandshake) and seen.chain:
                certificate = seen.chain[0]
        run.begin()
        run.stream = stream
        sent, received = channel.bytes_sent, channel.bytes_received
        await run.hold(stamps, certificate)
        run.bytes_sent, run.bytes_received = channel.bytes_sent - sent, channel.bytes_received - received
        return run.append()


def _find_pair(occasion: Occasion, layer: Tls) -> tuple[bytes, bytes] | None:
    """Return the certificate that is to be shown, and its key; nobody's is before a login is wanted."""
    if layer.client_pair is None or occasion.deepest.rank < Depth.AUTH.rank:
        return None
    certificate, key = (occasion.secrets.get(name, b"") for name in layer.client_pair)
    return (certificate, key or certificate) if certificate else None
