"""The bytes of a handshake both ways, kept as they passed and read only when it failed.

The happy path pays for two list appends; a failure gets every record, the alert and the stage the peer reached.
"""

import msgspec

from probe.model.errors import ProtocolError
from probe.model.observation import RecordSeen, TLSStage
from probe.protocols.tls.records import (
    RecordReader,
    ServerHello,
    is_hello_retry,
    parse_server_hello,
    split_messages,
)

FIRST_BYTES = 64
_MOST_KEPT_BYTES = 2**17
_HELLO_REQUEST = 0
_SERVER_HELLO = 2
_RETRY_BYTES = 43


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a transcript says about a handshake that did not complete."""

    stage: TLSStage
    records: tuple[RecordSeen, ...] = ()
    alert: tuple[int, int] | None = None
    hello_retry: bool = False
    version: str = ""
    """The version the server chose; empty when it did not get that far."""
    first_bytes: bytes = b""
    """The first bytes (at most 64) of an answer that was not TLS."""


class Transcript:
    """Chunks in the order in which they were sent and received."""

    __slots__ = ("_chunks", "_kept_bytes", "received_bytes", "sent_bytes")

    def __init__(self) -> None:
        self._chunks: list[tuple[bool, bytes]] = []
        self._kept_bytes = 0
        self.sent_bytes = 0
        self.received_bytes = 0

    def sent(self, data: bytes) -> None:
        """Note bytes that we sent."""
        self.sent_bytes += len(data)
        self._keep(True, data)

    def received(self, data: bytes) -> None:
        """Note bytes that came."""
        self.received_bytes += len(data)
        self._keep(False, data)

    def _keep(self, sent: bool, data: bytes) -> None:
        """Keep a chunk; beyond 128 KB only count, for a peer may go on for ever."""
        if self._kept_bytes < _MOST_KEPT_BYTES:
            self._kept_bytes += len(data)
            self._chunks.append((sent, data))

    @property
    def hello_retry(self) -> bool:
        """Tell whether the server asked for another key share first."""
        first = b""
        for sent, chunk in self._chunks:
            if not sent:
                first += chunk
                if len(first) >= _RETRY_BYTES:
                    return is_hello_retry(first)
        return False

    def read(self) -> Reading:
        """Say how far the peer got."""
        readers = {True: RecordReader(), False: RecordReader()}
        records = tuple(
            RecordSeen(sent=sent, type=record.type, length=record.length)
            for sent, chunk in self._chunks
            for record in readers[sent].feed(chunk)
        )
        peer = readers[False]
        hellos, nonsense = _read_hellos(peer, [record for record in records if not record.sent])
        stage = self._stage(peer, hellos, nonsense)
        return Reading(
            stage=stage,
            records=records,
            alert=peer.alert,
            hello_retry=any(hello.retry for hello in hellos),
            version=hellos[-1].version if hellos else "",
            first_bytes=self._first_bytes() if stage is TLSStage.GARBAGE else b"",
        )

    def _stage(self, peer: RecordReader, hellos: list[ServerHello], nonsense: bool) -> TLSStage:
        if self.received_bytes == 0:
            return TLSStage.NOTHING
        if hellos:
            return TLSStage.SERVER_HELLO
        if peer.alert is not None:
            return TLSStage.ALERT
        return TLSStage.GARBAGE if nonsense or peer.garbled else TLSStage.PARTIAL

    def _first_bytes(self) -> bytes:
        return b"".join(chunk for sent, chunk in self._chunks if not sent)[:FIRST_BYTES]


def _read_hellos(peer: RecordReader, records: list[RecordSeen]) -> tuple[list[ServerHello], bool]:
    """Return the ServerHellos (a retry comes before the real one), and whether nonsense came instead."""
    messages, rest = split_messages(peer.handshake)
    hellos: list[ServerHello] = []
    for kind, body in messages:
        if kind == _SERVER_HELLO:
            try:
                hellos.append(parse_server_hello(body))
            except ProtocolError:
                return hellos, True
        elif kind != _HELLO_REQUEST:
            break
    if hellos:
        return hellos, False
    started = messages[0][0] if messages else rest[0] if rest else _SERVER_HELLO
    # A server's first word is a ServerHello or an alert, whatever record it comes in.
    odd_first_record = bool(records) and records[0].type not in (21, 22)
    return hellos, odd_first_record or started not in (_HELLO_REQUEST, _SERVER_HELLO)
