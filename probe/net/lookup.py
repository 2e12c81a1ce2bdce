"""Asking for a name: one resolver, this host's nameservers as a client would, or the operating system's function.

Source: RFC 1035 section 4.2 (UDP, truncation, TCP framing), RFC 7766, resolv.conf(5) for the order of nameservers.
"""

import asyncio
import dataclasses
import socket
import sys
from collections.abc import Sequence

import msgspec

from probe.model.endpoint import Endpoint, is_literal
from probe.model.experiment import Traffic
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import DNSAnswer, DNSLookup, DNSReply, Resolver, Transport
from probe.net.attempt import build_failure
from probe.net.context import Context, unknown_asn
from probe.net.dns_stream import ask_stream
from probe.net.inquiry import Inquiry

_PARTNER_PATIENCE_S = 2.0
"""Once A is answered, AAAA gets one more retransmission, not the whole timeout: some resolvers drop it."""
_TRY_NEXT = (FailureCode.TIMEOUT, FailureCode.DNS_SERVFAIL, FailureCode.DNS_REFUSED, FailureCode.DNS_MISBEHAVING)
"""After these a stub resolver asks its next nameserver; after what its own host refused, too."""
_TYPES = {4: "A", 6: "AAAA"}
_GETADDRINFO = Resolver(transport=Transport.GETADDRINFO, system=True)
_GAI_CODES = {
    socket.EAI_NONAME: FailureCode.DNS_NXDOMAIN,
    socket.EAI_AGAIN: FailureCode.DNS_TEMPORARY,
    socket.EAI_FAIL: FailureCode.DNS_NON_RECOVERABLE,
    getattr(socket, "EAI_NODATA", -5): FailureCode.DNS_NO_ANSWER,
    getattr(socket, "EAI_ADDRFAMILY", -9): FailureCode.DNS_NO_ANSWER,
}
_ON_LINUX = sys.platform == "linux"


async def lookup(
    ctx: Context, resolver: Resolver, name: str, query_type: str = "A", *, hold: bool = False
) -> tuple[str, ...]:
    """Ask one resolver one question; return the addresses of the accepted reply, none if it failed.

    `hold` asks from a socket of its own, which hears of ICMP errors, and listens for `ctx.hold_s` whatever comes.
    A truncated answer is asked again over TCP, which is a second observation.
    """
    if resolver.transport is Transport.GETADDRINFO or resolver.endpoint is None:
        return await lookup_getaddrinfo(ctx, name)
    if resolver.transport is not Transport.UDP:
        return (await ask_stream(ctx, resolver, name, query_type)).addresses
    if ctx.stack.tunnel is not None:
        (observation,) = await _ask_streams(ctx, resolver, name, (query_type,), ctx.timeout_s)
        return observation.addresses
    (observation,) = await _ask_datagrams(
        ctx, resolver, resolver.endpoint, name, (query_type,), ctx.timeout_s, hold=hold
    )
    return observation.addresses


