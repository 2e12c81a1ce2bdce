"""A middlebox that flows are diverted to: forged certificates and pages for some, a plain splice for the rest."""

import asyncio
import contextlib

from probe.lab.censor.payloads import read_host
from probe.lab.censor.sighting import matches_name
from probe.lab.world.names import find_truth
from probe.lab.world.plan import Certificate, Page, Site, World
from probe.lab.world.relay import end_tls, relay
from probe.lab.world.secure import Keyring, peek_name
from probe.lab.world.web import WebService, render_page, send_all

PROXY_PORT = 3128


class BoxService:
    """Serves the ports of the box."""

    def __init__(self, world: World, keyring: Keyring) -> None:
        self._world = world
        self._box = world.box
        self._keyring = keyring

    async def serve_secure(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Port 443: end the TLS of some names, splice the others."""
        with contextlib.suppress(OSError, TimeoutError, ExceptionGroup):
            name, seen = await peek_name(reader)
            if any(matches_name(pattern, name) for pattern in self._box.forges_for):
                shown = (name or "gateway.example",)
                context = self._keyring.of(shown, Certificate.UNKNOWN_AUTHORITY)
                site = Site(names=shown, addresses=(), answer=self._box.page)
                web = WebService((site,), secure=True, clock_offset_s=0.0)
                await end_tls(seen, reader, writer, context, web.serve)
            else:
                await self._splice(name, 443, seen, reader, writer)
        writer.close()

    async def serve_cleartext(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Port 80: a page for some hosts, a splice for the others."""
        with contextlib.suppress(OSError, TimeoutError, ExceptionGroup):
            seen = await asyncio.wait_for(reader.read(8192), 30.0)
            host = read_host(seen) or ""
            if any(matches_name(pattern, host) for pattern in self._box.pages_for):
                await send_all(writer, render_page(self._box.page, "gateway"))
            else:
                await self._splice(host, 80, seen, reader, writer)
        writer.close()

    async def serve_proxy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Port 3128: carry whoever asks by CONNECT (RFC 9110 section 9.3.6) to where it asks to go."""
        with contextlib.suppress(OSError, TimeoutError, ExceptionGroup, asyncio.IncompleteReadError, ValueError):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30.0)
            method, place, _ = head.decode("latin-1").split(" ", 2)
            name, _, port = place.rpartition(":")
            if method == "CONNECT" and find_truth(self._world, name) is not None:
                await send_all(writer, b"HTTP/1.1 200 Connection established\r\n\r\n")
                await self._splice(name, int(port), b"", reader, writer)
            else:
                await send_all(writer, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async def _splice(
        self, name: str, port: int, seen: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        truth = find_truth(self._world, name)
        address = next((a for a in truth.addresses if ":" not in a), None) if truth else None
        if address is None:
            if port == 80:
                await send_all(writer, render_page(Page(status=502), "gateway"))
            return
        await relay(seen, (reader, writer), await asyncio.open_connection(address, port))
