"""OpenVPN's data channel: packets sealed by an AEAD, or by a block cipher in CBC mode and an HMAC.

Source: OpenVPN's data format as servers 2.3 to 2.6 speak it: opcode and key id, peer id (3). Then, of an AEAD, packet
id (4), tag (16), ciphertext; what stands before the tag is authenticated, and packet id and eight bytes of the HMAC
slot are the nonce. Of CBC, HMAC, IV, ciphertext of packet id (4) and payload; the HMAC covers what follows it alone.
"""

import hashlib
import hmac
import struct
from collections.abc import Callable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import Blowfish, TripleDES
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.padding import PKCS7

from probe.model.errors import ProtocolError
from probe.protocols.openvpn.keys import StaticKey
from probe.protocols.openvpn.wrapping import DATA_V1, DATA_V2

PING = bytes.fromhex("2a187bf3641eb4cb07ed2d0a981fc748")
"""What either side sends when it has been silent for as long as was pushed."""
EXIT = bytes.fromhex("287f346bd4ef7a812d56b8d3afc5459c") + b"\x06"
"""Says that we leave, so that the server keeps no session."""
_TAG_BYTES = 16
_IV_BYTES = 8
_COUNT_BYTES = 4
_AEAD_KEY_BYTES = {"AES-128-GCM": 16, "AES-192-GCM": 24, "AES-256-GCM": 32, "CHACHA20-POLY1305": 32}
_CBC: dict[str, tuple[type[BlockCipherAlgorithm], int]] = {
    "AES-128-CBC": (algorithms.AES, 16),
    "AES-192-CBC": (algorithms.AES, 24),
    "AES-256-CBC": (algorithms.AES, 32),
    "BF-CBC": (Blowfish, 16),
    "DES-EDE3-CBC": (TripleDES, 24),
}
"""Algorithm and length of the key. Blowfish is what files without a `cipher` meant until OpenVPN 2.5."""
DIGESTS = frozenset({"md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3-256", "sha3-512"})


def is_spoken(cipher: str, digest: str) -> bool:
    """Tell whether the data channel can be joined with this cipher, and this digest where the cipher needs one."""
    return cipher in _AEAD_KEY_BYTES or (cipher in _CBC and digest in DIGESTS)


class DataChannel(Protocol):
    """Seals and opens packets; counts what it sends."""

    def seal(self, payload: bytes) -> bytes:
        """Return a packet."""
        ...

    def open(self, packet: bytes) -> bytes:
        """Return what a packet of the server carries.

        Raises:
            ProtocolError: it was not made with these keys.
        """
        ...


def open_channel(
    cipher: str, digest: str, key: StaticKey, peer_id: int | None, entropy: Callable[[int], bytes]
) -> DataChannel:
    """Return our end of the channel; without a peer id packets have the shorter head of old servers."""
    head = bytes((DATA_V1 << 3,)) if peer_id is None else struct.pack("!I", DATA_V2 << 27 | peer_id)
    if cipher in _CBC:
        return BlockChannel(cipher, digest, key, head, entropy)
    return AEADChannel(cipher, key, head)


def _split_head(packet: bytes) -> tuple[bytes, bytes]:
    size = 4 if packet[:1] and packet[0] >> 3 == DATA_V2 else 1
    return packet[:size], packet[size:]


def _not_ours(packet: bytes) -> ProtocolError:
    return ProtocolError(f"a data packet that our keys do not open: {packet[:8].hex()}")


class AEADChannel:
    """GCM, or ChaCha20 with Poly1305."""

    def __init__(self, cipher: str, key: StaticKey, head: bytes) -> None:
        size = _AEAD_KEY_BYTES[cipher]
        make = ChaCha20Poly1305 if cipher.startswith("CHACHA") else AESGCM
        self._out, self._in = make(key.cipher(0)[:size]), make(key.cipher(1)[:size])
        self._iv_out, self._iv_in = key.hmac(0)[:_IV_BYTES], key.hmac(1)[:_IV_BYTES]
        self._head = head
        self._sent = 0

    def seal(self, payload: bytes) -> bytes:
        """Return a packet."""
        self._sent += 1
        count = struct.pack("!I", self._sent)
        sealed = self._out.encrypt(count + self._iv_out, payload, self._bound(self._head, count))
        return self._head + count + sealed[-_TAG_BYTES:] + sealed[:-_TAG_BYTES]

    def open(self, packet: bytes) -> bytes:
        """Return what a packet of the server carries.

        Raises:
            ProtocolError: it was not made with our keys.
        """
        head, rest = _split_head(packet)
        count, rest = rest[:_COUNT_BYTES], rest[_COUNT_BYTES:]
        try:
            if len(rest) < _TAG_BYTES:
                raise InvalidTag
            sealed = rest[_TAG_BYTES:] + rest[:_TAG_BYTES]
            return self._in.decrypt(count + self._iv_in, sealed, self._bound(head, count))
        except InvalidTag:
            raise _not_ours(packet) from None

    @staticmethod
    def _bound(head: bytes, count: bytes) -> bytes:
        """Return what is authenticated beside the payload: of the shorter head nothing is."""
        return head + count if len(head) == 4 else count


class BlockChannel:
    """A block cipher in CBC mode, and an HMAC before it."""

    def __init__(self, cipher: str, digest: str, key: StaticKey, head: bytes, entropy: Callable[[int], bytes]) -> None:
        algorithm, size = _CBC[cipher]
        self._ciphers = algorithm(key.cipher(0)[:size]), algorithm(key.cipher(1)[:size])  # type: ignore[call-arg]
        self._block_bytes = self._ciphers[0].block_size // 8
        self._mac_bytes = hashlib.new(digest, usedforsecurity=False).digest_size
        self._digest = digest
        self._macs = key.hmac(0)[: self._mac_bytes], key.hmac(1)[: self._mac_bytes]
        self._head = head
        self._entropy = entropy
        self._sent = 0

    def seal(self, payload: bytes) -> bytes:
        """Return a packet."""
        self._sent += 1
        vector = self._entropy(self._block_bytes)
        padder = PKCS7(self._block_bytes * 8).padder()
        plain = padder.update(struct.pack("!I", self._sent) + payload) + padder.finalize()
        encryptor = Cipher(self._ciphers[0], modes.CBC(vector)).encryptor()
        body = vector + encryptor.update(plain) + encryptor.finalize()
        return self._head + self._mac(self._macs[0], body) + body

    def open(self, packet: bytes) -> bytes:
        """Return what a packet of the server carries.

        Raises:
            ProtocolError: it was not made with our keys.
        """
        _, rest = _split_head(packet)
        mac, body = rest[: self._mac_bytes], rest[self._mac_bytes :]
        vector, sealed = body[: self._block_bytes], body[self._block_bytes :]
        if not hmac.compare_digest(mac, self._mac(self._macs[1], body)):
            raise _not_ours(packet)
        decryptor = Cipher(self._ciphers[1], modes.CBC(vector)).decryptor()
        unpadder = PKCS7(self._block_bytes * 8).unpadder()
        try:
            plain = unpadder.update(decryptor.update(sealed) + decryptor.finalize()) + unpadder.finalize()
        except ValueError:
            raise _not_ours(packet) from None
        return plain[_COUNT_BYTES:]

    def _mac(self, key: bytes, body: bytes) -> bytes:
        # `digest` by name would ask OpenSSL, which may have MD5 switched off.
        return hmac.new(key, body, lambda: hashlib.new(self._digest, usedforsecurity=False)).digest()