async def lookup_system(ctx: Context, name: str, query_types: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Return the addresses that a client of this host would get: A first, then AAAA; none if that failed.

    All types, those of `ctx.families` unless said, are asked side by side. The next nameserver is asked, as a new
    observation, for what the one before left unanswered. An address literal is returned as it is, unobserved.
    """
    if query_types is None:
        if is_literal(name):
            return (name,)
        if not _ON_LINUX and ctx.stack.tunnel is None:
            return await lookup_getaddrinfo(ctx, name)
    resolvers = ctx.stack.names.resolvers()
    missing = query_types or tuple(_TYPES[family] for family in sorted(ctx.families))
    found: dict[str, tuple[str, ...]] = {}
    for resolver in resolvers:
        if resolver.endpoint is None:
            continue
        patience_s = ctx.timeout_s / len(resolvers)
        if ctx.stack.tunnel is None:
            seen = await _ask_datagrams(ctx, resolver, resolver.endpoint, name, missing, patience_s)
        else:
            seen = await _ask_streams(ctx, resolver, name, missing, patience_s)
        for observation in seen:
            if not _wants_next(observation.failure):
                found[observation.query_type] = observation.addresses
        missing = tuple(query_type for query_type in missing if query_type not in found)
        if not missing:
            break
    addresses = found.get("A", ()) + found.get("AAAA", ())
    return tuple(dict.fromkeys(addresses)) if len(addresses) > 1 else addresses


def _wants_next(failure: Failure | None) -> bool:
    return failure is not None and (failure.code in _TRY_NEXT or failure.errno is not None)


async def _ask_datagrams(
    ctx: Context,
    resolver: Resolver,
    endpoint: Endpoint,
    name: str,
    query_types: Sequence[str],
    patience_s: float,
    *,
    hold: bool = False,
) -> list[DNSLookup]:
    """Ask side by side over UDP; append and return what came, a truncated answer replaced by the one over TCP."""
    dns, gate, journal = ctx.stack.dns, ctx.gate, ctx.journal
    inquiries: list[Inquiry] = []
    seen: list[DNSLookup] = []
    try:
        for query_type in query_types:
            grant = await gate.ask(Traffic.DNS, endpoint, ctx.holder)
            inquiry = Inquiry(ctx, grant, resolver, name, query_type, patience_s=patience_s, hold=hold)
            inquiries.append(inquiry)
            await dns.start(inquiry, endpoint, own_socket=hold)
        for index, inquiry in enumerate(inquiries):
            await inquiry.wait()
            observation = inquiry.observe()
            journal.append(observation)
            seen.append(observation)
            if observation.failure is None:
                for partner in inquiries[index + 1 :]:
                    partner.shorten(_PARTNER_PATIENCE_S)
    finally:
        for inquiry in inquiries:
            inquiry.abandon()
            gate.release(inquiry.grant, bytes_sent=inquiry.bytes_sent, bytes_received=inquiry.bytes_received)
    for index, inquiry in enumerate(inquiries):
        if inquiry.truncated:
            over_tcp = Resolver(transport=Transport.TCP, endpoint=endpoint, system=resolver.system)
            seen[index] = await ask_stream(ctx, over_tcp, name, inquiry.query_type)
    return seen


async def _ask_streams(
    ctx: Context, resolver: Resolver, name: str, query_types: Sequence[str], patience_s: float
) -> list[DNSLookup]:
    """Ask side by side, each over a connection of its own, as a tunnel that carries no datagrams needs it."""
    ctx = dataclasses.replace(ctx, timeout_s=patience_s)
    if resolver.transport is Transport.UDP:
        resolver = msgspec.structs.replace(resolver, transport=Transport.TCP)
    async with asyncio.TaskGroup() as group:
        asked = [group.create_task(ask_stream(ctx, resolver, name, query_type)) for query_type in query_types]
    return [task.result() for task in asked]


async def lookup_getaddrinfo(ctx: Context, name: str) -> tuple[str, ...]:
    """Ask the operating system's own function (hosts file, nsswitch, VPN DNS); one observation for both families.

    It is filed under the first type of `ctx.families`, since one call asks for both.
    """
    family = socket.AF_UNSPEC
    if len(ctx.families) == 1:
        family = socket.AF_INET if ctx.families[0] == 4 else socket.AF_INET6
    grant = await ctx.gate.ask(Traffic.DNS, None, ctx.holder)
    transaction = ctx.journal.next_transaction()
    t0_s = ctx.journal.elapsed_s()
    addresses: tuple[str, ...] = ()
    failure: Failure | None = None
    try:
        addresses = await ctx.stack.names.getaddrinfo(name, family, ctx.timeout_s)
    except socket.gaierror as error:
        code = _GAI_CODES.get(error.errno or 0, FailureCode.DNS_NON_RECOVERABLE)
        failure = Failure(stage=Stage.RESOLVE, code=code, errno=error.errno, detail=error.strerror or "")
    except UnicodeError:
        failure = Failure(stage=Stage.RESOLVE, code=FailureCode.DNS_NON_RECOVERABLE, detail="not a host name")
    except OSError as error:
        failure = build_failure(Stage.RESOLVE, error)
    finally:
        ctx.gate.release(grant)
    t_s = ctx.journal.elapsed_s()
    answers = tuple(DNSAnswer(type="AAAA" if ":" in a else "A", value=a, ttl_s=0, name=name) for a in addresses)
    ctx.journal.append(
        DNSLookup(
            transaction=transaction,
            t0_s=t0_s,
            t_s=t_s,
            resolver=_GETADDRINFO,
            name=name,
            query_type="A" if 4 in ctx.families else "AAAA",
            replies=(DNSReply(t_s=t_s, answers=answers),) if answers else (),
            failure=failure,
            role=ctx.role,
            hop=ctx.hop,
            experiment=ctx.experiment,
            queued_s=grant.queued_s,
            asns=tuple(map(ctx.asn_of, addresses)) if ctx.asn_of is not unknown_asn else (),
        )
    )
    return addresses
