"""What does a resolver say of a name?

Params: `resolver` is whom to ask (a URI as in `protocols/written/resolver_uri.py`), or else this host's nameservers;
`type` is the record type, or else the addresses of every family that is judged.
"""

import asyncio
import dataclasses

from probe.model.observation import Resolver, Transport
from probe.model.target import Target
from probe.net.context import Context
from probe.net.lookup import lookup, lookup_system
from probe.protocols.written.resolver_uri import SYSTEM, parse_resolver

_TYPES = {4: "A", 6: "AAAA"}


async def run(target: Target, ctx: Context) -> None:
    """Ask, each type once.

    Raises:
        UserError: a parameter makes no sense.
    """
    resolver = parse_resolver(target.params["resolver"]) if "resolver" in target.params else SYSTEM
    families = ctx.families if target.family is None else (int(target.family),)
    asked = target.params.get("type", "")
    if resolver.transport is Transport.GETADDRINFO:
        await lookup_system(dataclasses.replace(ctx, families=families), target.host, (asked,) if asked else None)
        return
    types = (asked,) if asked else tuple(_TYPES[family] for family in families)
    async with asyncio.TaskGroup() as questions:
        for query_type in types:
            questions.create_task(_ask(target, ctx, resolver, query_type))


async def _ask(target: Target, ctx: Context, resolver: Resolver, query_type: str) -> None:
    await lookup(ctx, resolver, target.host, query_type)
