"""The proof that a site is, or is not, to be had over HTTP/3: aioquic on a plain socket, step by step.

Source: RFC 9000 section 20.1 (a failed certificate ends the connection by 0x100 and the TLS alert).
"""

import socket
import time

from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated, ProtocolNegotiated, QuicEvent

from probe.lab.scenarios.model import GreetQuic, Met, Outcome
from probe.protocols.engines.quic import TwoDatagramConnection

PATIENCE_S = 2.5
"""Longer than for other proofs: a lost packet is sent again after a second, and this engine is slow on busy cores."""
_CERTIFICATE_ALERTS = range(0x100 + 42, 0x100 + 50)
"""bad_certificate to unknown_ca (RFC 8446 section 6.2)."""


def greet_quic(trial: GreetQuic, roots: str, patience_s: float = PATIENCE_S) -> Met:
    """Connect, with the certificates in this file for roots, and ask for the page.

    Raises:
        OSError: the network says no.
    """
    configuration = QuicConfiguration(alpn_protocols=H3_ALPN, server_name=trial.server_name)
    configuration.load_verify_locations(roots)
    connection = (TwoDatagramConnection if trial.large else QuicConnection)(configuration=configuration)
    client = _Client(connection, trial.server_name)
    peer = (trial.address, trial.port)
    until_s = time.monotonic() + patience_s
    with socket.socket(socket.AF_INET6 if ":" in trial.address else socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.bind(("", trial.source_port))
        plain.connect(peer)
        connection.connect(peer, now=time.monotonic())
        while client.met is None and (now_s := time.monotonic()) < until_s:
            for data, _address in connection.datagrams_to_send(now=now_s):
                plain.send(data)
            timer_s = connection.get_timer()
            plain.settimeout(max(0.001, min(until_s, timer_s if timer_s is not None else until_s) - now_s))
            try:
                connection.receive_datagram(plain.recv(2048), peer, now=time.monotonic())
            except TimeoutError:
                if timer_s is not None and timer_s <= time.monotonic():
                    connection.handle_timer(now=time.monotonic())
            while (event := connection.next_event()) is not None:
                client.hear(event)
    return client.met or Met(outcome=Outcome.SILENCE)


class _Client:
    """Asks for the page as soon as it may, and says what it met."""

    def __init__(self, connection: QuicConnection, host: str) -> None:
        self._connection = connection
        self._host = host
        self._http: H3Connection | None = None
        self.met: Met | None = None

    def hear(self, event: QuicEvent) -> None:
        if isinstance(event, ConnectionTerminated):
            is_certificate = event.error_code in _CERTIFICATE_ALERTS
            self.met = Met(outcome=Outcome.BAD_CERTIFICATE if is_certificate else Outcome.ALERT)
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._connection)
            head = ((b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/"))
            stream = self._connection.get_next_available_stream_id()
            self._http.send_headers(stream, [*head, (b":authority", self._host.encode())], end_stream=True)
        if self._http is not None:
            for told in self._http.handle_event(event):
                if isinstance(told, HeadersReceived):
                    self.met = Met(outcome=Outcome.OK)
