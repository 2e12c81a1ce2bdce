"""Does a resolver answer over TLS (RFC 7858)? Params: see `probe.checks.encrypted_resolver`."""

from probe.checks.encrypted_resolver import ask_everywhere
from probe.model.observation import Transport
from probe.model.target import Target
from probe.net.context import Context


async def run(target: Target, ctx: Context) -> None:
    """Resolve, connect, shake hands and ask, along every path at once."""
    await ask_everywhere(target, ctx, Transport.DOT)
