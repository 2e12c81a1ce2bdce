"""Does the port accept a connection, on every address of the name?"""

import asyncio

from probe.checks.paths import find_paths
from probe.model.endpoint import Endpoint
from probe.model.target import Target
from probe.net.connect import connect
from probe.net.context import Context


async def run(target: Target, ctx: Context) -> None:
    """Resolve, then connect along every path at once."""
    endpoints = await find_paths(target, ctx)
    async with asyncio.TaskGroup() as paths:
        for endpoint in endpoints:
            paths.create_task(_try_path(ctx, endpoint))


async def _try_path(ctx: Context, endpoint: Endpoint) -> None:
    async with connect(ctx, endpoint):
        pass
