"""Does the host answer an ICMP echo, on every address of the name?"""

import asyncio

from probe.checks.paths import find_paths
from probe.model.target import Target
from probe.net.context import Context
from probe.net.echo import echo


async def run(target: Target, ctx: Context) -> None:
    """Resolve, then send one echo to every address at once."""
    endpoints = await find_paths(target, ctx)
    async with asyncio.TaskGroup() as paths:
        for endpoint in endpoints:
            paths.create_task(echo(ctx, endpoint.address))
