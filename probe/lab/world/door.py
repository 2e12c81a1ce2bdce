"""What stands before a site's servers: who is let in by the name in the hello, and which machine gets a connection."""

import asyncio
import itertools
import ssl
from collections.abc import Iterator

from probe.lab.world.plan import Site, StrangeName, Turn
from probe.lab.world.relay import Serve, end_tls
from probe.lab.world.secure import peek_name
from probe.lab.world.web import WebService, abort_with_reset

HANGS_S = 60.0
_BY_OPENSSL = (StrangeName.DEFAULT_CERTIFICATE, StrangeName.ALERT)
"""What the TLS end does by itself."""


def is_guarded(sites: tuple[Site, ...]) -> bool:
    """Tell whether the hellos to an address must be read before a TLS end may have them."""
    return any(
        site.strange_name not in _BY_OPENSSL
        or site.own_name is not StrangeName.DEFAULT_CERTIFICATE
        or site.longest_hello_bytes is not None
        or bool(site.turns)
        for site in sites
    )


async def meet(fate: StrangeName, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Treat a connection that nobody serves."""
    if fate is StrangeName.RESET:
        abort_with_reset(writer)
    elif fate is StrangeName.SILENCE:
        await asyncio.wait_for(reader.read(), HANGS_S)


class Door:
    """A TLS end that cuts, closes on or ignores some hellos: with strange names, with its own, or too large ones."""

    def __init__(self, sites: tuple[Site, ...], context: ssl.SSLContext, web: WebService) -> None:
        self._sites = sites
        self._context = context
        self._web = web

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read the hello, and let it in or not."""
        try:
            name, seen = await peek_name(reader)
            fate = self._find_fate(name, len(seen))
            if fate in _BY_OPENSSL:
                await end_tls(seen, reader, writer, self._context, self._web.serve)
            else:
                await meet(fate, reader, writer)
        except (OSError, TimeoutError, ExceptionGroup):
            pass
        finally:
            writer.close()

    def _find_fate(self, name: str, hello_bytes: int) -> StrangeName:
        meant = next((site for site in self._sites if name in site.names), None)
        site = meant or self._sites[0]
        if site.longest_hello_bytes is not None and hello_bytes > site.longest_hello_bytes:
            return StrangeName.RESET
        return site.strange_name if meant is None else site.own_name


class Balancer:
    """Gives connections to machines in turn, of which some are broken."""

    def __init__(self, turns: tuple[Turn, ...]) -> None:
        self._turns: Iterator[Turn] = itertools.cycle(turns or (Turn.SERVES,))

    def before(self, serve: Serve) -> Serve:
        """Return what serves those whose turn it is to be served."""

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            fate = _FATES.get(next(self._turns))
            if fate is None:
                await serve(reader, writer)
                return
            try:
                if fate is StrangeName.CLOSE:
                    # Closing with something unread sends a reset where an end is meant.
                    await asyncio.wait_for(reader.read(65536), HANGS_S)
                await meet(fate, reader, writer)
            except (OSError, TimeoutError):
                pass
            finally:
                writer.close()

        return take


_FATES = {Turn.RESETS: StrangeName.RESET, Turn.CLOSES: StrangeName.CLOSE, Turn.HANGS: StrangeName.SILENCE}
