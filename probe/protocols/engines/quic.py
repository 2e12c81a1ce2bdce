"""QUIC client as datagrams in, datagrams out: aioquic without its sockets and its loop.

Source: RFC 9000, RFC 9001; aioquic does the protocol. Deviation: certificates are looked at when the handshake is
complete, not on their way: aioquic would forget the chain of a peer that is not trusted. Such a peer is then left with
the alert that a browser sends. Some of aioquic's own attributes are used, each in one place: `tls` for the chain and
for the exporter that it lacks, `_signature_algorithms` for a larger hello, `_state` and `_close_event` for a peer's
farewell, which it would report only after three probe timeouts.
"""

import logging
from enum import StrEnum

import msgspec
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection, QuicConnectionState
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted, QuicEvent
from aioquic.tls import CipherSuite, Direction, Epoch, hkdf_expand_label
from cryptography.hazmat.primitives.hashes import Hash, HashAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from probe.model.errors import ProtocolError
from probe.model.observation import QUICStage
from probe.protocols.engines.roots import Roots
from probe.protocols.quic_ping import parse_long_header

CRYPTO_ERROR = 0x100
"""A TLS alert as a QUIC error code is added to this (RFC 9001 section 4.8)."""
_BAD_CERTIFICATE = 42
"""The alert of RFC 8446 section 6.2 for whatever is wrong with a certificate."""
_ORDER = tuple(QUICStage)
_NOBODYS_SCHEMES = range(0xFE00, 0x10000)
"""Signature schemes of private use (RFC 8446 section 4.2.3): servers pass over what they do not know."""

logging.getLogger("quic").setLevel(logging.CRITICAL)
"""What peers do wrong is an observation, and never a line on somebody's terminal."""


class Ended(StrEnum):
    """Who ended the connection."""

    PEER = "peer"
    OURS = "ours"


_ENDING = {QuicConnectionState.DRAINING: Ended.PEER, QuicConnectionState.CLOSING: Ended.OURS}


class Farewell(msgspec.Struct, frozen=True, kw_only=True):
    """How a connection ended."""

    by: Ended
    code: int
    reason: str = ""


class TwoDatagramConnection(QuicConnection):
    """A connection whose hello is as large as a browser's, so that the name in it comes with the second datagram.

    Browsers' hellos are, for their post-quantum key shares; aioquic has none, and a list of signature schemes that
    nobody has, before the name, does as well.
    """

    def _initialize(self, peer_cid: bytes) -> None:
        super()._initialize(peer_cid)
        own: list[int] = [int(scheme) for scheme in self.tls._signature_algorithms]
        self.tls._signature_algorithms = [*own, *_NOBODYS_SCHEMES]


