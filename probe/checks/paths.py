"""Which endpoints a client of this network would use for a target."""

import dataclasses

from probe.model.endpoint import Endpoint
from probe.model.target import Target
from probe.net.context import Context
from probe.net.lookup import lookup_system

MAX_PATHS = 16
"""More addresses than this are not tried: an answer of hundreds must not become hundreds of connections."""


async def find_paths(target: Target, ctx: Context) -> tuple[Endpoint, ...]:
    """Resolve the target's host; return its endpoints in the families to be judged, each once."""
    if target.family is not None:
        ctx = dataclasses.replace(ctx, families=(int(target.family),))
    addresses = dict.fromkeys(await lookup_system(ctx, target.host))
    endpoints = (Endpoint(address=address, port=target.port) for address in addresses)
    return tuple(endpoint for endpoint in endpoints if endpoint.family in ctx.families)[:MAX_PATHS]
