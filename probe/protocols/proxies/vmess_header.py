"""The bytes of VMess with AEAD headers: identification, request, response, chunks.

Source: the source of v2fly/v2ray-core (proxy/vmess/aead, proxy/vmess/encoding), as no document of it exists;
github.com/v2fly/v2fly-github-io developer/protocols/vmess for the fields that AEAD kept.
The server's clock and ours may differ by 120 s. Less than the protocol: no global padding, no encrypted lengths, no
alterId (the header without AEAD was given up in 2022).
"""

import hashlib
import hmac
import struct
import zlib
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from probe.model.errors import ProtocolError
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.proxies.socks_address import VMESS, build_host

_COMMAND_KEY_SALT = b"c48619fe-8f02-49e0-b9e9-edf763e17e21"
_ROOT = b"VMess AEAD KDF"
_BLOCK_BYTES = 64
_TAG_BYTES = 16
_CHUNKED_AND_MASKED = 0x05
_TCP = 1
SECURITIES = {"auto": 3, "aes-128-gcm": 3, "chacha20-poly1305": 4, "none": 5}
"""How links name the cipher of the body; `auto` is AES, as on every processor that has it."""


def derive(key: bytes, *path: bytes) -> bytes:
    """Return 32 bytes of HMAC-SHA256 whose hash is itself the HMAC keyed with the step before."""

    def hash_with(salts: tuple[bytes, ...], data: bytes) -> bytes:
        if not salts:
            return hashlib.sha256(data).digest()
        *earlier, salt = salts
        padded = salt.ljust(_BLOCK_BYTES, b"\0")
        inner = hash_with(tuple(earlier), bytes(byte ^ 0x36 for byte in padded) + data)
        return hash_with(tuple(earlier), bytes(byte ^ 0x5C for byte in padded) + inner)

    # Salts of this protocol are shorter than a block, so none is hashed first (RFC 2104 section 2).
    return hash_with((_ROOT, *path), key)


def make_command_key(user: bytes) -> bytes:
    """Return the key that a UUID stands for."""
    return hashlib.md5(user + _COMMAND_KEY_SALT, usedforsecurity=False).digest()


def build_auth_id(command_key: bytes, wall_s: int, random: bytes) -> bytes:
    """Return time, four random bytes and their checksum as one encrypted block."""
    plain = struct.pack("!Q", wall_s) + random
    plain += struct.pack("!I", zlib.crc32(plain))
    cipher = Cipher(algorithms.AES(derive(command_key, b"AES Auth ID Encryption")[:16]), modes.ECB())
    return cipher.encryptor().update(plain)


def checksum(data: bytes) -> bytes:
    """Return FNV-1a of 32 bits."""
    value = 0x811C9DC5
    for byte in data:
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return struct.pack("!I", value)


class Keys:
    """The keys of one connection: 16 bytes each for key and vector, and the byte that its answer begins with."""

    def __init__(self, security: int, random: bytes) -> None:
        """Take 33 random bytes."""
        self.security = security
        self.vector, self.key, self.verifier = random[:16], random[16:32], random[32]
        self.answer_key = hashlib.sha256(self.key).digest()[:16]
        self.answer_vector = hashlib.sha256(self.vector).digest()[:16]


def build_request(
    user: bytes, keys: Keys, host: str, port: int, *, wall_s: int, entropy: Callable[[int], bytes]
) -> bytes:
    """Return the encrypted header of a request for this destination.

    Raises:
        ValueError: the host is no name.
    """
    (padding_size,) = entropy(1)
    padding = entropy(padding_size & 0x0F)
    options = bytes((keys.verifier, _CHUNKED_AND_MASKED, len(padding) << 4 | keys.security, 0, _TCP))
    header = b"\x01" + keys.vector + keys.key + options + struct.pack("!H", port) + build_host(host, VMESS) + padding
    header += checksum(header)
    command_key = make_command_key(user)
    auth_id, nonce = build_auth_id(command_key, wall_s, entropy(4)), entropy(8)
    parts = [auth_id]
    for name, plain in ((b"_Length", struct.pack("!H", len(header))), (b"", header)):
        key = derive(command_key, b"VMess Header AEAD Key" + name, auth_id, nonce)[:16]
        vector = derive(command_key, b"VMess Header AEAD Nonce" + name, auth_id, nonce)[:12]
        parts.append(AESGCM(key).encrypt(vector, plain, auth_id))
    return parts[0] + parts[1] + nonce + parts[2]


