"""Does a page come over HTTP/3, by every address of its name?

All paths shake hands side by side; the first that is ready fetches the page. Redirects are not followed: where they
lead is asked over another transport, and this target is judged for QUIC alone.
"""

import asyncio

from probe.checks.paths import find_paths
from probe.model.endpoint import Endpoint
from probe.model.target import Target
from probe.net.context import Context
from probe.net.exchange_h3 import exchange_h3
from probe.net.quic import quic
from probe.protocols.http.http1 import OutgoingRequest


async def run(target: Target, ctx: Context) -> None:
    """Resolve, then shake hands along every path at once, and fetch the page by one of them."""
    endpoints = await find_paths(target, ctx)
    request = OutgoingRequest(
        method=target.request.method if target.request is not None else "GET",
        host=target.host,
        port=target.port,
        secure=True,
        path=target.path,
        headers=target.request.headers if target.request is not None else (),
        body=target.request.body.encode() if target.request is not None else b"",
    )
    fetched = asyncio.Lock()
    done: list[Endpoint] = []
    async with asyncio.TaskGroup() as paths:
        for endpoint in endpoints:
            paths.create_task(_try_path(ctx, endpoint, request, fetched, done))


async def _try_path(
    ctx: Context, endpoint: Endpoint, request: OutgoingRequest, turn: asyncio.Lock, done: list[Endpoint]
) -> None:
    """Shake hands; fetch, unless another path has the page already."""
    async with quic(ctx, endpoint, server_name=request.host) as channel:
        if channel is None:
            return
        async with turn:
            if not done and (await exchange_h3(ctx, channel, request)).status:
                done.append(endpoint)
