"""TLS records as they pass on the wire, and how far a server got.

Source: RFC 8446 sections 4.1.3 (ServerHello, HelloRetryRequest), 4.2.1 (supported_versions), 5.1 (records), 6 (alerts);
RFC 5246 section 6.2.3 for the length of an encrypted record, the larger of the two limits.
Less than the RFCs: nothing is decrypted, so of an encrypted record only type and length are known.
"""

import struct
from enum import IntEnum

import msgspec

from probe.model.errors import ProtocolError

RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random that turns a ServerHello into a HelloRetryRequest (RFC 8446 section 4.1.3)."""
HEADER_BYTES = 5
_RETRY_AT = HEADER_BYTES + 6
_MOST_FRAGMENT_BYTES = 2**14 + 2048
_MOST_CLEAR_BYTES = 2**16
"""A ServerHello is far smaller; what goes on longer is not collected."""
_SUPPORTED_VERSIONS = 43
_VERSIONS = {0x0300: "SSLv3", 0x0301: "TLSv1", 0x0302: "TLSv1.1", 0x0303: "TLSv1.2", 0x0304: "TLSv1.3"}


class ContentType(IntEnum):
    """What a record carries (RFC 8446 section 5.1; 24 is RFC 6520's)."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23
    HEARTBEAT = 24


_CONTENT_TYPES = frozenset(ContentType)


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A record's header, seen as soon as its five bytes are there."""

    type: int
    version: int
    length: int


class ServerHello(msgspec.Struct, frozen=True, kw_only=True):
    """The first message of a server that goes on with the handshake."""

    version: str
    cipher: int
    """Number in IANA's registry of cipher suites."""
    retry: bool
    """It is a HelloRetryRequest: one round trip more, and it explains a doubled phase."""


class RecordReader:
    """One direction of a connection: bytes in, record headers out. Also collects what was sent in the clear."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0
        self._type = 0
        self._encrypted = False
        self._alert = bytearray()
        self._handshake = bytearray()
        self.garbled = False
        """From here on the bytes are not TLS records."""
        self.alert: tuple[int, int] | None = None
        """Level and description of the last alert in the clear."""

    @property
    def handshake(self) -> bytes:
        """Return the handshake messages sent in the clear, record framing removed."""
        return bytes(self._handshake)

    def feed(self, data: bytes) -> list[Record]:
        """Return the headers completed by these bytes."""
        records: list[Record] = []
        view = memoryview(data)
        while view and not self.garbled:
            if self._left:
                taken = view[: self._left]
                self._left -= len(taken)
                self._collect(taken)
                view = view[len(taken) :]
                continue
            missing = HEADER_BYTES - len(self._header)
            self._header += view[:missing]
            view = view[missing:]
            self.garbled = not _may_be_header(self._header)
            if not self.garbled and len(self._header) == HEADER_BYTES:
                records.append(self._open_record())
        return records

    def _open_record(self) -> Record:
        kind, version, length = struct.unpack("!BHH", self._header)
        self._header.clear()
        self._alert.clear()
        self._type, self._left = kind, length
        # After a ChangeCipherSpec TLS 1.2 is encrypted. In 1.3 it has no meaning, but what follows is encrypted too.
        self._encrypted = self._encrypted or kind in (ContentType.CHANGE_CIPHER_SPEC, ContentType.APPLICATION_DATA)
        return Record(type=kind, version=version, length=length)

    def _collect(self, taken: memoryview) -> None:
        if self._type == ContentType.ALERT:
            self._alert += taken
            # Longer ones are encrypted (RFC 5246 section 7.2), shorter ones may still grow.
            if self._left == 0 and len(self._alert) == 2:
                self.alert = (self._alert[0], self._alert[1])
        elif self._type == ContentType.HANDSHAKE and not self._encrypted and len(self._handshake) < _MOST_CLEAR_BYTES:
            self._handshake += taken


def _may_be_header(header: bytearray) -> bool:
    """Tell whether these are the first bytes of a record header."""
    if header and header[0] not in _CONTENT_TYPES:
        return False
    if len(header) > 1 and header[1] != 3:
        return False
    return len(header) < HEADER_BYTES or int.from_bytes(header[3:5], "big") <= _MOST_FRAGMENT_BYTES


def is_hello_retry(first_bytes: bytes) -> bool:
    """Tell whether a server's first bytes are a HelloRetryRequest; the cheap look for the happy path."""
    return first_bytes[_RETRY_AT : _RETRY_AT + 32] == RETRY_RANDOM and first_bytes[0] == ContentType.HANDSHAKE


def split_messages(handshake: bytes) -> tuple[list[tuple[int, bytes]], bytes]:
    """Cut clear handshake bytes into (type, body) and what is left of an unfinished message."""
    messages: list[tuple[int, bytes]] = []
    at = 0
    while len(handshake) - at >= 4:
        length = int.from_bytes(handshake[at + 1 : at + 4], "big")
        if len(handshake) - at - 4 < length:
            break
        messages.append((handshake[at], handshake[at + 4 : at + 4 + length]))
        at += 4 + length
    return messages, handshake[at:]


def parse_server_hello(body: bytes) -> ServerHello:
    """Read a ServerHello message, its four bytes of header removed.

    Raises:
        ProtocolError: the bytes are not one.
    """
    try:
        (legacy_version,) = struct.unpack_from("!H", body)
        at = 35 + body[34]
        (cipher,) = struct.unpack_from("!H", body, at)
        version = _find_version(body, at + 3) or legacy_version
    except (struct.error, IndexError) as error:
        raise ProtocolError(f"not a ServerHello: {body[:64].hex()}") from error
    name = _VERSIONS.get(version, f"0x{version:04x}")
    return ServerHello(version=name, cipher=cipher, retry=body[2:34] == RETRY_RANDOM)


def _find_version(body: bytes, at: int) -> int:
    """Return the selected version in the extensions from `at` on; 0 = TLS 1.2 or older says it elsewhere."""
    if len(body) < at:
        raise IndexError
    if len(body) == at:
        return 0
    (total,) = struct.unpack_from("!H", body, at)
    end = at + 2 + total
    if end > len(body):
        raise IndexError
    at += 2
    while at < end:
        kind, length = struct.unpack_from("!HH", body, at)
        if kind == _SUPPORTED_VERSIONS and length == 2:
            return int(struct.unpack_from("!H", body, at + 4)[0])
        at += 4 + length
    return 0
