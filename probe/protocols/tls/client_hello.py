"""ClientHellos of many shapes as bytes: what a filter looks at besides the name.

Source: RFC 8446 sections 4.1.2, 4.2 and 5.1; RFC 6066 section 3 (server name), RFC 8701 (GREASE), RFC 7685 (padding);
FIPS 203 section 7.2 and draft-ietf-tls-ecdhe-mlkem (group 4588, share of 1,216 bytes); RFC 9849 sections 4, 5 and 6.2
(ECH and its GREASE); draft-ietf-tls-esni-02 section 4.1 (0xffce). Extensions and their order are those that a browser
of 2025 sends, so that the server answers as it would a browser.

Less than these: nothing can be completed from such a hello. Key shares are valid and nobody has their keys; the
payload of an ECH extension is random, which nobody but its server can tell from a real one. That server then answers
the outer hello, as draft and RFC ask it to.
"""

import struct
from collections.abc import Callable

import msgspec

from probe.model.experiment import EchConfig, HelloShape

GREASE_ECH, ESNI = 0xFE0D, 0xFFCE
_MLKEM_MODULUS = 3329
_MLKEM_COEFFICIENTS = 768
_X25519_MLKEM768, _X25519, _P256, _P384 = 4588, 29, 23, 24
_PADDING = 21
_SMALL_BYTES = 512
"""Browsers without large shares pad to this, since some servers hang on 256 to 511 bytes (RFC 7685)."""
_CIPHERS = (
    *(0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8),
    *(0xC013, 0xC014, 0x009C, 0x009D, 0x002F, 0x0035),
)
_SIGNATURES = (0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601)
_ECH_PAYLOAD_BYTES = 240

Entropy = Callable[[int], bytes]


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """A hello ready to be sent."""

    segments: tuple[bytes, ...]
    """What goes in one write each; two where the shape wants two TCP segments of its own."""
    server_name: str
    """The name in the clear; empty = none."""
    alpn: tuple[str, ...]

    @property
    def size(self) -> int:
        """Return how many bytes it has on the wire."""
        return sum(map(len, self.segments))


def build_hello(shape: HelloShape, server_name: str, entropy: Entropy, *, ech: EchConfig | None = None) -> Hello:
    """Return a hello of this shape; an address literal must not be given as a name (RFC 6066 section 3).

    Raises:
        ValueError: the stock shape is our TLS library's to make; or ECH without a configuration.
    """
    if shape is HelloShape.STOCK or (shape is HelloShape.ECH) is (ech is None):
        raise ValueError(f"{shape.value} is not built by hand, or not with this")
    name = "" if shape in (HelloShape.NO_NAME, HelloShape.ESNI) else ech.public_name if ech else server_name
    is_large = shape in (HelloShape.BROWSER, HelloShape.NO_ECH, HelloShape.ECH)
    grease = tuple((byte & 0xF0 | 0x0A) * 0x0101 for byte in entropy(6))
    middle = _list_extensions(name, entropy, grease, is_large=is_large)
    if shape in (HelloShape.BROWSER, HelloShape.ECH):
        middle.append(_extension(GREASE_ECH, _ech(entropy, ech)))
    elif shape is HelloShape.NO_ECH:
        middle.append(_extension(_PADDING, bytes(len(_ech(entropy, None)))))
    elif shape is HelloShape.ESNI:
        middle.append(_extension(ESNI, _esni(entropy)))
    message = _message(entropy, grease, middle)
    if not is_large and len(message) < _SMALL_BYTES:
        room = max(0, _SMALL_BYTES - len(message) - 4)
        message = _message(entropy, grease, [*middle, _extension(_PADDING, bytes(room))])
    alpn = ("h2", "http/1.1")
    cut = _middle_of(message, name)
    if shape is HelloShape.RECORDS:
        return Hello(segments=(_record(message[:cut]) + _record(message[cut:]),), server_name=name, alpn=alpn)
    whole = _record(message)
    if shape is HelloShape.SEGMENTS:
        return Hello(segments=(whole[: 5 + cut], whole[5 + cut :]), server_name=name, alpn=alpn)
    return Hello(segments=(whole,), server_name=name, alpn=alpn)


def _middle_of(message: bytes, name: str) -> int:
    """Return where to cut: inside the name, or in the middle where there is none."""
    at = message.find(name.encode("ascii", "replace")) if name else -1
    return at + len(name) // 2 if at >= 0 else len(message) // 2


