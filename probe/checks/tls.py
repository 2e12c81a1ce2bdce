"""Does a TLS server answer, and is it who it should be, on every address of the name?

Params: `sni` is the name to send, empty = none, the host unless given; `alpn` what to offer, comma separated, nothing
unless given, because a mail server refuses a hello that speaks of HTTP.
"""

import asyncio

from probe.checks.paths import find_paths
from probe.model.endpoint import Endpoint
from probe.model.target import Target
from probe.net.connect import connect
from probe.net.context import Context
from probe.net.secure import secure


async def run(target: Target, ctx: Context) -> None:
    """Resolve, then connect and shake hands along every path at once."""
    endpoints = await find_paths(target, ctx)
    async with asyncio.TaskGroup() as paths:
        for endpoint in endpoints:
            paths.create_task(_try_path(target, ctx, endpoint))


async def _try_path(target: Target, ctx: Context, endpoint: Endpoint) -> None:
    server_name = target.params.get("sni", target.host)
    alpn = tuple(filter(None, target.params.get("alpn", "").split(",")))
    async with connect(ctx, endpoint) as channel:
        if channel is not None:
            await secure(ctx, channel, server_name=server_name, verify_name=server_name or target.host, alpn=alpn)
