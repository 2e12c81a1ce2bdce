"""A QUIC server without sockets, for dialogues that are played; what it does with events is up to the test."""

from collections.abc import Callable

import trustme
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import QuicEvent
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from probe.protocols.dialogue import Send
from probe.protocols.quic_ping import parse_long_header

NAME = "quic.test"


class Authority:
    def __init__(self) -> None:
        self.ca = trustme.CA()
        self.pair = self.ca.issue_cert(NAME)


class QuicServer:
    """Hand `serve` to `play`."""

    def __init__(self, authority: Authority, react: Callable[[QuicConnection, QuicEvent], None] = lambda *_: None):
        self._configuration = QuicConfiguration(
            is_client=False,
            alpn_protocols=["h3"],
            certificate=x509.load_pem_x509_certificate(authority.pair.cert_chain_pems[0].bytes()),
            private_key=load_pem_private_key(authority.pair.private_key_pem.bytes(), None),
        )
        self._react = react
        self._connection: QuicConnection | None = None
        self._heard = 0
        self._waiting: list[bytes] = []
        self._now_s = 0.0

    def serve(self, sent: list[Send]) -> bytes | None:
        for one in sent[self._heard :]:
            self._take(one.data)
        self._heard = len(sent)
        return self._waiting.pop(0) if self._waiting else None

    @property
    def was_told_farewell(self) -> bool:
        """aioquic tells of it only when it has waited for stragglers."""
        return self._connection is not None and self._connection._close_event is not None

    def _take(self, data: bytes) -> None:
        self._now_s += 0.01
        if self._connection is None:
            first = parse_long_header(data).destination
            self._connection = QuicConnection(
                configuration=self._configuration, original_destination_connection_id=first
            )
        self._connection.receive_datagram(data, ("192.0.2.1", 40000), now=self._now_s)
        while (event := self._connection.next_event()) is not None:
            self._react(self._connection, event)
        self._waiting += [datagram for datagram, _ in self._connection.datagrams_to_send(now=self._now_s)]
