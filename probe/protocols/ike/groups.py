"""Diffie-Hellman in the groups we offer, from given random bytes, so that a replay computes the same.

Source: RFC 3526 section 3 (group 14), RFC 5903 (groups 19 and 20: the secret is the x coordinate alone), RFC 8031
(group 31). Python's `pow` is not constant in time; a probe's key lives for one handshake.
"""

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from probe.model.errors import ProtocolError

PUBLIC_BYTES = {14: 256, 19: 64, 20: 96, 31: 32}
ENTROPY_BYTES = {14: 32, 19: 40, 20: 56, 31: 32}
"""Random bytes that a key is made from: for curves more than the order has, so that the remainder is even."""
_CURVES: dict[int, tuple[ec.EllipticCurve, int]] = {
    19: (ec.SECP256R1(), 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
    20: (
        ec.SECP384R1(),
        0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973,
    ),
}
_PRIME_14 = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AACAA68FFFFFFFFFFFFFFFF",
    16,
)


class KeyPair(msgspec.Struct, frozen=True, kw_only=True):
    """Our half of an exchange."""

    group: int
    entropy: bytes
    public: bytes


def make_key_pair(group: int, entropy: bytes) -> KeyPair:
    """Return the key pair that these random bytes make in this group."""
    if group == 14:
        public = pow(2, int.from_bytes(entropy, "big") | 1, _PRIME_14).to_bytes(256, "big")
    elif group == 31:
        raw = X25519PrivateKey.from_private_bytes(entropy).public_key()
        public = raw.public_bytes(Encoding.Raw, PublicFormat.Raw)
    else:
        point = _private_key(group, entropy).public_key()
        public = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)[1:]
    return KeyPair(group=group, entropy=entropy, public=public)


def share_secret(ours: KeyPair, theirs: bytes) -> bytes:
    """Return the shared secret.

    Raises:
        ProtocolError: the peer's public value is not one of this group.
    """
    if len(theirs) != PUBLIC_BYTES[ours.group]:
        raise ProtocolError(f"a key of {len(theirs)} bytes for group {ours.group}: {theirs[:16].hex()}")
    try:
        if ours.group == 14:
            number = int.from_bytes(theirs, "big")
            if not 1 < number < _PRIME_14 - 1:
                raise ValueError
            return pow(number, int.from_bytes(ours.entropy, "big") | 1, _PRIME_14).to_bytes(256, "big")
        if ours.group == 31:
            return X25519PrivateKey.from_private_bytes(ours.entropy).exchange(X25519PublicKey.from_public_bytes(theirs))
        curve, _ = _CURVES[ours.group]
        point = ec.EllipticCurvePublicKey.from_encoded_point(curve, b"\x04" + theirs)
        return _private_key(ours.group, ours.entropy).exchange(ec.ECDH(), point)
    except ValueError:
        raise ProtocolError(f"not a public value of group {ours.group}: {theirs[:16].hex()}") from None


def _private_key(group: int, entropy: bytes) -> ec.EllipticCurvePrivateKey:
    curve, order = _CURVES[group]
    return ec.derive_private_key(1 + int.from_bytes(entropy, "big") % (order - 1), curve)
