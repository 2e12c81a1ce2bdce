"""The world's HTTP/3 servers, by aioquic; who asks for a version that nobody knows is told which there are.

Source: RFC 9114 (HTTP/3), RFC 9000 section 6 (version negotiation, which aioquic's server does by itself).
"""

from typing import Protocol

from aioquic.asyncio.protocol import QuicConnectionProtocol, QuicStreamHandler
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ProtocolNegotiated, QuicEvent

from probe.lab.world.plan import HangUp, Mute, Page, Redirect, Site
from probe.lab.world.secure import Keyring
from probe.lab.world.web import choose_answer, render_page


class QuicEnd(Protocol):
    """What is open and wants closing."""

    def close(self) -> None:
        """Stop listening."""


class H3Service(QuicConnectionProtocol):
    """One connection: each request gets what the site serves over TLS."""

    def __init__(
        self,
        quic: QuicConnection,
        stream_handler: QuicStreamHandler | None = None,
        *,
        sites: tuple[Site, ...],
        clock_offset_s: float,
    ) -> None:
        super().__init__(quic, stream_handler)
        self._sites = sites
        self._clock_offset_s = clock_offset_s
        self._http: H3Connection | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        """Handle what the engine tells."""
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
        if self._http is None:
            return
        for told in self._http.handle_event(event):
            if isinstance(told, HeadersReceived):
                self._answer(self._http, told)

    def _answer(self, http: H3Connection, request: HeadersReceived) -> None:
        fields = dict(request.headers)
        host = fields.get(b":authority", b"").decode("latin-1").rsplit(":", 1)[0].lower()
        site = next((s for s in self._sites if host in s.names), self._sites[0])
        answer = choose_answer(site, fields.get(b":path", b"/").decode("latin-1"), secure=True)
        if isinstance(answer, Mute):
            return
        if isinstance(answer, HangUp):
            self.close()
            return
        if isinstance(answer, Redirect):
            answer = Page(status=answer.status, headers={"Location": answer.location}, body_bytes=60)
        page = answer if isinstance(answer, Page) else Page()
        headers, body = _translate(render_page(page, site.name, self._clock_offset_s))
        http.send_headers(request.stream_id, headers)
        http.send_data(request.stream_id, body, end_stream=True)
        self.transmit()


async def open_h3(address: str, port: int, sites: tuple[Site, ...], keyring: Keyring, clock_offset_s: float) -> QuicEnd:
    """Serve the sites of an address over HTTP/3, all with one certificate."""
    names = tuple(name for site in sites for name in site.names)
    key, certificate = keyring.issue(names, sites[0].certificate)
    configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
    configuration.certificate = certificate
    configuration.private_key = key

    def connect(quic: QuicConnection, stream_handler: QuicStreamHandler | None = None) -> H3Service:
        return H3Service(quic, stream_handler, sites=sites, clock_offset_s=clock_offset_s)

    return await serve(address, port, configuration=configuration, create_protocol=connect)


def _translate(response: bytes) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return a response of HTTP/1.1 as fields and body: names in small letters, nothing of the connection's."""
    head, _, body = response.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    fields = [(b":status", first.split(b" ", 2)[1])]
    for line in lines:
        name, _, value = line.partition(b": ")
        if name.lower() != b"connection":
            fields.append((name.lower(), value))
    return fields, body
