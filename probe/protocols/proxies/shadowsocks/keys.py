"""Ciphers, keys and chunks of Shadowsocks: what its two editions share.

Source: shadowsocks.org/doc/aead (key derivation, TCP chunks), SIP022 sections 2 and 3.1.
Both number a stream's AEAD operations from 0, little-endian, and send a length and a payload in turn.
"""

import hashlib
import struct
from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Reached
from probe.protocols.incoming import Incoming, Reading

TAG_BYTES = 16
KEY_BYTES = {
    "aes-128-gcm": 16,
    "aes-192-gcm": 24,
    "aes-256-gcm": 32,
    "chacha20-ietf-poly1305": 32,
    "2022-blake3-aes-128-gcm": 16,
    "2022-blake3-aes-256-gcm": 32,
    "2022-blake3-chacha20-poly1305": 32,
}
"""Methods that are spoken here; the salt is as long as the key."""


def is_2022(method: str) -> bool:
    """Tell the editions apart."""
    return method.startswith("2022-")


def make_aead(method: str, key: bytes) -> AESGCM | ChaCha20Poly1305:
    """Return the cipher of a method."""
    return ChaCha20Poly1305(key) if "chacha20" in method else AESGCM(key)


def derive_from_password(password: bytes, size: int) -> bytes:
    """Return the master key, as OpenSSL's EVP_BytesToKey makes it with MD5, no salt and one round."""
    key = block = b""
    while len(key) < size:
        block = hashlib.md5(block + password, usedforsecurity=False).digest()
        key += block
    return key[:size]


class Numbered:
    """One direction of a stream: an AEAD whose nonce counts its uses."""

    def __init__(self, method: str, key: bytes) -> None:
        self._aead = make_aead(method, key)
        self._count = 0

    def _nonce(self) -> bytes:
        nonce = self._count.to_bytes(12, "little")
        self._count += 1
        return nonce

    def seal(self, data: bytes) -> bytes:
        """Encrypt the next piece."""
        return self._aead.encrypt(self._nonce(), data, None)

    def seal_chunk(self, data: bytes) -> bytes:
        """Encrypt length and payload."""
        return self.seal(struct.pack("!H", len(data))) + self.seal(data)

    def open(self, data: bytes) -> bytes:
        """Decrypt the next piece.

        Raises:
            ProtocolError: it was not made with our key.
        """
        try:
            return self._aead.decrypt(self._nonce(), data, None)
        except InvalidTag:
            raise ProtocolError(f"does not decrypt with our key: {data[:32].hex()}") from None


class ChunkReader(Incoming):
    """The plaintext of a response stream; its first chunk that decrypts proves the server and our key."""

    def __init__(
        self, below: Incoming, open_header: Callable[[Incoming], Reading[tuple[Numbered, bytes] | None]]
    ) -> None:
        """Read from `below`; `open_header` takes the salt and what follows once, and returns the first payload."""
        super().__init__(below.timeout_s)
        self._below = below
        self._open_header = open_header
        self._numbered: Numbered | None = None

    def more(self) -> Reading[bool]:
        """Decrypt the next chunk."""
        if self._numbered is None:
            opened = yield from self._open_header(self._below)
            if opened is None:
                return False
            self._numbered, payload = opened
            for depth in (Depth.HELLO, Depth.PROOF, Depth.AUTH):
                yield Reached(depth)
            if payload:
                self.pending += payload
                return True
        chunk = yield from read_chunk(self._below, self._numbered)
        if chunk is None:
            return False
        self.pending += chunk
        return True


def read_chunk(below: Incoming, numbered: Numbered) -> Reading[bytes | None]:
    """Take length and payload and decrypt them; `None` if they do not come.

    Raises:
        ProtocolError: they were not made with our key, or carry nothing.
    """
    sealed = yield from below.take(2 + TAG_BYTES)
    if sealed is None:
        return None
    (size,) = struct.unpack("!H", numbered.open(sealed))
    if not size:
        raise ProtocolError("an empty chunk")
    sealed = yield from below.take(size + TAG_BYTES)
    return None if sealed is None else numbered.open(sealed)


class Hashing(Protocol):
    """What of a BLAKE3 hash is used here."""

    def digest(self, length: int = ...) -> bytes:
        """Return so many bytes."""


def require_blake3() -> Callable[..., Hashing]:
    """Return the hash function of the 2022 edition.

    Raises:
        UserError: the package is not installed.
    """
    try:
        from blake3 import blake3
    except ImportError:
        raise UserError("ss", "methods that start with 2022- need BLAKE3", "pip install 'wallprobe[vpn]'") from None
    return blake3
