"""SSH's data types and binary packets, in the clear and under `aes128-ctr` with `hmac-sha2-256`.

Source: RFC 4251 section 5 (data types), RFC 4253 sections 6 (binary packets), 6.4 (MAC) and 7.2 (keys), RFC 4344
section 4 (AES in counter mode), RFC 6668 (HMAC-SHA-256).
"""

import hashlib
import hmac
import struct
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Refused, Send
from probe.protocols.incoming import Incoming, Reading

DISCONNECT, IGNORE, UNIMPLEMENTED, DEBUG, EXT_INFO = 1, 2, 3, 4, 7
GLOBAL_REQUEST, REQUEST_FAILURE = 80, 82
BY_APPLICATION = 11
_PASSED_OVER = frozenset({IGNORE, UNIMPLEMENTED, DEBUG, EXT_INFO})
_MOST_PASSED_OVER = 200
_MOST_PACKET_BYTES = 65536
_BLOCK_BYTES = 16
_MAC_BYTES = 32


def put_string(data: bytes) -> bytes:
    """Return a string: its length and its bytes."""
    return struct.pack("!I", len(data)) + data


def put_mpint(number: int) -> bytes:
    """Return a whole number that is not negative."""
    return put_string(number.to_bytes(number.bit_length() // 8 + 1, "big") if number else b"")


class Fields:
    """Takes fields from the front of a message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """Return so many bytes.

        Raises:
            ProtocolError: the message is shorter.
        """
        if size > len(self._data) - self._at:
            raise ProtocolError(f"an SSH message is cut off: {self._data[:32].hex()}")
        self._at += size
        return self._data[self._at - size : self._at]

    def take_string(self) -> bytes:
        """Return a string."""
        return self.take(self.take_number())

    def take_number(self) -> int:
        """Return a number of 32 bits."""
        return int.from_bytes(self.take(4), "big")

    def take_names(self) -> tuple[str, ...]:
        """Return a name-list."""
        text = self.take_string().decode("ascii", "replace")
        return tuple(text.split(",")) if text else ()


class _Way(msgspec.Struct, kw_only=True):
    """One direction under keys."""

    cipher: CipherContext
    mac_key: bytes


class Wire:
    """The packets of one connection, both ways."""

    def __init__(self, incoming: Incoming, entropy: Callable[[int], bytes]) -> None:
        self.incoming = incoming
        self._entropy = entropy
        self._sent = 0
        self._received = 0
        self._out: _Way | None = None
        self._in: _Way | None = None

    def protect(self, secret: bytes, exchange_hash: bytes) -> None:
        """Use keys from here on, both ways (RFC 4253 section 7.2); the first hash is the session's id too."""

        def derive(letter: bytes, size: int) -> bytes:
            return hashlib.sha256(secret + exchange_hash + letter + exchange_hash).digest()[:size]

        def open_way(iv: bytes, key: bytes) -> Cipher[modes.CTR]:
            return Cipher(algorithms.AES(derive(key, 16)), modes.CTR(derive(iv, 16)))

        self._out = _Way(cipher=open_way(b"A", b"C").encryptor(), mac_key=derive(b"E", _MAC_BYTES))
        self._in = _Way(cipher=open_way(b"B", b"D").decryptor(), mac_key=derive(b"F", _MAC_BYTES))

    def pack(self, payload: bytes) -> Send:
        """Return a packet with this payload."""
        block = _BLOCK_BYTES if self._out else 8
        padding = block - (5 + len(payload)) % block
        padding += block if padding < 4 else 0
        packet = struct.pack("!IB", 1 + len(payload) + padding, padding) + payload + self._entropy(padding)
        if self._out:
            mac = hmac.digest(self._out.mac_key, struct.pack("!I", self._sent) + packet, "sha256")
            packet = self._out.cipher.update(packet) + mac
        self._sent = (self._sent + 1) & 0xFFFFFFFF
        return Send(packet)

    def disconnect(self) -> Send:
        """Return a polite end."""
        return self.pack(bytes((DISCONNECT,)) + struct.pack("!I", BY_APPLICATION) + put_string(b"") + put_string(b""))

    def take_payload(self) -> Reading[bytes | None]:
        """Return the next message that says something; `None` if none comes.

        Raises:
            ProtocolError: what came is no packet, or under other keys.
            Refused: the server ends the connection.
        """
        for _ in range(_MOST_PASSED_OVER):
            payload = yield from self._take_packet()
            if payload is None:
                return None
            kind = payload[0]
            if kind == DISCONNECT:
                fields = Fields(payload[1:])
                reason, text = fields.take_number(), fields.take_string()[:80]
                raise Refused(f"the server disconnects: {text.decode('ascii', 'replace')} (reason {reason})")
            if kind == GLOBAL_REQUEST:
                fields = Fields(payload[1:])
                fields.take_string()
                if fields.take(1) != b"\0":
                    yield self.pack(bytes((REQUEST_FAILURE,)))
            elif kind not in _PASSED_OVER:
                return payload
        raise ProtocolError(f"{_MOST_PASSED_OVER} SSH messages that say nothing")

    def _take_packet(self) -> Reading[bytes | None]:
        block = _BLOCK_BYTES if self._in else 8
        head = yield from self.incoming.take(block)
        if head is None:
            return None
        clear = self._in.cipher.update(head) if self._in else head
        length, padding = struct.unpack_from("!IB", clear)
        if not padding + 2 <= length <= _MOST_PACKET_BYTES or (4 + length) % block or padding < 4:
            raise ProtocolError(f"not an SSH packet: {head.hex()}")
        rest = yield from self.incoming.take(4 + length - block + (_MAC_BYTES if self._in else 0))
        if rest is None:
            return None
        if self._in:
            rest, mac = rest[:-_MAC_BYTES], rest[-_MAC_BYTES:]
            clear += self._in.cipher.update(rest)
            expected = hmac.digest(self._in.mac_key, struct.pack("!I", self._received) + clear, "sha256")
            if not hmac.compare_digest(mac, expected):
                raise ProtocolError(f"an SSH packet under other keys: {head.hex()}")
        else:
            clear += rest
        self._received = (self._received + 1) & 0xFFFFFFFF
        return clear[5 : 4 + length - padding]
