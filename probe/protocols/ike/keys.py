"""Keys of an IKEv2 association, its encrypted payload, and the proof by pre-shared key.

Source: RFC 7296 sections 2.13 (prf+), 2.14 (keys), 2.15 (authentication), 3.14 (encrypted payload); RFC 5282 sections
3 and 4 (AES-GCM); RFC 4868 (HMAC-SHA-2, tags cut to half).
"""

import hashlib
import hmac
import struct

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from probe.model.errors import ProtocolError
from probe.protocols.ike.framing import (
    HEADER,
    Message,
    Payload,
    build_chain,
    build_message,
    parse_chain,
)
from probe.protocols.ike.proposal import AES_CBC, AES_GCM_16, Chosen

_SK = 46
_PAYLOAD_HEADER_BYTES = 4
_HASHES = {5: "sha256", 6: "sha384", 7: "sha512", 2: "sha1"}
_INTEGRITIES = {12: ("sha256", 16), 13: ("sha384", 24), 14: ("sha512", 32), 2: ("sha1", 12)}
_SALT_BYTES = 4
_GCM_IV_BYTES = 8
_GCM_TAG_BYTES = 16
_BLOCK_BYTES = 16
KEY_PAD = b"Key Pad for IKEv2"


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """The keys that the first exchange made; `i` is ours, `r` the responder's."""

    chosen: Chosen
    integrity_i: bytes
    integrity_r: bytes
    encryption_i: bytes
    encryption_r: bytes
    proof_i: bytes
    proof_r: bytes


def compute_prf(number: int, key: bytes, data: bytes) -> bytes:
    """Return HMAC with the hash of this transform."""
    return hmac.digest(key, data, _HASHES[number])


def derive_keys(chosen: Chosen, secret: bytes, nonces: bytes, spis: bytes) -> Keys:
    """Return the keys for this choice; `nonces` is ours and theirs in a row, `spis` likewise.

    Raises:
        ProtocolError: the responder chose what we did not offer.
    """
    if (
        chosen.prf not in _HASHES
        or chosen.encryption not in (AES_CBC, AES_GCM_16)
        or chosen.key_bits not in (128, 256)
        or (chosen.encryption == AES_CBC and chosen.integrity not in _INTEGRITIES)
    ):
        raise ProtocolError(f"the responder chose what was not offered: {chosen}")
    hash_bytes = hashlib.new(_HASHES[chosen.prf]).digest_size
    if chosen.encryption == AES_CBC:
        integrity_bytes = hashlib.new(_INTEGRITIES[chosen.integrity][0]).digest_size
        key_bytes = chosen.key_bits // 8
    else:
        integrity_bytes = 0
        key_bytes = chosen.key_bits // 8 + _SALT_BYTES
    sizes = (hash_bytes, integrity_bytes, integrity_bytes, key_bytes, key_bytes, hash_bytes, hash_bytes)
    stream = _expand(chosen.prf, compute_prf(chosen.prf, nonces, secret), nonces + spis, sum(sizes))
    parts: list[bytes] = []
    for size in sizes:
        parts.append(stream[:size])
        stream = stream[size:]
    return Keys(
        chosen=chosen,
        integrity_i=parts[1],
        integrity_r=parts[2],
        encryption_i=parts[3],
        encryption_r=parts[4],
        proof_i=parts[5],
        proof_r=parts[6],
    )


def _expand(prf: int, key: bytes, seed: bytes, size: int) -> bytes:
    """Return so many bytes of prf+ (RFC 7296 section 2.13)."""
    stream = block = b""
    count = 0
    while len(stream) < size:
        count += 1
        block = compute_prf(prf, key, block + seed + bytes([count]))
        stream += block
    return stream[:size]


def compute_auth(
    prf: int, psk: bytes, first_message: bytes, other_nonce: bytes, proof_key: bytes, id_body: bytes
) -> bytes:
    """Return what proves that its sender knows the pre-shared key (RFC 7296 section 2.15)."""
    signed = first_message + other_nonce + compute_prf(prf, proof_key, id_body)
    return compute_prf(prf, compute_prf(prf, psk, KEY_PAD), signed)


