"""Shadowsocks of 2017: a password, HKDF-SHA1, AEAD chunks; datagrams that are one AEAD each.

Source: shadowsocks.org/doc/aead. A server that cannot decrypt keeps reading and says nothing: shadowsocks-libev and
v2ray hold the connection open until a timeout, so silence alone never tells a wrong key from a filter.
Deviation: Outline's `prefix` replaces the first bytes of the salt, so that a stream may begin like another protocol.
"""

from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from probe.model.errors import ProtocolError
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.proxies.shadowsocks.keys import (
    KEY_BYTES,
    TAG_BYTES,
    ChunkReader,
    Numbered,
    derive_from_password,
    make_aead,
    read_chunk,
)
from probe.protocols.proxies.socks_address import split_address

_ZERO_NONCE = bytes(12)


class Edition2017:
    """The keys of one endpoint."""

    def __init__(self, method: str, password: bytes, entropy: Callable[[int], bytes], prefix: bytes = b"") -> None:
        self._method = method
        self._size = KEY_BYTES[method]
        self._key = derive_from_password(password, self._size)
        self._entropy = entropy
        self._prefix = prefix[: self._size]

    def derive(self, salt: bytes) -> bytes:
        """Return the key of the stream or datagram with this salt."""
        # SHA-1 is the protocol's choice; HKDF does not need collision resistance.
        return HKDF(SHA1(), self._size, salt, b"ss-subkey").derive(self._key)

    def build_stream(self, address: bytes, payload: bytes) -> bytes:
        """Return the first flight: salt, then address and payload in one chunk."""
        salt = self._prefix + self._entropy(self._size)[len(self._prefix) :]
        self._sent = Numbered(self._method, self.derive(salt))
        return salt + self._sent.seal_chunk(address + payload)

    def build_more(self, payload: bytes) -> bytes:
        """Return what follows on the stream that `build_stream` began."""
        return self._sent.seal_chunk(payload)

    def read_stream(self, below: Incoming) -> Incoming:
        """Return the plaintext of what the server sends."""
        return ChunkReader(below, self._open_header)

    def _open_header(self, below: Incoming) -> Reading[tuple[Numbered, bytes] | None]:
        salt = yield from below.take(self._size)
        if salt is None:
            return None
        numbered = Numbered(self._method, self.derive(salt))
        payload = yield from read_chunk(below, numbered)
        return None if payload is None else (numbered, payload)

    def build_datagram(self, address: bytes, payload: bytes) -> bytes:
        """Return salt and one AEAD of address and payload."""
        salt = self._entropy(self._size)
        return salt + make_aead(self._method, self.derive(salt)).encrypt(_ZERO_NONCE, address + payload, None)

    def parse_datagram(self, data: bytes) -> bytes:
        """Return the payload of a datagram from the server.

        Raises:
            ProtocolError: it was not made with our key, or holds no address.
        """
        salt, sealed = data[: self._size], data[self._size :]
        if len(sealed) < TAG_BYTES:
            raise ProtocolError(f"too short for an answer: {data.hex()}")
        try:
            plain = make_aead(self._method, self.derive(salt)).decrypt(_ZERO_NONCE, sealed, None)
        except InvalidTag:
            raise ProtocolError(f"does not decrypt with our key: {data[:32].hex()}") from None
        split = split_address(plain)
        if split is None:
            raise ProtocolError("an answer without an address")
        return plain[split[1] :]
