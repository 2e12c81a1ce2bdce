"""Does QUIC get anywhere from here? Asked of a neutral site that says itself that it offers HTTP/3."""

from probe.model.endpoint import Endpoint
from probe.net.connect import connect
from probe.net.context import Context
from probe.net.exchange import exchange
from probe.net.lookup import lookup_system
from probe.net.quic_versions import ping_quic
from probe.net.secure import secure
from probe.protocols.http.alt_svc import find_h3_port
from probe.protocols.http.http1 import OutgoingRequest

_PORT = 443


async def ask_anchor(ctx: Context, name: str) -> None:
    """Fetch the site's page over TLS and, where its answer offers HTTP/3, ask for QUIC versions at that address."""
    addresses = await lookup_system(ctx, name)
    address = next((one for one in addresses if (6 if ":" in one else 4) in ctx.families), "")
    if not address:
        return
    offered = 0
    endpoint = Endpoint(address=address, port=_PORT)
    async with connect(ctx, endpoint) as channel:
        if channel is None:
            return
        stream = await secure(ctx, channel, server_name=name, request_follows=True)
        if stream is not None:
            page = await exchange(ctx, stream, OutgoingRequest(host=name, port=_PORT, secure=True))
            offered = find_h3_port(page.headers)
    if offered:
        await ping_quic(ctx, Endpoint(address=address, port=offered))
