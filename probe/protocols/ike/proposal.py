"""What we offer and what a responder chose of it, in IKEv2.

Source: RFC 7296 section 3.3 (security association payload), IANA's registry of IKEv2 parameters (transform ids),
RFC 5282 (AES-GCM needs no integrity transform), RFC 8031 (curve 25519). The offer is what common clients offer, strong
transforms only.
"""

import struct

import msgspec

from probe.model.errors import ProtocolError

ENCRYPTION, PRF, INTEGRITY, GROUP, SEQUENCE_NUMBERS = 1, 2, 3, 4, 5
AES_CBC, AES_GCM_16 = 12, 20
KEY_LENGTH = 14
IKE, ESP = 1, 3

GROUPS = (31, 19, 20, 14)
"""Curve 25519, P-256, P-384, MODP-2048: in the order of our preference."""
PRFS = (5, 6, 7, 2)
"""HMAC of SHA-256, SHA-384, SHA-512, SHA-1."""
INTEGRITIES = (12, 13, 14, 2)
"""The same hashes, cut to half (SHA-1: 96 bits)."""

_OFFERED = (
    ((AES_CBC, 256), (AES_CBC, 128)),
    ((AES_GCM_16, 256), (AES_GCM_16, 128)),
)


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """One transform of each kind; 0 = none was given."""

    encryption: int
    key_bits: int
    prf: int
    integrity: int
    group: int


def build_ike_offer(groups: tuple[int, ...] = GROUPS) -> bytes:
    """Return the body of an SA payload with a CBC and a GCM proposal."""
    return _join(
        [
            (IKE, b"", _transforms(ciphers, INTEGRITIES if ciphers[0][0] == AES_CBC else (), PRFS, groups))
            for ciphers in _OFFERED
        ]
    )


def build_esp_offer(spi: bytes) -> bytes:
    """Return the body of an SA payload for the child: no group, no extended sequence numbers."""
    return _join(
        [
            (ESP, spi, [*_transforms(ciphers, (12, 2) if ciphers[0][0] == AES_CBC else (), (), ()), _plain(5, 0)])
            for ciphers in _OFFERED
        ]
    )


def _transforms(
    ciphers: tuple[tuple[int, int], ...], integrities: tuple[int, ...], prfs: tuple[int, ...], groups: tuple[int, ...]
) -> list[bytes]:
    """Return the bytes behind each transform's own header: type, reserved, id, attributes."""
    sized = [struct.pack("!BBHHH", ENCRYPTION, 0, kind, 0x8000 | KEY_LENGTH, bits) for kind, bits in ciphers]
    return (
        sized
        + [_plain(INTEGRITY, number) for number in integrities]
        + [_plain(PRF, number) for number in prfs]
        + [_plain(GROUP, number) for number in groups]
    )


def _plain(kind: int, number: int) -> bytes:
    return struct.pack("!BBH", kind, 0, number)


def _join(proposals: list[tuple[int, bytes, list[bytes]]]) -> bytes:
    whole = b""
    for number, (protocol, spi, transforms) in enumerate(proposals, 1):
        inner = b"".join(
            struct.pack("!BBH", 0 if at == len(transforms) else 3, 0, 4 + len(body)) + body
            for at, body in enumerate(transforms, 1)
        )
        last = 0 if number == len(proposals) else 2
        head = struct.pack("!BBHBBBB", last, 0, 8 + len(spi) + len(inner), number, protocol, len(spi), len(transforms))
        whole += head + spi + inner
    return whole


def parse_choice(body: bytes) -> Chosen:
    """Read the one proposal of a responder.

    Raises:
        ProtocolError: it is not one proposal with at most one transform of each kind.
    """
    if len(body) < 8:
        raise ProtocolError(f"an SA payload is cut off: {body[:8].hex()}")
    last, _, length, _, _, spi_bytes, count = struct.unpack_from("!BBHBBBB", body)
    if last or length != len(body) or 8 + spi_bytes > length:
        raise ProtocolError(f"not one chosen proposal: {body[:16].hex()}")
    at = 8 + spi_bytes
    found: dict[int, int] = {}
    key_bits = 0
    for _ in range(count):
        if at + 8 > len(body):
            raise ProtocolError(f"a transform is cut off: {body[at : at + 8].hex()}")
        _, _, size, kind, _, number = struct.unpack_from("!BBHBBH", body, at)
        if size < 8 or at + size > len(body) or kind in found:
            raise ProtocolError(f"a transform does not fit: {body[at : at + 8].hex()}")
        found[kind] = number
        if size >= 12:
            attribute, value = struct.unpack_from("!HH", body, at + 8)
            if attribute == 0x8000 | KEY_LENGTH:
                key_bits = value
        at += size
    return Chosen(
        encryption=found.get(ENCRYPTION, 0),
        key_bits=key_bits,
        prf=found.get(PRF, 0),
        integrity=found.get(INTEGRITY, 0),
        group=found.get(GROUP, 0),
    )
