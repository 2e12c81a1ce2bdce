"""QUIC on the echo ports: a handshake for any name, a version negotiation for a ping, silence for everything else.

Source: RFC 9000 sections 6 (version negotiation) and 8.1. Deviation: that allows three times what a stranger sent; here
no more goes back than came, so that nobody gains by asking in another's name. What does not fit is lost, as datagrams
may be, and sent again once the peer has said more. A connection ends by itself a moment after its handshake: nothing is
served on it.
"""

import asyncio
import logging
import socket
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.events import ConnectionTerminated
from aioquic.quic.packet import QuicProtocolVersion, encode_quic_version_negotiation

from probe.model.errors import ProtocolError
from probe.protocols.quic_ping import SMALLEST_BYTES, parse_long_header

logging.getLogger("quic").setLevel(logging.CRITICAL)
"""aioquic tells of each connection: strangers would write our log."""

LONGEST_LIFE_S = 5.0
_VERSIONS = (QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2)
_INITIAL_V1, _INITIAL_V2 = 0, 1

Peer = tuple[Any, ...]
_Key = tuple[int, Peer]


def build_configuration(certificate_and_key: tuple[bytes, bytes]) -> QuicConfiguration:
    """Return the configuration that shows this certificate (PEM, its key after it) for any name."""
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"], idle_timeout=LONGEST_LIFE_S)
    with tempfile.TemporaryDirectory(prefix="wallprobe-") as folder:
        # aioquic reads keys from files only; the folder is nobody else's.
        pair = Path(folder) / "pair.pem"
        pair.write_bytes(b"".join(certificate_and_key))
        configuration.load_cert_chain(pair)
    return configuration


class QuicEcho:
    """All QUIC connections of the echo ports. Long-lived; `close` drops them."""

    def __init__(self, configuration: QuicConfiguration, most: int, clock: Callable[[], float]) -> None:
        self._configuration = configuration
        self._most = most
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._open: dict[_Key, QuicConnection] = {}
        self._timers: dict[_Key, asyncio.TimerHandle] = {}
        self._ends_s: dict[_Key, float] = {}
        self._credit: dict[_Key, int] = {}
        """Bytes that came and were not matched by bytes sent yet."""

    def take(self, sock: socket.socket, data: bytes, peer: Peer) -> None:
        """Take a datagram that came to a port; what is no QUIC is left unanswered."""
        key = (sock.fileno(), peer)
        connection = self._open.get(key)
        if connection is None:
            connection = self._greet(sock, key, data, peer)
            if connection is None:
                return
        self._credit[key] = self._credit.get(key, 0) + len(data)
        connection.receive_datagram(data, peer, now=self._clock())
        self._flush(sock, key)

    def _greet(self, sock: socket.socket, key: _Key, data: bytes, peer: Peer) -> QuicConnection | None:
        """Return a connection for a first packet; answer a ping for other versions; `None` = nothing to talk to."""
        if len(data) < SMALLEST_BYTES:
            return None
        try:
            header = parse_long_header(data)
        except ProtocolError:
            return None
        if header.version == 0:
            return None
        if header.version not in _VERSIONS:
            answer = encode_quic_version_negotiation(header.destination, header.source, list(_VERSIONS))
            self._send(sock, answer, peer)
            return None
        initial = _INITIAL_V2 if header.version == QuicProtocolVersion.VERSION_2 else _INITIAL_V1
        if header.first >> 4 & 3 != initial or len(self._open) >= self._most:
            return None
        connection = QuicConnection(
            configuration=self._configuration, original_destination_connection_id=header.destination
        )
        self._open[key] = connection
        self._ends_s[key] = self._clock() + LONGEST_LIFE_S
        return connection

    def _flush(self, sock: socket.socket, key: _Key) -> None:
        connection = self._open.get(key)
        if connection is None:
            return
        now_s = self._clock()
        try:
            waiting = connection.datagrams_to_send(now=now_s)
        except IndexError:
            # aioquic has no address to answer to where it could not open the first packet.
            self._forget(key)
            return
        for data, _ in waiting:
            if len(data) <= self._credit.get(key, 0):
                self._credit[key] -= len(data)
                self._send(sock, data, key[1])
        while (event := connection.next_event()) is not None:
            if isinstance(event, ConnectionTerminated):
                self._forget(key)
                return
        if now_s >= self._ends_s[key]:
            self._forget(key)
            return
        due_s = connection.get_timer()
        at_s = min(self._ends_s[key], self._ends_s[key] if due_s is None else due_s)
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        self._timers[key] = self._loop.call_later(max(0.001, at_s - now_s), self._fire, sock, key)

    def _fire(self, sock: socket.socket, key: _Key) -> None:
        connection = self._open.get(key)
        if connection is None or sock.fileno() < 0:
            self._forget(key)
            return
        connection.handle_timer(now=self._clock())
        self._flush(sock, key)

    @staticmethod
    def _send(sock: socket.socket, data: bytes, peer: Peer) -> None:
        try:
            sock.sendto(data, peer)
        except OSError:
            return  # it is gone, or the buffer is full: datagrams may be lost

    def _forget(self, key: _Key) -> None:
        self._open.pop(key, None)
        self._ends_s.pop(key, None)
        self._credit.pop(key, None)
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()

    def close(self) -> None:
        """Drop all connections."""
        for key in tuple(self._open):
            self._forget(key)
