"""A small HTTP/3 server on loopback, and one that only hears, for steps to be tried against."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.asyncio.server import serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated, QuicEvent
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from trustme import CA

from probe.model.endpoint import Endpoint

PAGE = b"<title>Third</title>"


class Serving(QuicConnectionProtocol):
    """Answers every request with one page; `/close` and `/mute` with less."""

    http: H3Connection | None = None

    def quic_event_received(self, event: QuicEvent) -> None:
        if isinstance(event, ProtocolNegotiated):
            self.http = H3Connection(self._quic)
        for told in self.http.handle_event(event) if self.http is not None else ():
            if isinstance(told, HeadersReceived):
                self.answer(told)

    def answer(self, told: HeadersReceived) -> None:
        path = dict(told.headers)[b":path"]
        if path == b"/mute":
            return
        if path == b"/close":
            self.close(error_code=0x102, reason_phrase="no")
            self.transmit()
            return
        assert self.http is not None
        head = [(b":status", b"200"), (b"content-type", b"text/html"), (b"x-path", path)]
        body = PAGE if path != b"/long" else PAGE + bytes(200_000)
        self.http.send_headers(told.stream_id, head)
        self.http.send_data(told.stream_id, body, end_stream=True)
        self.transmit()


@contextlib.asynccontextmanager
async def serving_h3(
    ca: CA, name: str, alpn: tuple[str, ...] = ("h3",), versions: tuple[int, ...] = (), retry: bool = False
) -> AsyncIterator[Endpoint]:
    """Serve with a certificate for this name."""
    issued = ca.issue_cert(name)
    configuration = QuicConfiguration(is_client=False, alpn_protocols=list(alpn))
    if versions:
        configuration.supported_versions = list(versions)
    chain = [pem.bytes() for pem in issued.cert_chain_pems]
    configuration.certificate = x509.load_pem_x509_certificate(chain[0])
    configuration.certificate_chain = [x509.load_pem_x509_certificate(pem) for pem in chain[1:]]
    configuration.private_key = load_pem_private_key(issued.private_key_pem.bytes(), None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as finding:
        finding.bind(("127.0.0.1", 0))
        port = finding.getsockname()[1]
    server = await serve("127.0.0.1", port, configuration=configuration, create_protocol=Serving, retry=retry)
    try:
        yield Endpoint(address="127.0.0.1", port=port)
    finally:
        server.close()
        await asyncio.sleep(0)


@contextlib.contextmanager
def hearing(answer: bytes = b""):
    """Take datagrams; say nothing, or the same to each in a thread-free way: the caller answers by `socket`."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        yield deaf, Endpoint(address="127.0.0.1", port=deaf.getsockname()[1])
