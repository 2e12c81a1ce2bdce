"""A page of a neutral site, fetched to see what the line can do."""

from probe.model.endpoint import Endpoint
from probe.net.connect import connect
from probe.net.context import Context
from probe.net.exchange import exchange
from probe.net.lookup import lookup_system
from probe.net.secure import secure
from probe.protocols.http.http1 import OutgoingRequest

VOLUME_BYTES = 262144
"""As much of a page as a run takes: well past any slow start."""
_PORT = 443


async def fetch_neutral(ctx: Context, name: str) -> None:
    """Resolve the name, and fetch the front page at the first address of our families."""
    addresses = await lookup_system(ctx, name)
    address = next((one for one in addresses if (6 if ":" in one else 4) in ctx.families), "")
    if not address:
        return
    async with connect(ctx, Endpoint(address=address, port=_PORT)) as channel:
        if channel is None:
            return
        stream = await secure(ctx, channel, server_name=name, request_follows=True)
        if stream is not None:
            await exchange(ctx, stream, OutgoingRequest(host=name, port=_PORT, secure=True))
