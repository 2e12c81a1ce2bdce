"""OpenVPN's keys as files have them. Source: openvpn-manual, `--tls-auth`, `--tls-crypt`, `--tls-crypt-v2`.

Errors never quote a key.
"""

import base64
import binascii
import re

import msgspec

STATIC_BYTES = 256
_SLOT_BYTES = 64
_STATIC = re.compile(r"-----BEGIN OpenVPN Static key V1-----(.*?)-----END OpenVPN Static key V1-----", re.DOTALL)
_V2_CLIENT = re.compile(
    r"-----BEGIN OpenVPN tls-crypt-v2 client key-----(.*?)-----END OpenVPN tls-crypt-v2 client key-----", re.DOTALL
)


class StaticKey(msgspec.Struct, frozen=True, kw_only=True):
    """Four slots of 64 bytes: cipher and HMAC of direction 0, cipher and HMAC of direction 1."""

    material: bytes

    def cipher(self, index: int) -> bytes:
        """Return the cipher slot of a direction."""
        return self.material[2 * index * _SLOT_BYTES :][:_SLOT_BYTES]

    def hmac(self, index: int) -> bytes:
        """Return the HMAC slot of a direction."""
        return self.material[(2 * index + 1) * _SLOT_BYTES :][:_SLOT_BYTES]

    def __repr__(self) -> str:
        return "StaticKey(…)"


class ClientKey(msgspec.Struct, frozen=True, kw_only=True):
    """A tls-crypt-v2 client key: our own key, and the same wrapped for the server."""

    key: StaticKey
    wrapped: bytes

    def __repr__(self) -> str:
        return "ClientKey(…)"


def parse_static_key(text: str) -> StaticKey:
    """Read a static key.

    Raises:
        ValueError: it is none.
    """
    found = _STATIC.search(text)
    digits = "".join(found[1].split()) if found is not None else ""
    try:
        material = bytes.fromhex(digits)
    except ValueError:
        raise ValueError("the static key holds something that is not hexadecimal") from None
    if len(material) != STATIC_BYTES:
        raise ValueError("there is no OpenVPN static key of 2048 bits")
    return StaticKey(material=material)


def parse_client_key(text: str) -> ClientKey:
    """Read a tls-crypt-v2 client key.

    Raises:
        ValueError: it is none.
    """
    found = _V2_CLIENT.search(text)
    if found is None:
        raise ValueError("there is no tls-crypt-v2 client key")
    try:
        data = base64.b64decode("".join(found[1].split()), validate=True)
    except binascii.Error:
        raise ValueError("the tls-crypt-v2 client key is not base64") from None
    if len(data) < STATIC_BYTES + 34:
        raise ValueError("the tls-crypt-v2 client key is too short")
    return ClientKey(key=StaticKey(material=data[:STATIC_BYTES]), wrapped=data[STATIC_BYTES:])