def _message(entropy: Entropy, grease: tuple[int, ...], middle: list[bytes]) -> bytes:
    ciphers = struct.pack(f"!{1 + len(_CIPHERS)}H", grease[0], *_CIPHERS)
    extensions = _extension(grease[1], b"") + b"".join(middle) + _extension(_other_grease(grease), b"\0")
    body = b"\x03\x03" + entropy(32) + b"\x20" + entropy(32) + build_vector(2, ciphers) + b"\x01\x00"
    body += build_vector(2, extensions)
    return b"\x01" + len(body).to_bytes(3, "big") + body


def _other_grease(grease: tuple[int, ...]) -> int:
    """Return a type for the last extension that is not the first one's: twice the same is an error."""
    return grease[5] if grease[5] != grease[1] else grease[5] ^ 0x1010


def _list_extensions(name: str, entropy: Entropy, grease: tuple[int, ...], *, is_large: bool) -> list[bytes]:
    groups = (grease[2], *((_X25519_MLKEM768,) if is_large else ()), _X25519, _P256, _P384)
    shares = struct.pack("!HHB", grease[2], 1, 0)
    if is_large:
        shares += struct.pack("!HH", _X25519_MLKEM768, 1216) + _mlkem_key(entropy) + entropy(32)
    shares += struct.pack("!HH", _X25519, 32) + entropy(32)
    versions = struct.pack("!3H", grease[3], 0x0304, 0x0303)
    return [
        *([_extension(0, build_vector(2, b"\0" + build_vector(2, name.encode("ascii", "replace"))))] if name else []),
        _extension(23, b""),  # extended_master_secret
        _extension(0xFF01, b"\0"),  # renegotiation_info
        _extension(10, build_vector(2, struct.pack(f"!{len(groups)}H", *groups))),
        _extension(11, b"\x01\x00"),  # ec_point_formats
        _extension(35, b""),  # session_ticket
        _extension(16, build_vector(2, b"\x02h2\x08http/1.1")),
        _extension(5, b"\x01\0\0\0\0"),  # status_request
        _extension(13, build_vector(2, struct.pack(f"!{len(_SIGNATURES)}H", *_SIGNATURES))),
        _extension(18, b""),  # signed_certificate_timestamp
        _extension(51, build_vector(2, shares)),
        _extension(45, b"\x01\x01"),  # psk_key_exchange_modes
        _extension(43, build_vector(1, versions)),
        _extension(27, b"\x02\x00\x02"),  # compress_certificate: brotli
    ]


def _mlkem_key(entropy: Entropy) -> bytes:
    """Return an encapsulation key that passes FIPS 203's check: coefficients below the modulus, 12 bits each."""
    random = entropy(2 * _MLKEM_COEFFICIENTS)
    pairs = struct.unpack(f"<{_MLKEM_COEFFICIENTS}H", random)
    packed = bytearray()
    for low, high in zip(pairs[::2], pairs[1::2], strict=True):
        packed += (low % _MLKEM_MODULUS | high % _MLKEM_MODULUS << 12).to_bytes(3, "little")
    return bytes(packed) + entropy(32)


def _ech(entropy: Entropy, config: EchConfig | None) -> bytes:
    """Return the outer extension: of a configuration, or such as a browser sends where it knows none."""
    kdf, aead = (config.kdf, config.aead) if config is not None else (1, 1)
    number = config.config_id if config is not None else entropy(1)[0]
    head = struct.pack("!BHHB", 0, kdf, aead, number)
    return head + build_vector(2, entropy(32)) + build_vector(2, entropy(_ECH_PAYLOAD_BYTES))


def _esni(entropy: Entropy) -> bytes:
    share = struct.pack("!HH", _X25519, 32) + entropy(32)
    return struct.pack("!H", 0x1301) + share + build_vector(2, entropy(32)) + build_vector(2, entropy(292))


def _record(fragment: bytes) -> bytes:
    return b"\x16\x03\x01" + build_vector(2, fragment)


def _extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!H", kind) + build_vector(2, data)


def build_vector(length_bytes: int, data: bytes) -> bytes:
    """Return a variable-length vector with its length before it (RFC 8446 section 3.4)."""
    return len(data).to_bytes(length_bytes, "big") + data
