"""The responder's half of WireGuard in a few lines, for tests of what real servers do rarely."""

import hashlib
import hmac

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt

INDEX = b"SRVR"


def public(private: bytes) -> bytes:
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


def digest(*parts: bytes) -> bytes:
    return hashlib.blake2s(b"".join(parts)).digest()


def mac(key: bytes, data: bytes) -> bytes:
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def kdf(chain: bytes, data: bytes) -> tuple[bytes, bytes, bytes]:
    secret = hmac.digest(chain, data, "blake2s256")
    first = hmac.digest(secret, b"\x01", "blake2s256")
    second = hmac.digest(secret, first + b"\x02", "blake2s256")
    return first, second, hmac.digest(secret, second + b"\x03", "blake2s256")


class Responder:
    """Knows one peer; keeps what it learned of it."""

    def __init__(self, private: bytes, peer: bytes, psk: bytes = bytes(32), words: tuple[int, ...] = (1, 2, 3, 4)):
        self.private, self.peer, self.psk, self.words = X25519PrivateKey.from_private_bytes(private), peer, psk, words
        self.public = public(private)
        self.stamps: list[bytes] = []
        self.mac2: list[bytes] = []
        self.keys = (b"", b"")

    def check(self, packet: bytes) -> None:
        assert len(packet) == 148
        assert packet[:4] == self.words[0].to_bytes(4, "little")
        assert packet[116:132] == mac(digest(b"mac1----", self.public), packet[:116])

    def answer(self, packet: bytes) -> bytes:
        self.check(packet)
        self.mac2.append(packet[132:])
        theirs = packet[8:40]
        chain = digest(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s")
        state = digest(digest(chain, b"WireGuard v1 zx2c4 Jason@zx2c4.com"), self.public)
        state = digest(state, theirs)
        chain = kdf(chain, theirs)[0]
        peer = X25519PublicKey.from_public_bytes(theirs)
        chain, key, _ = kdf(chain, self.private.exchange(peer))
        static = ChaCha20Poly1305(key).decrypt(bytes(12), packet[40:88], state)
        assert static == self.peer
        state = digest(state, packet[40:88])
        chain, key, _ = kdf(chain, self.private.exchange(X25519PublicKey.from_public_bytes(static)))
        self.stamps.append(ChaCha20Poly1305(key).decrypt(bytes(12), packet[88:116], state))
        state = digest(state, packet[88:116])
        ephemeral = X25519PrivateKey.from_private_bytes(bytes(range(32)))
        ours = ephemeral.public_key().public_bytes_raw()
        state = digest(state, ours)
        chain = kdf(chain, ours)[0]
        chain = kdf(chain, ephemeral.exchange(peer))[0]
        chain = kdf(chain, ephemeral.exchange(X25519PublicKey.from_public_bytes(static)))[0]
        chain, mixed, key = kdf(chain, self.psk)
        empty = ChaCha20Poly1305(key).encrypt(bytes(12), b"", digest(state, mixed))
        receive, send, _ = kdf(chain, b"")
        self.keys = (send, receive)
        head = self.words[1].to_bytes(4, "little") + INDEX + packet[4:8] + ours + empty
        return head + mac(digest(b"mac1----", self.peer), head) + bytes(16)

    def cookie(self, packet: bytes, cookie: bytes = b"C" * 16) -> bytes:
        nonce = bytes(24)
        key = digest(b"cookie--", self.public)
        sealed = crypto_aead_xchacha20poly1305_ietf_encrypt(cookie, packet[116:132], nonce, key)
        return self.words[2].to_bytes(4, "little") + packet[4:8] + nonce + sealed

    def open_data(self, packet: bytes) -> bytes:
        assert packet[4:8] == INDEX
        return ChaCha20Poly1305(self.keys[1]).decrypt(bytes(4) + packet[8:16], packet[16:], None)

    def data(self, index: bytes, packet: bytes) -> bytes:
        padded = packet + bytes(-len(packet) % 16)
        sealed = ChaCha20Poly1305(self.keys[0]).encrypt(bytes(12), padded, None)
        return self.words[3].to_bytes(4, "little") + index + bytes(8) + sealed
