"""Shadowsocks of 2022: random keys, BLAKE3, a clock in every header, streams bound to their request.

Source: SIP022 (github.com/Shadowsocks-NET/shadowsocks-specs, 2022-1), identity headers after 2022-2.
The clocks may differ by 30 s at most. On a wrong key or clock sing-box resets the connection at once (section 3.1.3
lets it), which looks like a filter's reset. Less than the spec: no datagrams with ChaCha20.
"""

import base64
import binascii
import struct
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from probe.model.errors import ProtocolError, UserError
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.proxies.shadowsocks.keys import (
    KEY_BYTES,
    TAG_BYTES,
    ChunkReader,
    Numbered,
    make_aead,
    require_blake3,
)
from probe.protocols.proxies.socks_address import split_address

_CLIENT_STREAM, _SERVER_STREAM = 0, 1
_MOST_PADDING = 900


def split_keys(method: str, password: str) -> tuple[bytes, ...]:
    """Read `key` or `identity:…:user`, each base64 of exactly the method's length.

    Raises:
        ValueError: one is not.
    """
    try:
        keys = tuple(base64.b64decode(part + "=" * (-len(part) % 4), validate=True) for part in password.split(":"))
    except (binascii.Error, ValueError):
        raise ValueError(f"the password of {method} is a base64 key, which this is not") from None
    if any(len(key) != KEY_BYTES[method] for key in keys):
        raise ValueError(f"the key of {method} has {KEY_BYTES[method]} bytes, this one has not")
    return keys


class Edition2022:
    """The keys of one endpoint, and what binds its answers to our request."""

    def __init__(
        self, method: str, password: bytes, entropy: Callable[[int], bytes], wall_s: float, prefix: bytes = b""
    ) -> None:
        """Read the keys.

        Raises:
            UserError: they are none, or BLAKE3 is not installed.
        """
        self._blake3 = require_blake3()
        try:
            self._keys = split_keys(method, password.decode("ascii", "replace"))
        except ValueError as error:
            raise UserError("ss", str(error), "copy the link again") from None
        self._method = method
        self._size = KEY_BYTES[method]
        self._entropy = entropy
        self._wall_s = wall_s
        self._prefix = prefix[: self._size]
        self._salt = b""
        self._packet = 0

    def _derive(self, context: str, material: bytes) -> bytes:
        return self._blake3(material, derive_key_context=context).digest(self._size)

    def _session(self, salt: bytes) -> bytes:
        return self._derive("shadowsocks 2022 session subkey", self._keys[-1] + salt)

    def _pad(self) -> bytes:
        """Return length and padding: never none, so that no request is without both payload and padding."""
        size = 1 + int.from_bytes(self._entropy(2), "big") % _MOST_PADDING
        return struct.pack("!H", size) + self._entropy(size)

    def _identities(self, make_key: Callable[[bytes], bytes], mask: bytes = bytes(16)) -> bytes:
        """Return one encrypted hash of the following key for each key that only names us to a relay."""
        headers = b""
        for key, following in zip(self._keys, self._keys[1:], strict=False):
            name = self._blake3(following).digest(16)
            headers += _encrypt_block(make_key(key), bytes(a ^ b for a, b in zip(name, mask, strict=True)))
        return headers

    def build_stream(self, address: bytes, payload: bytes) -> bytes:
        """Return the first flight: salt, fixed header with the time, then address, padding and payload."""
        salt = self._salt = self._prefix + self._entropy(self._size)[len(self._prefix) :]
        names = self._identities(lambda key: self._derive("shadowsocks 2022 identity subkey", key + salt))
        variable = address + self._pad() + payload
        fixed = struct.pack("!BQH", _CLIENT_STREAM, int(self._wall_s), len(variable))
        self._sent = Numbered(self._method, self._session(salt))
        return salt + names + self._sent.seal(fixed) + self._sent.seal(variable)

    def build_more(self, payload: bytes) -> bytes:
        """Return what follows on the stream that `build_stream` began."""
        return self._sent.seal_chunk(payload)

    def read_stream(self, below: Incoming) -> Incoming:
        """Return the plaintext of what the server sends in answer to `build_stream`."""
        return ChunkReader(below, self._open_header)

    def _open_header(self, below: Incoming) -> Reading[tuple[Numbered, bytes] | None]:
        salt = yield from below.take(self._size)
        sealed = None if salt is None else (yield from below.take(11 + self._size + TAG_BYTES))
        if salt is None or sealed is None:
            return None
        numbered = Numbered(self._method, self._session(salt))
        header = numbered.open(sealed)
        if header[0] != _SERVER_STREAM or header[9:-2] != self._salt:
            raise ProtocolError(f"the answer to another request: {header[:9].hex()}")
        payload = yield from below.take(int.from_bytes(header[-2:], "big") + TAG_BYTES)
        return None if payload is None else (numbered, numbered.open(payload))

    def build_datagram(self, address: bytes, payload: bytes) -> bytes:
        """Return the next packet of our session: encrypted ids, then one AEAD, unpadded as clients send them.

        Raises:
            UserError: the method has no datagrams here.
        """
        if "chacha20" in self._method:
            raise UserError("ss", f"{self._method} over UDP is not spoken here", "check it over TCP")
        self._salt = self._salt or self._entropy(8)
        header = self._salt + struct.pack("!Q", self._packet)
        self._packet += 1
        body = struct.pack("!BQ", _CLIENT_STREAM, int(self._wall_s)) + bytes(2) + address + payload
        sealed = make_aead(self._method, self._session(self._salt)).encrypt(header[4:], body, None)
        return _encrypt_block(self._keys[0], header) + self._identities(lambda key: key, header) + sealed

    def parse_datagram(self, data: bytes) -> bytes:
        """Return the payload of a packet that answers our session.

        Raises:
            ProtocolError: it was not made with our key, or answers another session.
        """
        if len(data) < 16 + TAG_BYTES:
            raise ProtocolError(f"too short for an answer: {data.hex()}")
        header = _decrypt_block(self._keys[-1], data[:16])
        try:
            body = make_aead(self._method, self._session(header[:8])).decrypt(header[4:], data[16:], None)
        except InvalidTag:
            raise ProtocolError(f"does not decrypt with our key: {data[:32].hex()}") from None
        if len(body) < 19 or body[0] != _SERVER_STREAM or body[9:17] != self._salt:
            raise ProtocolError(f"the answer to another session: {body[:17].hex()}")
        at = 19 + int.from_bytes(body[17:19], "big")
        split = split_address(body[at:])
        if split is None:
            raise ProtocolError("an answer without an address")
        return body[at + split[1] :]


def _encrypt_block(key: bytes, block: bytes) -> bytes:
    """Encrypt one block, for which ECB is what the block cipher does."""
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(block)


def _decrypt_block(key: bytes, block: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.ECB()).decryptor().update(block)
