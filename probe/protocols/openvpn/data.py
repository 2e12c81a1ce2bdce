"""OpenVPN's data channel: keys by the TLS 1.0 PRF, packets sealed by an AEAD.

Source: RFC 2246 section 5 (the PRF, of MD5 and SHA-1, with which key method 2 expands its secrets); OpenVPN's data
format as servers 2.6 speak it: opcode and key id, peer id (3), packet id (4), tag (16), ciphertext; what stands before
the tag is authenticated, and packet id and eight bytes of the HMAC slot are the nonce.
"""

import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from probe.model.errors import ProtocolError
from probe.protocols.openvpn.keys import STATIC_BYTES, StaticKey
from probe.protocols.openvpn.login import Material
from probe.protocols.openvpn.wrapping import DATA_V1, DATA_V2

PING = bytes.fromhex("2a187bf3641eb4cb07ed2d0a981fc748")
"""What either side sends when it has been silent for as long as was pushed."""
EXIT = bytes.fromhex("287f346bd4ef7a812d56b8d3afc5459c") + b"\x06"
"""Says that we leave, so that the server keeps no session."""
_TAG_BYTES = 16
_IV_BYTES = 8
_KEY_BYTES = {"AES-128-GCM": 16, "AES-192-GCM": 24, "AES-256-GCM": 32, "CHACHA20-POLY1305": 32}


def is_spoken(cipher: str) -> bool:
    """Tell whether the data channel can be joined with this cipher."""
    return cipher in _KEY_BYTES


class DataChannel:
    """Seals and opens packets; counts what it sends."""

    def __init__(self, cipher: str, key: StaticKey, peer_id: int | None) -> None:
        size = _KEY_BYTES[cipher]
        make = ChaCha20Poly1305 if cipher.startswith("CHACHA") else AESGCM
        self._out, self._in = make(key.cipher(0)[:size]), make(key.cipher(1)[:size])
        self._iv_out, self._iv_in = key.hmac(0)[:_IV_BYTES], key.hmac(1)[:_IV_BYTES]
        self._peer_id = peer_id
        self._sent = 0

    def seal(self, payload: bytes) -> bytes:
        """Return a packet."""
        self._sent += 1
        count = struct.pack("!I", self._sent)
        if self._peer_id is None:
            head, bound = bytes((DATA_V1 << 3,)), count
        else:
            head = struct.pack("!I", DATA_V2 << 27 | self._peer_id)
            bound = head + count
        sealed = self._out.encrypt(count + self._iv_out, payload, bound)
        return head + count + sealed[-_TAG_BYTES:] + sealed[:-_TAG_BYTES]

    def open(self, packet: bytes) -> bytes:
        """Return what a packet of the server carries.

        Raises:
            ProtocolError: it was not made with these keys.
        """
        head = 4 if packet[:1] and packet[0] >> 3 == DATA_V2 else 1
        count, rest = packet[head : head + 4], packet[head + 4 :]
        bound = packet[: head + 4] if head == 4 else count
        try:
            if len(rest) < _TAG_BYTES:
                raise InvalidTag
            return self._in.decrypt(count + self._iv_in, rest[_TAG_BYTES:] + rest[:_TAG_BYTES], bound)
        except InvalidTag:
            raise ProtocolError(f"a data packet that our keys do not open: {packet[:8].hex()}") from None


def derive_key(material: Material, our_session: bytes, their_session: bytes) -> StaticKey:
    """Return the keys of the data channel; the client sends with the first half."""
    ours, theirs = material.ours, material.theirs
    master = expand(material.pre_master, b"OpenVPN master secret" + ours[0] + theirs[0], 48)
    seed = b"OpenVPN key expansion" + ours[1] + theirs[1] + our_session + their_session
    return StaticKey(material=expand(master, seed, STATIC_BYTES))


def expand(secret: bytes, seed: bytes, size: int) -> bytes:
    """Return so many bytes of the TLS 1.0 PRF."""
    half = (len(secret) + 1) // 2
    first = _expand(secret[:half], seed, size, "md5")
    second = _expand(secret[-half:], seed, size, "sha1")
    return bytes(a ^ b for a, b in zip(first, second, strict=True))


def _expand(secret: bytes, seed: bytes, size: int, digest: str) -> bytes:
    def mac(data: bytes) -> bytes:
        # `digest` by name would ask OpenSSL, which may have MD5 switched off.
        return hmac.new(secret, data, lambda: hashlib.new(digest, usedforsecurity=False)).digest()

    found, link = b"", seed
    while len(found) < size:
        link = mac(link)
        found += mac(link + seed)
    return found[:size]