def read_response(incoming: Incoming, keys: Keys) -> Reading[bool]:
    """Take the header of the answer; false if it does not come.

    Raises:
        ProtocolError: it was not made with our keys, or answers another request.
    """
    size = len(struct.pack("!H", 0))
    for name in (b" Len", b""):
        sealed = yield from incoming.take(size + _TAG_BYTES)
        if sealed is None:
            return False
        key = derive(keys.answer_key, b"AEAD Resp Header" + name + b" Key")[:16]
        vector = derive(keys.answer_vector, b"AEAD Resp Header" + name + b" IV")[:12]
        try:
            plain = AESGCM(key).decrypt(vector, sealed, None)
        except InvalidTag:
            raise ProtocolError(f"does not decrypt with our key: {sealed[:32].hex()}") from None
        size = int.from_bytes(plain[:2], "big")
    if len(plain) < 4 or not hmac.compare_digest(plain[:1], bytes((keys.verifier,))):
        raise ProtocolError(f"the answer to another request: {plain[:4].hex()}")
    return True


class Body:
    """One direction of the body: chunks whose lengths are masked by SHAKE128 of the vector."""

    def __init__(self, security: int, key: bytes, vector: bytes) -> None:
        self._vector = vector
        self._count = 0
        self._aead: AESGCM | ChaCha20Poly1305 | None = None
        if security == SECURITIES["aes-128-gcm"]:
            self._aead = AESGCM(key)
        elif security == SECURITIES["chacha20-poly1305"]:
            first = hashlib.md5(key, usedforsecurity=False).digest()
            self._aead = ChaCha20Poly1305(first + hashlib.md5(first, usedforsecurity=False).digest())

    def _next(self) -> tuple[bytes, int]:
        """Return nonce and length mask of the next chunk."""
        mask = hashlib.shake_128(self._vector).digest(2 * self._count + 2)[-2:]
        nonce = struct.pack("!H", self._count & 0xFFFF) + self._vector[2:12]
        self._count += 1
        return nonce, int.from_bytes(mask, "big")

    def seal(self, data: bytes) -> bytes:
        """Return the next chunk."""
        nonce, mask = self._next()
        sealed = data if self._aead is None else self._aead.encrypt(nonce, data, None)
        return struct.pack("!H", len(sealed) ^ mask) + sealed

    def read(self, below: Incoming) -> Reading[bytes | None]:
        """Take the next chunk; `None` if it does not come, empty = the stream's end.

        Raises:
            ProtocolError: it was not made with our keys.
        """
        nonce, mask = self._next()
        head = yield from below.take(2)
        if head is None:
            return None
        sealed = yield from below.take(int.from_bytes(head, "big") ^ mask)
        if sealed is None or self._aead is None:
            return sealed
        try:
            return self._aead.decrypt(nonce, sealed, None)
        except InvalidTag:
            raise ProtocolError(f"a chunk does not decrypt: {sealed[:32].hex()}") from None


class BodyReader(Incoming):
    """The plaintext of a response's body."""

    def __init__(self, below: Incoming, body: Body) -> None:
        super().__init__(below.timeout_s)
        self._below = below
        self._body = body

    def more(self) -> Reading[bool]:
        """Take the next chunk."""
        if self.ended:
            return False
        chunk = yield from self._body.read(self._below)
        if chunk is None:
            return False
        self.ended = not chunk
        self.pending += chunk
        return bool(chunk)
