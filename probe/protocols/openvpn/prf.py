"""The keys of OpenVPN's data channel, by the TLS 1.0 PRF.

Source: RFC 2246 section 5 (the PRF, of MD5 and SHA-1, with which key method 2 expands its secrets).
"""

import hashlib
import hmac

from probe.protocols.openvpn.keys import STATIC_BYTES, StaticKey
from probe.protocols.openvpn.login import Material


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