class QUICEngine:
    """One connection. Feed what comes, send what `flush` returns, call `fire` when the timer is due."""

    def __init__(
        self,
        peer: tuple[str, int],
        *,
        server_name: str,
        meant: str,
        alpn: tuple[str, ...],
        roots: Roots | None,
        large: bool = False,
    ) -> None:
        """Prepare a client; an empty server name is not sent; `roots` None = whoever answers will do.

        `large` = the hello takes two datagrams, and its name is in the second.
        """
        self._peer = peer
        self._meant = meant
        self._roots = roots
        self._configuration = QuicConfiguration(
            alpn_protocols=list(alpn) or None, server_name=server_name or None, verify_mode=0, max_data=1 << 20
        )
        self.connection = (TwoDatagramConnection if large else QuicConnection)(configuration=self._configuration)
        self.stage = QUICStage.NOTHING
        self.versions: tuple[int, ...] = ()
        self.alpn = ""
        self.chain: tuple[bytes, ...] = ()
        self.verify_code = 0
        self.verify_message = ""
        self.done = False
        self.farewell: Farewell | None = None
        self._events: list[QuicEvent] = []
        self._exporter: tuple[HashAlgorithm, bytes] | None = None
        self._exported_tls: object = None

    def start(self, now_s: float) -> None:
        """Make the first flight."""
        self.connection.connect(self._peer, now=now_s)
        self._listen_for_keys()

    def flush(self, now_s: float) -> list[bytes]:
        """Return the datagrams that are to be sent now."""
        datagrams = [data for data, _ in self.connection.datagrams_to_send(now=now_s)]
        self._hear()
        return datagrams

    def feed(self, data: bytes, now_s: float) -> None:
        """Take a datagram from the wire."""
        if not self.done:
            self._look_at(data)
        self.connection.receive_datagram(data, self._peer, now=now_s)
        self._listen_for_keys()
        self._hear()

    def timer(self) -> float | None:
        """Return when `fire` is due; `None` = never."""
        due_s: float | None = self.connection.get_timer()
        return due_s

    def fire(self, now_s: float) -> None:
        """Do what the timer asks for: send again, or give up."""
        self.connection.handle_timer(now=now_s)
        self._hear()

    def close(self, code: int = 0) -> None:
        """Say farewell with the next flush."""
        self.connection.close(error_code=code)

    def export(self, label: bytes, context: bytes, size: int) -> bytes:
        """Return keying material of a completed handshake (RFC 8446 section 7.5).

        Raises:
            ValueError: it is not complete.
        """
        if self._exporter is None:
            raise ValueError("there is nothing to export before the handshake is complete")
        algorithm, master = self._exporter
        empty, hashed = (_digest(algorithm, data) for data in (b"", context))
        derived = hkdf_expand_label(algorithm, master, label, empty, algorithm.digest_size)
        return bytes(hkdf_expand_label(algorithm, derived, b"exporter", hashed, size))

    def take_events(self) -> list[QuicEvent]:
        """Return what happened on streams since the last call."""
        events, self._events = self._events, []
        return events

    @property
    def closed_by_peer(self) -> bool:
        """Tell whether the peer ended it."""
        return self.farewell is not None and self.farewell.by is Ended.PEER

    @property
    def version(self) -> int:
        """Return the version agreed upon; 0 before that."""
        return int(self.connection._version or 0) if self.done else 0

    @property
    def cipher(self) -> str:
        """Return the cipher suite's name; empty before it is agreed upon."""
        schedule = self.connection.tls.key_schedule
        return f"TLS_{schedule.cipher_suite.name}" if self.done and schedule is not None else ""

    @property
    def trusted(self) -> bool:
        """Tell whether the peer proved to be the one meant."""
        return self.done and self._roots is not None and self.verify_code == 0

    def _listen_for_keys(self) -> None:
        """Be there when the keys of application data are made: only then has the transcript what the exporter needs.

        A server that retries or negotiates the version makes aioquic begin anew, with another `tls`.
        """
        tls = self.connection.tls
        if tls is self._exported_tls:
            return
        self._exported_tls = tls
        pass_on = tls.update_traffic_key_cb

        def listen(direction: Direction, epoch: Epoch, suite: CipherSuite, secret: bytes) -> None:
            if direction is Direction.DECRYPT and epoch is Epoch.ONE_RTT and tls.key_schedule is not None:
                schedule = tls.key_schedule
                self._exporter = (schedule.algorithm, schedule.derive_secret(b"exp master"))
            pass_on(direction, epoch, suite, secret)

        tls.update_traffic_key_cb = listen

    def _look_at(self, data: bytes) -> None:
        """Note how far the server came, by what can be read from outside."""
        try:
            header = parse_long_header(data)
        except ProtocolError:
            seen = QUICStage.GARBAGE
        else:
            seen = header.stage
            if seen is QUICStage.VERSIONS and not self.versions:
                words = header.rest[: len(header.rest) // 4 * 4]
                self.versions = tuple(int.from_bytes(words[at : at + 4], "big") for at in range(0, len(words), 4))
        if _ORDER.index(seen) > _ORDER.index(self.stage):
            self.stage = seen

    def _hear(self) -> None:
        while (event := self.connection.next_event()) is not None:
            if isinstance(event, HandshakeCompleted):
                self._complete(event)
            elif isinstance(event, ConnectionTerminated):
                self._note_end(event, Ended.OURS)
            else:
                self._events.append(event)
        if self.farewell is None and self.connection._state in _ENDING:
            self._note_end(self.connection._close_event, _ENDING[self.connection._state])

    def _complete(self, event: HandshakeCompleted) -> None:
        self.alpn = event.alpn_protocol or ""
        self.stage = QUICStage.DONE
        self.done = True
        tls = self.connection.tls
        certificates = (tls._peer_certificate, *tls._peer_certificate_chain)
        self.chain = tuple(one.public_bytes(Encoding.DER) for one in certificates if one is not None)
        if self._roots is None:
            return
        self.verify_code, self.verify_message = self._roots.judge(self.chain, self._meant)
        if self.verify_code:
            self.close(CRYPTO_ERROR + _BAD_CERTIFICATE)

    def _note_end(self, event: ConnectionTerminated | None, by: Ended) -> None:
        if self.farewell is None and event is not None:
            self.farewell = Farewell(by=by, code=event.error_code, reason=event.reason_phrase[:200])


def _digest(algorithm: HashAlgorithm, data: bytes) -> bytes:
    running = Hash(algorithm)
    running.update(data)
    return running.finalize()
