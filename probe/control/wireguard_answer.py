"""The responder's half of WireGuard's handshake, with keys that are public: it proves that the protocol passes.

Source: "WireGuard: Next Generation Kernel Network Tunnel" (Donenfeld), sections 5.4.2, 5.4.3, 5.4.5 and 5.4.6;
Noise_IKpsk2. Less than that: any peer is answered, sessions are few and short, counters are not looked at, and nothing
is carried anywhere: an echo request inside the tunnel comes back as its reply, as long as it was.
"""

import hashlib
import hmac
import os
from collections import OrderedDict

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from probe.protocols.inner_echo import turn_echo

SERVER_KEY = hashlib.blake2s(b"wallprobe reference server").digest()
CLIENT_KEY = hashlib.blake2s(b"wallprobe reference client").digest()
"""No secrets: they open nothing."""
_INITIATION, _RESPONSE = b"\x01\0\0\0", b"\x02\0\0\0"
_INITIATION_BYTES = 148
_DATA = b"\x04\0\0\0"
_DATA_HEAD_BYTES = 16
_MOST_SESSIONS = 256
_NONCE_0 = bytes(12)
_CHAIN_0 = hashlib.blake2s(b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s").digest()
_HASH_0 = hashlib.blake2s(_CHAIN_0 + b"WireGuard v1 zx2c4 Jason@zx2c4.com").digest()


def public_of(private: bytes) -> bytes:
    """Return the public key of a private one."""
    return X25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw()


class Responder:
    """Answers initiations, and echoes inside the tunnels that come of them; the oldest sessions are forgotten."""

    def __init__(self, private: bytes = SERVER_KEY) -> None:
        self._private = private
        self._sessions: OrderedDict[bytes, _Session] = OrderedDict()

    def answer(self, packet: bytes) -> bytes | None:
        """Return what to say to a datagram; `None` = nothing, as real servers do."""
        if packet[:4] == _DATA:
            session = self._sessions.get(packet[4:8])
            return None if session is None else session.echo(packet)
        found = _answer(packet, self._private)
        if found is None:
            return None
        response, session = found
        self._sessions[response[4:8]] = session
        if len(self._sessions) > _MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return response


class _Session:
    """The keys of one tunnel."""

    def __init__(self, chain: bytes, peer_index: bytes) -> None:
        theirs, ours, _ = _derive(chain, b"")
        self._open = ChaCha20Poly1305(theirs)
        self._seal = ChaCha20Poly1305(ours)
        self._peer_index = peer_index
        self._sent = 0

    def echo(self, packet: bytes) -> bytes | None:
        """Return the message that carries the reply to the echo request in this one; `None` = it holds none."""
        counter = packet[8:_DATA_HEAD_BYTES]
        try:
            inner = self._open.decrypt(bytes(4) + counter, packet[_DATA_HEAD_BYTES:], None)
        except (InvalidTag, ValueError):
            return None
        reply = turn_echo(inner)
        if reply is None:
            return None
        counter = self._sent.to_bytes(8, "little")
        self._sent += 1
        return _DATA + self._peer_index + counter + self._seal.encrypt(bytes(4) + counter, reply, None)


def answer_initiation(packet: bytes) -> bytes | None:
    """Return the second message; `None` = this is no first message to us, and real servers are silent too."""
    found = _answer(packet, SERVER_KEY)
    return None if found is None else found[0]


def _answer(packet: bytes, private: bytes) -> tuple[bytes, _Session] | None:
    if len(packet) != _INITIATION_BYTES or packet[:4] != _INITIATION:
        return None
    own = X25519PrivateKey.from_private_bytes(private)
    public = own.public_key().public_bytes_raw()
    if not hmac.compare_digest(packet[116:132], _mac(_hash(b"mac1----", public), packet[:116])):
        return None
    theirs = packet[8:40]
    try:
        peer = X25519PublicKey.from_public_bytes(theirs)
        state = _hash(_hash(_HASH_0, public), theirs)
        chain = _derive(_CHAIN_0, theirs)[0]
        chain, key, _ = _derive(chain, own.exchange(peer))
        static = ChaCha20Poly1305(key).decrypt(_NONCE_0, packet[40:88], state)
        state = _hash(state, packet[40:88])
        known = X25519PublicKey.from_public_bytes(static)
        chain, key, _ = _derive(chain, own.exchange(known))
        ChaCha20Poly1305(key).decrypt(_NONCE_0, packet[88:116], state)
        return _respond(packet, _hash(state, packet[88:116]), chain, peer, known, static)
    except (InvalidTag, ValueError):
        return None


def _respond(
    packet: bytes, state: bytes, chain: bytes, peer: X25519PublicKey, known: X25519PublicKey, static: bytes
) -> tuple[bytes, _Session]:
    ephemeral = X25519PrivateKey.from_private_bytes(os.urandom(32))
    ours = ephemeral.public_key().public_bytes_raw()
    state = _hash(state, ours)
    chain = _derive(chain, ours)[0]
    chain = _derive(chain, ephemeral.exchange(peer))[0]
    chain = _derive(chain, ephemeral.exchange(known))[0]
    chain, mixed, key = _derive(chain, bytes(32))
    empty = ChaCha20Poly1305(key).encrypt(_NONCE_0, b"", _hash(state, mixed))
    head = _RESPONSE + os.urandom(4) + packet[4:8] + ours + empty
    return head + _mac(_hash(b"mac1----", static), head) + bytes(16), _Session(chain, packet[4:8])


def _hash(*parts: bytes) -> bytes:
    return hashlib.blake2s(b"".join(parts)).digest()


def _mac(key: bytes, data: bytes) -> bytes:
    return hashlib.blake2s(data, key=key, digest_size=16).digest()


def _derive(chain: bytes, data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return three keys by HKDF with HMAC-BLAKE2s."""
    secret = hmac.digest(chain, data, "blake2s256")
    first = hmac.digest(secret, b"\x01", "blake2s256")
    second = hmac.digest(secret, first + b"\x02", "blake2s256")
    return first, second, hmac.digest(secret, second + b"\x03", "blake2s256")
