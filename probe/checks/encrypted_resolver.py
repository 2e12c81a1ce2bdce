"""Ask an encrypted resolver, on every address it has, for a name that nobody blocks.

Params: `name` is the question and `type` its record type; `sni` the name in the resolver's certificate, the host
unless given; `path` where a DoH resolver answers.
"""

import asyncio
import dataclasses

from probe.checks.paths import find_paths
from probe.model.endpoint import Endpoint, is_literal
from probe.model.observation import Resolver, Transport
from probe.model.target import Target
from probe.net.context import Context
from probe.net.lookup import lookup

NEUTRAL_NAME = "example.com"
_DEFAULT_PATH = "/dns-query"


async def ask_everywhere(target: Target, ctx: Context, transport: Transport) -> None:
    """Resolve the resolver's own name, then ask along every path at once."""
    if target.family is not None:
        ctx = dataclasses.replace(ctx, families=(int(target.family),))
    async with asyncio.TaskGroup() as paths:
        for endpoint in await find_paths(target, ctx):
            paths.create_task(_ask(target, ctx, transport, endpoint))


async def _ask(target: Target, ctx: Context, transport: Transport, endpoint: Endpoint) -> None:
    resolver = Resolver(
        transport=transport,
        endpoint=endpoint,
        server_name=target.params.get("sni", "" if is_literal(target.host) else target.host),
        path=target.params.get("path", _DEFAULT_PATH),
    )
    await lookup(ctx, resolver, target.params.get("name", NEUTRAL_NAME), target.params.get("type", "A"))
