"""Tor's cells, the certificates in them, and one circuit of one hop: bytes only.

Source: tor-spec (channels: cell format, negotiating; "Establishing circuits": CREATE_FAST, KDF-TOR; "Relay cells"),
cert-spec (Ed25519 certificates, RSA cross-certificates). Link protocol 4 and later: circuit ids of four bytes.
"""

import hashlib
import struct

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from probe.model.errors import ProtocolError

PADDING, NETINFO, VERSIONS, VPADDING, CERTS, AUTH_CHALLENGE = 0, 8, 7, 128, 129, 130
CREATE_FAST, CREATED_FAST, DESTROY, RELAY = 5, 6, 4, 3
BEGIN_DIR, CONNECTED, DATA, END = 13, 4, 2, 3
LINK_VERSIONS = (4, 5)
_PAYLOAD_BYTES = 509
_RELAY_HEAD = struct.Struct("!BHHIH")
_MOST_DATA = _PAYLOAD_BYTES - _RELAY_HEAD.size
_CROSS_PREFIX = b"Tor TLS RSA/Ed25519 cross-certificate"
_SIGNED_WITH = 4
"""Extension of a certificate: the key that signed it."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One cell; the payload of a fixed one keeps its padding."""

    circuit: int
    command: int
    payload: bytes


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """Who a relay has proven to be."""

    fingerprint: str
    """SHA-1 of its RSA key, upper-case hex, as bridge lines and directories have it."""
    ed25519: str
    """Its newer key, hex."""


def build_versions() -> bytes:
    """Return the first cell, whose circuit id is still of two bytes."""
    body = b"".join(struct.pack("!H", version) for version in (3, *LINK_VERSIONS))
    return struct.pack("!HBH", 0, VERSIONS, len(body)) + body


def split_versions(data: bytes) -> tuple[frozenset[int], int] | None:
    """Take the peer's VERSIONS from the front; `None` = need more.

    Raises:
        ProtocolError: it is none.
    """
    if not data.startswith(b"\0\0\x07"[: len(data)]):
        raise ProtocolError(f"not a VERSIONS cell: {data[:16].hex()}")
    if len(data) < 5:
        return None
    end = 5 + int.from_bytes(data[3:5], "big")
    if len(data) < end:
        return None
    return frozenset(struct.unpack(f"!{(end - 5) // 2}H", data[5 : end - (end - 5) % 2])), end


def build_cell(circuit: int, command: int, payload: bytes) -> bytes:
    """Return a cell of fixed length."""
    return struct.pack("!IB", circuit, command) + payload.ljust(_PAYLOAD_BYTES, b"\0")


def split_cell(data: bytes) -> tuple[Cell, int] | None:
    """Take a cell from the front; `None` = need more."""
    if len(data) < 7:
        return None
    circuit, command = struct.unpack_from("!IB", data)
    start, size = (7, int.from_bytes(data[5:7], "big")) if command >= 128 else (5, _PAYLOAD_BYTES)
    if len(data) < start + size:
        return None
    return Cell(circuit=circuit, command=command, payload=data[start : start + size]), start + size


def parse_certs(payload: bytes) -> dict[int, bytes]:
    """Return the certificates of a CERTS cell by type.

    Raises:
        ProtocolError: it ends early, or has two of a type.
    """
    found: dict[int, bytes] = {}
    rest = payload[1:]
    for _ in range(payload[0] if payload else 0):
        end = 3 + int.from_bytes(rest[1:3], "big")
        if len(rest) < max(3, end) or rest[0] in found:
            raise ProtocolError(f"not a CERTS cell: {payload[:32].hex()}")
        found[rest[0]] = rest[3:end]
        rest = rest[end:]
    return found


def prove_identity(certs: dict[int, bytes], tls_certificate: bytes, wall_s: float) -> Identity:
    """Check the chain from the relay's keys down to the TLS certificate that we were shown.

    RSA identity (2) signs the Ed25519 identity (7), which signs a signing key (4), which signs the TLS certificate (5).

    Raises:
        ProtocolError: a link is missing, expired or does not hold.
    """
    try:
        rsa = x509.load_der_x509_certificate(certs[2]).public_key()
        if not isinstance(rsa, RSAPublicKey) or rsa.key_size != 1024:
            raise ValueError("no RSA key of 1024 bits")
        identity = _read_cross(certs[7], rsa, wall_s)
        signing = _read_certificate(certs[4], wall_s, signer=identity)
        linked = _read_certificate(certs[5], wall_s, signer=signing)
    except KeyError as error:
        raise ProtocolError(f"the relay shows no certificate of type {error}") from None
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, IndexError, struct.error) as error:
        raise ProtocolError(f"the relay's certificates do not hold: {str(error) or 'a signature'}") from None
    if linked != hashlib.sha256(tls_certificate).digest():
        raise ProtocolError("the relay vouches for another TLS certificate: somebody is between")
    encoded = rsa.public_bytes(Encoding.DER, PublicFormat.PKCS1)
    fingerprint = hashlib.sha1(encoded, usedforsecurity=False).hexdigest().upper()
    return Identity(fingerprint=fingerprint, ed25519=identity.hex())


