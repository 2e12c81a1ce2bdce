"""SSH's key exchange: what both sides offer, curve 25519, and the host key's signature over all of it.

Source: RFC 4253 sections 4.2 (identification), 7.1 (KEXINIT), 8 (exchange hash); RFC 8731 and RFC 5656 section 4
(curve 25519, ECDH messages); RFC 8709, RFC 5656 section 3.1, RFC 8332 (signatures of Ed25519, ECDSA, RSA).
"""

import base64
import hashlib

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from probe.model.errors import ProtocolError
from probe.protocols.ssh.packets import Fields, put_mpint, put_string

IDENTIFICATION = b"SSH-2.0-OpenSSH_9.6"
"""What a common client says; a name of our own would be a fingerprint."""
KEXINIT, NEWKEYS, ECDH_INIT, ECDH_REPLY = 20, 21, 30, 31

KEX = ("curve25519-sha256", "curve25519-sha256@libssh.org")
HOST_KEYS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "rsa-sha2-512", "rsa-sha2-256")
CIPHERS = ("aes128-ctr",)
MACS = ("hmac-sha2-256",)
_OFFER = (KEX, HOST_KEYS, CIPHERS, CIPHERS, MACS, MACS, ("none",), ("none",), (), ())
_HASHES = {
    "ecdsa-sha2-nistp256": hashes.SHA256(),
    "ecdsa-sha2-nistp384": hashes.SHA384(),
    "rsa-sha2-256": hashes.SHA256(),
    "rsa-sha2-512": hashes.SHA512(),
}


class Offer(msgspec.Struct, frozen=True, kw_only=True):
    """What a server's KEXINIT offers."""

    kex: tuple[str, ...]
    host_keys: tuple[str, ...]
    ciphers: tuple[str, ...]
    """From client to server."""
    macs: tuple[str, ...]
    guessed: bool
    """A first packet of its guess at the key exchange follows."""


class Exchanged(msgspec.Struct, frozen=True, kw_only=True):
    """A key exchange whose signature is that of the host key."""

    host_key: str
    """Fingerprint as `ssh-keygen -l` prints it."""
    algorithm: str
    secret: bytes
    """As an mpint."""
    hash: bytes


def build_kexinit(cookie: bytes) -> bytes:
    """Return the payload with our offer."""
    lists = b"".join(put_string(",".join(names).encode()) for names in _OFFER)
    return bytes((KEXINIT,)) + cookie + lists + bytes(5)


def parse_kexinit(payload: bytes) -> Offer:
    """Read a server's offer.

    Raises:
        ProtocolError: it is none.
    """
    if payload[:1] != bytes((KEXINIT,)):
        raise ProtocolError(f"not an SSH key exchange offer: {payload[:32].hex()}")
    fields = Fields(payload[1:])
    fields.take(16)
    lists = [fields.take_names() for _ in range(10)]
    return Offer(kex=lists[0], host_keys=lists[1], ciphers=lists[2], macs=lists[4], guessed=fields.take(1) != b"\0")


def agrees(offer: Offer) -> bool:
    """Tell whether we can do what this server offers."""
    ours = ((KEX, offer.kex), (HOST_KEYS, offer.host_keys), (CIPHERS, offer.ciphers), (MACS, offer.macs))
    return all(set(mine) & set(theirs) for mine, theirs in ours)


def guessed_wrong(offer: Offer) -> bool:
    """Tell whether a guessed packet follows that must be passed over (RFC 4253 section 7)."""
    return offer.guessed and (offer.kex[:1] != KEX[:1] or offer.host_keys[:1] != HOST_KEYS[:1])


def read_reply(payload: bytes, private: bytes, spoken: tuple[bytes, bytes, bytes, bytes]) -> Exchanged:
    """Read the server's half of the exchange and check its signature.

    `spoken` are both identifications and both KEXINIT payloads, ours first each.

    Raises:
        ProtocolError: it is none, or the signature is not the host key's.
    """
    if payload[:1] != bytes((ECDH_REPLY,)):
        raise ProtocolError(f"not an SSH key exchange reply: {payload[:32].hex()}")
    fields = Fields(payload[1:])
    host_key, theirs, signature = fields.take_string(), fields.take_string(), fields.take_string()
    ours = X25519PrivateKey.from_private_bytes(private)
    try:
        shared = ours.exchange(X25519PublicKey.from_public_bytes(theirs))
    except ValueError:
        raise ProtocolError(f"not a key on curve 25519: {theirs[:32].hex()}") from None
    secret = put_mpint(int.from_bytes(shared, "big"))
    mine = ours.public_key().public_bytes_raw()
    strings = b"".join(put_string(part) for part in (*spoken, host_key, mine, theirs))
    digest = hashlib.sha256(strings + secret).digest()
    algorithm = verify_signature(host_key, signature, digest)
    return Exchanged(host_key=print_key(host_key), algorithm=algorithm, secret=secret, hash=digest)


def print_key(blob: bytes) -> str:
    """Return the fingerprint of a public key as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def verify_signature(blob: bytes, signature: bytes, data: bytes) -> str:
    """Check a signature and return its algorithm.

    Raises:
        ProtocolError: key or signature cannot be read, or do not fit.
    """
    key_kind = Fields(blob).take_string()
    fields = Fields(signature)
    algorithm, value = fields.take_string().decode("ascii", "replace"), fields.take_string()
    try:
        key = load_ssh_public_key(key_kind + b" " + base64.b64encode(blob))
        if isinstance(key, Ed25519PublicKey) and algorithm == "ssh-ed25519":
            key.verify(value, data)
        elif isinstance(key, EllipticCurvePublicKey) and algorithm == key_kind.decode("ascii"):
            pair = Fields(value)
            r, s = (int.from_bytes(pair.take_string(), "big") for _ in range(2))
            key.verify(encode_dss_signature(r, s), data, ECDSA(_HASHES[algorithm]))
        elif isinstance(key, RSAPublicKey) and algorithm in ("rsa-sha2-256", "rsa-sha2-512"):
            key.verify(value, data, padding.PKCS1v15(), _HASHES[algorithm])
        else:
            raise ValueError
    except (ValueError, KeyError, UnsupportedAlgorithm):
        raise ProtocolError(f"not a host key with its signature: {blob[:32].hex()}") from None
    except InvalidSignature:
        raise ProtocolError(f"the exchange is not signed with the host key: {signature[:32].hex()}") from None
    return algorithm