def seal(message: Message, payloads: tuple[Payload, ...], keys: Keys, iv: bytes) -> bytes:
    """Return the bytes of a message whose only payload is these, encrypted; `iv` is random, 16 bytes."""
    first, clear = build_chain(payloads)
    if keys.chosen.encryption == AES_GCM_16:
        iv = iv[:_GCM_IV_BYTES]
        clear += b"\0"
        sealed_bytes = len(iv) + len(clear) + _GCM_TAG_BYTES
    else:
        pad = -(len(clear) + 1) % _BLOCK_BYTES
        clear += bytes(pad) + bytes([pad])
        sealed_bytes = len(iv) + len(clear) + _INTEGRITIES[keys.chosen.integrity][1]
    head = struct.pack("!BBH", first, 0, _PAYLOAD_HEADER_BYTES + sealed_bytes)
    whole = msgspec.structs.replace(message, next_payload=_SK, body=head + bytes(sealed_bytes))
    bare = build_message(whole)[:-sealed_bytes]
    if keys.chosen.encryption == AES_GCM_16:
        key, salt = keys.encryption_i[:-_SALT_BYTES], keys.encryption_i[-_SALT_BYTES:]
        return bare + iv + AESGCM(key).encrypt(salt + iv, clear, bare)
    encryptor = Cipher(algorithms.AES(keys.encryption_i), modes.CBC(iv)).encryptor()
    signed = bare + iv + encryptor.update(clear) + encryptor.finalize()
    return signed + _cut_tag(keys.chosen.integrity, keys.integrity_i, signed)


def unseal(data: bytes, message: Message, keys: Keys) -> tuple[Payload, ...]:
    """Return the payloads of a responder's encrypted message; `data` is the whole of it.

    Raises:
        ProtocolError: it is not encrypted, or not by who holds the other half of the keys.
    """
    if message.next_payload != _SK or len(message.body) < _PAYLOAD_HEADER_BYTES:
        raise ProtocolError(f"not an encrypted IKE message: {data[: HEADER.size].hex()}")
    first = message.body[0]
    bare_bytes = HEADER.size + _PAYLOAD_HEADER_BYTES
    clear = (_open_gcm if keys.chosen.encryption == AES_GCM_16 else _open_cbc)(data, bare_bytes, keys)
    if not clear or clear[-1] >= len(clear):
        raise ProtocolError(f"the padding of an encrypted IKE message is wrong: {data[: HEADER.size].hex()}")
    return parse_chain(first, clear[: -1 - clear[-1]])


def _open_gcm(data: bytes, bare_bytes: int, keys: Keys) -> bytes:
    key, salt = keys.encryption_r[:-_SALT_BYTES], keys.encryption_r[-_SALT_BYTES:]
    iv, sealed = data[bare_bytes : bare_bytes + _GCM_IV_BYTES], data[bare_bytes + _GCM_IV_BYTES :]
    if len(sealed) < _GCM_TAG_BYTES:
        raise ProtocolError(f"an encrypted IKE message is cut off: {data[: HEADER.size].hex()}")
    try:
        return AESGCM(key).decrypt(salt + iv, sealed, data[:bare_bytes])
    except InvalidTag:
        raise ProtocolError(f"an IKE message under other keys: {data[: HEADER.size].hex()}") from None


def _open_cbc(data: bytes, bare_bytes: int, keys: Keys) -> bytes:
    tag_bytes = _INTEGRITIES[keys.chosen.integrity][1]
    iv, sealed = data[bare_bytes : bare_bytes + _BLOCK_BYTES], data[bare_bytes + _BLOCK_BYTES : -tag_bytes]
    if not sealed or len(sealed) % _BLOCK_BYTES:
        raise ProtocolError(f"an encrypted IKE message is cut off: {data[: HEADER.size].hex()}")
    tag = _cut_tag(keys.chosen.integrity, keys.integrity_r, data[:-tag_bytes])
    if not hmac.compare_digest(tag, data[-tag_bytes:]):
        raise ProtocolError(f"an IKE message under other keys: {data[: HEADER.size].hex()}")
    decryptor = Cipher(algorithms.AES(keys.encryption_r), modes.CBC(iv)).decryptor()
    return decryptor.update(sealed) + decryptor.finalize()


def _cut_tag(integrity: int, key: bytes, data: bytes) -> bytes:
    name, size = _INTEGRITIES[integrity]
    return hmac.digest(key, data, name)[:size]