def _read_cross(data: bytes, rsa: RSAPublicKey, wall_s: float) -> bytes:
    """Return the Ed25519 key that the RSA key signs."""
    digest = hashlib.sha256(_CROSS_PREFIX + data[:36]).digest()
    if rsa.recover_data_from_signature(data[37 : 37 + data[36]], PKCS1v15(), None) != digest:
        raise ValueError("the cross-certificate is signed by another key")
    _require_unexpired(data[32:36], wall_s)
    return data[:32]


def _read_certificate(data: bytes, wall_s: float, *, signer: bytes) -> bytes:
    """Return what an Ed25519 certificate certifies."""
    if len(data) < 104 or data[0] != 1:
        raise ValueError("not an Ed25519 certificate")
    Ed25519PublicKey.from_public_bytes(signer).verify(data[-64:], data[:-64])
    _require_unexpired(data[2:6], wall_s)
    rest = data[40:-64]
    for _ in range(data[39]):
        size = 4 + int.from_bytes(rest[:2], "big")
        if len(rest) < size:
            raise ValueError("an extension ends nowhere")
        if rest[2] == _SIGNED_WITH and rest[4:size] != signer:
            raise ValueError("it names another signer")
        rest = rest[size:]
    return data[7:39]


def _require_unexpired(hours: bytes, wall_s: float) -> None:
    if int.from_bytes(hours, "big") * 3600 < wall_s:
        raise ValueError("expired, or our clock is wrong")


class Circuit:
    """A circuit of one hop, with keys that CREATE_FAST makes inside TLS."""

    def __init__(self, number: int, secret: bytes) -> None:
        self.number = number
        self._secret = secret

    def build_create(self) -> bytes:
        """Return the cell that makes it."""
        return build_cell(self.number, CREATE_FAST, self._secret)

    def open(self, payload: bytes) -> None:
        """Take the answer's half of the key.

        Raises:
            ProtocolError: the relay does not know what we sent.
        """
        other, proof = payload[:20], payload[20:40]
        keys = derive(self._secret + other, 92 + 20)
        if keys[:20] != proof:
            raise ProtocolError(f"not the answer to our circuit: {payload[:40].hex()}")
        self._forward = hashlib.sha1(keys[20:40], usedforsecurity=False)
        self._backward = hashlib.sha1(keys[40:60], usedforsecurity=False)
        self._encryptor = Cipher(algorithms.AES(keys[60:76]), modes.CTR(bytes(16))).encryptor()
        self._decryptor = Cipher(algorithms.AES(keys[76:92]), modes.CTR(bytes(16))).decryptor()

    def build_relay(self, command: int, stream: int, data: bytes = b"") -> bytes:
        """Return a relay cell.

        Raises:
            ValueError: there are more data than a cell holds; our own mistake.
        """
        if len(data) > _MOST_DATA:
            raise ValueError("too long for a cell")
        body = data.ljust(_MOST_DATA, b"\0")
        self._forward.update(_RELAY_HEAD.pack(command, 0, stream, 0, len(data)) + body)
        digest = int.from_bytes(self._forward.digest()[:4], "big")
        plain = _RELAY_HEAD.pack(command, 0, stream, digest, len(data)) + body
        return build_cell(self.number, RELAY, self._encryptor.update(plain))

    def open_relay(self, payload: bytes) -> tuple[int, bytes]:
        """Return command and data of a relay cell.

        Raises:
            ProtocolError: it is not of this circuit.
        """
        plain = self._decryptor.update(payload)
        command, recognized, stream, digest, size = _RELAY_HEAD.unpack_from(plain)
        self._backward.update(_RELAY_HEAD.pack(command, recognized, stream, 0, size) + plain[_RELAY_HEAD.size :])
        if recognized or size > _MOST_DATA or digest != int.from_bytes(self._backward.digest()[:4], "big"):
            raise ProtocolError(f"a relay cell of nobody: {payload[:16].hex()}")
        return command, plain[_RELAY_HEAD.size : _RELAY_HEAD.size + size]


def derive(secret: bytes, size: int) -> bytes:
    """Return so many bytes of key (KDF-TOR)."""
    blocks = (hashlib.sha1(secret + bytes((n,)), usedforsecurity=False).digest() for n in range(-(-size // 20)))
    return b"".join(blocks)[:size]
