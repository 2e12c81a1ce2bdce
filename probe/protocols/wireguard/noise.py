"""WireGuard's handshake: the initiator's half of Noise_IKpsk2 over Curve25519, ChaCha20-Poly1305 and BLAKE2s.

Source: "WireGuard: Next Generation Kernel Network Tunnel" (Donenfeld), sections 5.4.2 (first message), 5.4.3
(second), 5.4.4 (cookie MACs), 5.4.5 (transport keys), 5.4.7 (cookie reply); Noise revision 34.
Everything random and every timestamp is brought along, so that a replay makes the same bytes.
"""

import hashlib
import hmac

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from probe.model.errors import ProtocolError

KEY_BYTES = 32
TAG_BYTES = 16
RESPONSE_BYTES = 92
COOKIE_BYTES = 64
_NO_PSK = bytes(KEY_BYTES)
_NONCE_0 = bytes(12)
_TAI64_EPOCH = 0x400000000000000A
"""What TAI64 labels the Unix epoch, ten leap seconds included; later ones change nothing, because only order counts."""
_CHAIN_0 = hashlib.blake2s(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s").digest()
_HASH_0 = hashlib.blake2s(_CHAIN_0 + b"WireGuard v1 zx2c4 Jason@zx2c4.com").digest()


class Keys:
    """Who we are and whom we mean; what both messages share is computed once."""

    def __init__(self, private: bytes, server: bytes, preshared: bytes = _NO_PSK) -> None:
        """Take raw keys.

        Raises:
            ValueError: one of them is none.
        """
        if not len(private) == len(server) == len(preshared) == KEY_BYTES:
            raise ValueError("a WireGuard key has 32 bytes")
        self.private = X25519PrivateKey.from_private_bytes(private)
        self.public = self.private.public_key().public_bytes_raw()
        self.server = server
        self.preshared = preshared
        self.peer = X25519PublicKey.from_public_bytes(server)
        self.static_secret = self.private.exchange(self.peer)
        self.mac_key = hashlib.blake2s(b"mac1----" + server).digest()
        self.cookie_key = hashlib.blake2s(b"cookie--" + server).digest()

    def __repr__(self) -> str:
        return "Keys(…)"


class Transport(msgspec.Struct, frozen=True, kw_only=True):
    """What a completed handshake leaves behind."""

    send_key: bytes
    receive_key: bytes
    peer_index: bytes

    def __repr__(self) -> str:
        return "Transport(…)"


class Initiation:
    """One first message, and what is needed to read its answer."""

    def __init__(self, keys: Keys, *, ephemeral: bytes, index: bytes, stamp_ns: int, kind: bytes) -> None:
        """Make the message; `kind` is its first four bytes."""
        self.index = index
        self._keys = keys
        self._ephemeral = X25519PrivateKey.from_private_bytes(ephemeral)
        public = self._ephemeral.public_key().public_bytes_raw()
        digest = _hash(_hash(_HASH_0, keys.server), public)
        (chain,) = _derive(_CHAIN_0, public, 1)
        chain, key = _derive(chain, self._ephemeral.exchange(keys.peer), 2)
        static = ChaCha20Poly1305(key).encrypt(_NONCE_0, keys.public, digest)
        digest = _hash(digest, static)
        chain, key = _derive(chain, keys.static_secret, 2)
        stamp = ChaCha20Poly1305(key).encrypt(_NONCE_0, encode_tai64n(stamp_ns), digest)
        self._chain, self._digest = chain, _hash(digest, stamp)
        self._body = kind + index + public + static + stamp
        self.mac1 = _mac(keys.mac_key, self._body)

    def build(self, cookie: bytes = b"") -> bytes:
        """Return the packet; a server under load wants the cookie that it sent before."""
        signed = self._body + self.mac1
        return signed + (_mac(cookie, signed) if cookie else bytes(TAG_BYTES))

    def open_response(self, packet: bytes) -> Transport:
        """Read the second message, whose receiver index is ours.

        Raises:
            ProtocolError: it was not made with the server's private key and our preshared key.
        """
        keys, theirs = self._keys, packet[12:44]
        digest = _hash(self._digest, theirs)
        (chain,) = _derive(self._chain, theirs, 1)
        try:
            peer = X25519PublicKey.from_public_bytes(theirs)
            (chain,) = _derive(chain, self._ephemeral.exchange(peer), 1)
            (chain,) = _derive(chain, keys.private.exchange(peer), 1)
            chain, mixed, key = _derive(chain, keys.preshared, 3)
            ChaCha20Poly1305(key).decrypt(_NONCE_0, packet[44:60], _hash(digest, mixed))
        except (InvalidTag, ValueError):
            raise ProtocolError(f"a WireGuard response that our keys do not open: {packet[:12].hex()}") from None
        send, receive = _derive(chain, b"", 2)
        return Transport(send_key=send, receive_key=receive, peer_index=packet[4:8])


def open_cookie(packet: bytes, keys: Keys, mac1: bytes) -> bytes | None:
    """Return the cookie of a cookie reply; `None` where this host lacks the cipher (extra `vpn`).

    Raises:
        ProtocolError: it was not made for our message by who knows the server's public key.
    """
    try:
        from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as decrypt
        from nacl.exceptions import CryptoError
    except ImportError:
        return None
    try:
        return bytes(decrypt(packet[32:64], mac1, packet[8:32], keys.cookie_key))
    except CryptoError:
        raise ProtocolError(f"a cookie that is not for us: {packet[:8].hex()}") from None


def encode_tai64n(stamp_ns: int) -> bytes:
    """Return nanoseconds since the epoch as a TAI64N label."""
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    return (_TAI64_EPOCH + seconds).to_bytes(8, "big") + nanoseconds.to_bytes(4, "big")


def _hash(digest: bytes, data: bytes) -> bytes:
    return hashlib.blake2s(digest + data).digest()


def _mac(key: bytes, data: bytes) -> bytes:
    return hashlib.blake2s(data, key=key, digest_size=TAG_BYTES).digest()


def _derive(chain: bytes, data: bytes, count: int) -> list[bytes]:
    """Return so many keys by HKDF with HMAC-BLAKE2s."""
    secret = hmac.digest(chain, data, "blake2s256")
    keys: list[bytes] = []
    block = b""
    for number in range(1, count + 1):
        block = hmac.digest(secret, block + bytes((number,)), "blake2s256")
        keys.append(block)
    return keys
