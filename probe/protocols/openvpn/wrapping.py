"""How control packets are protected: not at all, tls-auth, tls-crypt, tls-crypt-v2.

Source: OpenVPN's doc/tls-crypt-v2.txt, and its wire format as servers 2.6 answer it. A packet is opcode and key id (1),
session id (8), the wrapping's own fields, and the body: ack count (1), acked ids (4 each), the peer's session id (8, if
anything is acked), packet id (4, none in a pure ack), payload.
"""

import hashlib
import hmac
import struct
from collections.abc import Callable
from typing import Protocol

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from probe.model.errors import ProtocolError
from probe.protocols.openvpn.keys import ClientKey, StaticKey

HARD_RESET_CLIENT_V2, HARD_RESET_SERVER_V2, CONTROL_V1, ACK_V1 = 7, 8, 4, 5
HARD_RESET_CLIENT_V3, CONTROL_WKC_V1 = 10, 11
DATA_V1, DATA_V2 = 6, 9
EARLY_NEGOTIATION = 0x0F000000
"""Packet ids from here on tell a 2.6 server that the client can be asked to send its wrapped key again."""
_HEAD_BYTES = 9
_TAG_BYTES = 32
_KEY_BYTES = 32


class Wrapping(Protocol):
    """Seals and opens control packets; counts what it sends."""

    reset_opcode: int

    def seal(self, opcode: int, session: bytes, body: bytes) -> bytes:
        """Return a packet."""
        ...

    def open(self, packet: bytes) -> tuple[int, bytes, bytes]:
        """Return opcode, session id and body.

        Raises:
            ProtocolError: it is no such packet, or was not made with our key.
        """
        ...


class Plain:
    """No protection."""

    reset_opcode = HARD_RESET_CLIENT_V2

    def seal(self, opcode: int, session: bytes, body: bytes) -> bytes:
        """Return a packet."""
        return bytes((opcode << 3,)) + session + body

    def open(self, packet: bytes) -> tuple[int, bytes, bytes]:
        """Return opcode, session id and body.

        Raises:
            ProtocolError: it is too short, or was not made with our key.
        """
        return _opcode(packet), packet[1:_HEAD_BYTES], packet[_HEAD_BYTES:]


class TlsAuth:
    """An HMAC over everything, keyed with one slot for each direction."""

    reset_opcode = HARD_RESET_CLIENT_V2

    def __init__(self, key: StaticKey, direction: int | None, digest: str, wall_s: Callable[[], float]) -> None:
        """Choose the slots. `direction` is the client's; `None` = one key both ways.

        Raises:
            ValueError: this host has no such digest.
        """
        size = hashlib.new(digest).digest_size
        self._digest = digest
        self._size = size
        self._out = key.hmac(direction or 0)[:size]
        self._in = key.hmac(0 if direction is None else 1 - direction)[:size]
        self._wall_s = wall_s
        self._sent = 0

    def seal(self, opcode: int, session: bytes, body: bytes) -> bytes:
        """Return a packet: the HMAC stands behind the session id, and covers the packet id first."""
        self._sent += 1
        stamp = struct.pack("!II", self._sent, int(self._wall_s()) & 0xFFFFFFFF)
        head = bytes((opcode << 3,)) + session
        return head + hmac.digest(self._out, stamp + head + body, self._digest) + stamp + body

    def open(self, packet: bytes) -> tuple[int, bytes, bytes]:
        """Return opcode, session id and body.

        Raises:
            ProtocolError: it is too short, or was not made with our key.
        """
        start = _HEAD_BYTES + self._size
        if len(packet) < start + 8:
            raise ProtocolError(f"too short for tls-auth: {packet[:16].hex()}")
        head, mac, rest = packet[:_HEAD_BYTES], packet[_HEAD_BYTES:start], packet[start:]
        if not hmac.compare_digest(mac, hmac.digest(self._in, rest[:8] + head + rest[8:], self._digest)):
            raise ProtocolError(f"not made with our tls-auth key: {packet[:16].hex()}")
        return _opcode(packet), head[1:], rest[8:]


class TlsCrypt:
    """AES-256-CTR under a synthetic IV; the client sends with direction 1."""

    reset_opcode = HARD_RESET_CLIENT_V2

    def __init__(self, key: StaticKey, wall_s: Callable[[], float], first_id: int = 0) -> None:
        self._cipher_out, self._hmac_out = key.cipher(1)[:_KEY_BYTES], key.hmac(1)[:_KEY_BYTES]
        self._cipher_in, self._hmac_in = key.cipher(0)[:_KEY_BYTES], key.hmac(0)[:_KEY_BYTES]
        self._wall_s = wall_s
        self._sent = first_id

    def seal(self, opcode: int, session: bytes, body: bytes) -> bytes:
        """Return a packet."""
        self._sent += 1
        head = bytes((opcode << 3,)) + session + struct.pack("!II", self._sent, int(self._wall_s()) & 0xFFFFFFFF)
        tag = hmac.digest(self._hmac_out, head + body, "sha256")
        return head + tag + _ctr(self._cipher_out, tag, body)

    def open(self, packet: bytes) -> tuple[int, bytes, bytes]:
        """Return opcode, session id and body.

        Raises:
            ProtocolError: it is too short, or was not made with our key.
        """
        start = _HEAD_BYTES + 8
        if len(packet) < start + _TAG_BYTES:
            raise ProtocolError(f"too short for tls-crypt: {packet[:16].hex()}")
        head, tag = packet[:start], packet[start : start + _TAG_BYTES]
        body = _ctr(self._cipher_in, tag, packet[start + _TAG_BYTES :])
        if not hmac.compare_digest(tag, hmac.digest(self._hmac_in, head + body, "sha256")):
            raise ProtocolError(f"not made with our tls-crypt key: {packet[:16].hex()}")
        return _opcode(packet), head[1:_HEAD_BYTES], body


class TlsCryptV2(TlsCrypt):
    """tls-crypt with a key of one's own, which the first packet brings along wrapped for the server."""

    reset_opcode = HARD_RESET_CLIENT_V3

    def __init__(self, key: ClientKey, wall_s: Callable[[], float]) -> None:
        super().__init__(key.key, wall_s, EARLY_NEGOTIATION)
        self._wrapped = key.wrapped

    def seal(self, opcode: int, session: bytes, body: bytes) -> bytes:
        """Return a packet, with the wrapped key where the server needs it."""
        sealed = super().seal(opcode, session, body)
        return sealed + self._wrapped if opcode in (HARD_RESET_CLIENT_V3, CONTROL_WKC_V1) else sealed


def _opcode(packet: bytes) -> int:
    if len(packet) < _HEAD_BYTES:
        raise ProtocolError(f"too short for OpenVPN: {packet.hex()}")
    return packet[0] >> 3


def _ctr(key: bytes, tag: bytes, data: bytes) -> bytes:
    cipher = Cipher(algorithms.AES(key), modes.CTR(tag[:16])).encryptor()
    return cipher.update(data) + cipher.finalize()
