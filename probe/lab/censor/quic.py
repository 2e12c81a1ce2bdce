"""The ClientHello inside QUIC Initial packets, opened with keys that anybody on the way can derive.

Source: RFC 9000 sections 16 (integers), 17.2 (long headers) and 19 (frames); RFC 9001 sections 5.2 (Initial keys),
5.3 and 5.4 (protection); RFC 9369 section 3 (version 2). As a middlebox does, it looks away from what it cannot read.
"""

import functools
import hmac
from collections.abc import Iterator, Mapping

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

PING, ACK, ACK_ECN, CRYPTO, CLOSE = 0x01, 0x02, 0x03, 0x06, 0x1C
ID_LIMIT_BYTES = 20
SAMPLE_BYTES = 16


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    salt: bytes
    label: bytes
    initial_type: int


VERSIONS = {
    1: _Version(salt=bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"), label=b"quic ", initial_type=0),
    0x6B3343CF: _Version(
        salt=bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"), label=b"quicv2 ", initial_type=1
    ),
}


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """What opens a client's Initial packets."""

    key: bytes
    iv: bytes
    header: bytes


class Initial(msgspec.Struct, frozen=True, kw_only=True):
    """One opened Initial packet."""

    destination_id: bytes
    fragments: dict[int, bytes]
    """Parts of the handshake's stream by their offset, in the order they were sent."""


@functools.lru_cache(maxsize=64)
def derive_keys(version: int, destination_id: bytes) -> Keys:
    """Return the client's Initial keys for the id that it chose for the server first."""
    constants = VERSIONS[version]
    secret = _expand(hmac.digest(constants.salt, destination_id, "sha256"), b"client in", 32)
    return Keys(
        key=_expand(secret, constants.label + b"key", 16),
        iv=_expand(secret, constants.label + b"iv", 12),
        header=_expand(secret, constants.label + b"hp", 16),
    )


def read_initials(datagram: bytes, first_id: bytes | None = None) -> Iterator[Initial]:
    """Open the client's Initial packets of a datagram, coalesced ones too; `first_id` also gives keys, if known.

    Later Initials of a connection name an id that the server chose, and keep the keys of the first.
    """
    at = 0
    while at + 7 < len(datagram) and datagram[at] & 0xC0 == 0xC0:
        try:
            found, end = _read_packet(datagram, at, first_id)
        except IndexError:
            return
        if found is not None:
            yield found
        at = end


def join_fragments(fragments: Mapping[int, bytes]) -> bytes:
    """Return the stream from its start up to the first hole."""
    joined = b""
    for offset in sorted(fragments):
        if offset > len(joined):
            break
        joined += fragments[offset][len(joined) - offset :]
    return joined


def _read_packet(datagram: bytes, start: int, first_id: bytes | None) -> tuple[Initial | None, int]:
    """Return one packet, if it is an Initial that can be opened, and where the next begins.

    Raises:
        IndexError: the packet ends too soon, or its version is unknown.
    """
    number = int.from_bytes(datagram[start + 1 : start + 5], "big")
    version = VERSIONS.get(number)
    if version is None:
        raise IndexError("nothing is known of this version's packets")
    at = start + 5
    own_id, at = _take(datagram, at + 1, datagram[at])
    _source_id, at = _take(datagram, at + 1, datagram[at])
    is_initial = (datagram[start] >> 4) & 3 == version.initial_type
    if len(own_id) > ID_LIMIT_BYTES:
        raise IndexError("a longer id than the version allows")
    if is_initial:
        token_bytes, at = read_integer(datagram, at)
        _token, at = _take(datagram, at, token_bytes)
    length, at = read_integer(datagram, at)
    end = at + length
    if end > len(datagram) or length < 4 + SAMPLE_BYTES:
        raise IndexError("longer than its datagram, or too short to be protected")
    if not is_initial:
        return None, end
    ids = (own_id,) if first_id in (None, own_id) else (first_id or b"", own_id)
    for candidate in ids:
        plain = _unprotect(datagram[start:end], at - start, derive_keys(number, candidate))
        if plain is not None:
            return Initial(destination_id=own_id, fragments=_read_frames(plain)), end
    return None, end


def _unprotect(packet: bytes, number_at: int, keys: Keys) -> bytes | None:
    """Return the payload; `None` = these are not its keys."""
    sample = packet[number_at + 4 : number_at + 4 + SAMPLE_BYTES]
    # One block of ECB is what the RFC prescribes here (section 5.4.3), not a choice of mode.
    encryptor = Cipher(algorithms.AES(keys.header), modes.ECB()).encryptor()
    mask = encryptor.update(sample)
    first = packet[0] ^ (mask[0] & 0x0F)
    size = (first & 3) + 1
    number = bytes(a ^ b for a, b in zip(packet[number_at : number_at + size], mask[1:], strict=False))
    head = bytes((first,)) + packet[1:number_at] + number
    nonce = int.from_bytes(keys.iv, "big") ^ int.from_bytes(number, "big")
    try:
        return AESGCM(keys.key).decrypt(nonce.to_bytes(12, "big"), packet[number_at + size :], head)
    except InvalidTag:
        return None


def _read_frames(plain: bytes) -> dict[int, bytes]:
    """Return the CRYPTO frames; reading ends at a frame that Initials do not have."""
    fragments: dict[int, bytes] = {}
    at = 0
    try:
        while at < len(plain):
            kind = plain[at]
            at += 1
            if kind == CRYPTO:
                offset, at = read_integer(plain, at)
                size, at = read_integer(plain, at)
                fragments[offset], at = _take(plain, at, size)
            elif kind in (ACK, ACK_ECN):
                at = _skip_ack(plain, at, with_ecn=kind == ACK_ECN)
            elif kind > PING:
                break
    except IndexError:
        pass  # a frame that is cut short: what came before it was read
    return fragments


def _skip_ack(plain: bytes, at: int, *, with_ecn: bool) -> int:
    _largest, at = read_integer(plain, at)
    _delay, at = read_integer(plain, at)
    ranges, at = read_integer(plain, at)
    for _ in range(1 + 2 * ranges + 3 * with_ecn):
        _number, at = read_integer(plain, at)
    return at


def read_integer(data: bytes, at: int) -> tuple[int, int]:
    """Return a variable-length integer and where the next field begins.

    Raises:
        IndexError: the data ends in it.
    """
    raw, end = _take(data, at, 1 << (data[at] >> 6))
    return int.from_bytes(raw, "big") & ((1 << (8 * len(raw) - 2)) - 1), end


def _take(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if at + size > len(data):
        raise IndexError("the data ends too soon")
    return data[at : at + size], at + size


def _expand(secret: bytes, label: bytes, size: int) -> bytes:
    """Return HKDF-Expand-Label with an empty context (RFC 8446 section 7.1), for at most one block of output."""
    full = b"tls13 " + label
    return hmac.digest(secret, size.to_bytes(2, "big") + bytes((len(full),)) + full + b"\0\x01", "sha256")[:size]
