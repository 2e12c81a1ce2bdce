"""ECH configurations as a zone publishes them: what a client needs to hide a name behind another.

Source: RFC 9849 section 4 (ECHConfigList), RFC 9848 section 3 (SvcParam `ech` of HTTPS records), RFC 9460 appendix A
(presentation). Configurations of other versions, for other KEMs than X25519, or with an extension that must be
understood are passed over, as section 4.2 asks.
"""

import base64
import binascii
import re
import struct

from probe.model.errors import ProtocolError
from probe.model.experiment import EchConfig
from probe.protocols.tls.client_hello import GREASE_ECH, build_vector

X25519_SHA256 = 0x0020
_MANDATORY = 0x8000
_PARAM = re.compile(r'(?:^|\s)ech="?([A-Za-z0-9+/=]+)"?(?=\s|$)', re.ASCII).search
_HOST_NAME = re.compile(
    r"(?!.{254})(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z][A-Za-z0-9-]*", re.ASCII
).fullmatch


def find_config(records: tuple[str, ...]) -> EchConfig | None:
    """Return the first configuration that HTTPS records in presentation form give; `None` = none that we can use."""
    for record in records:
        given = _PARAM(record)
        if given is None:
            continue
        try:
            configs = parse_config_list(base64.b64decode(given[1], validate=True))
        except (binascii.Error, ProtocolError):
            continue
        if configs:
            return configs[0]
    return None


def parse_config_list(data: bytes) -> tuple[EchConfig, ...]:
    """Read an ECHConfigList; those that we cannot use are left out.

    Raises:
        ProtocolError: the bytes are no such list.
    """
    body = _Reader(data)
    entries = _Reader(body.vector(2))
    body.end()
    found = []
    while entries.left:
        version = entries.number(2)
        content = entries.vector(2)
        if version == GREASE_ECH:
            config = _parse_content(_Reader(content))
            if config is not None:
                found.append(config)
    return tuple(found)


def build_config_list(public_name: str, config_id: int, public_key: bytes) -> bytes:
    """Return a list of one configuration, for HKDF-SHA256 and AES-128-GCM."""
    key = (
        struct.pack("!BH", config_id, X25519_SHA256)
        + build_vector(2, public_key)
        + build_vector(2, struct.pack("!HH", 1, 1))
    )
    content = key + b"\0" + build_vector(1, public_name.encode("ascii")) + build_vector(2, b"")
    return build_vector(2, struct.pack("!H", GREASE_ECH) + build_vector(2, content))


def _parse_content(content: "_Reader") -> EchConfig | None:
    config_id, kem = content.number(1), content.number(2)
    content.vector(2)  # the public key: nobody opens what we send
    suites = content.vector(2)
    content.number(1)  # maximum_name_length
    name = content.vector(1)
    extensions = _Reader(content.vector(2))
    content.end()
    unknown = False
    while extensions.left:
        unknown = bool(extensions.number(2) & _MANDATORY) or unknown
        extensions.vector(2)
    if kem != X25519_SHA256 or unknown or len(suites) < 4:
        return None
    public_name = name.decode("ascii", "replace")
    if _HOST_NAME(public_name) is None:
        return None
    kdf, aead = struct.unpack_from("!HH", suites)
    return EchConfig(public_name=public_name, config_id=config_id, kdf=kdf, aead=aead)


class _Reader:
    """Takes values from the front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def number(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def vector(self, length_bytes: int) -> bytes:
        return self._take(self.number(length_bytes))

    def end(self) -> None:
        if self.left:
            raise ProtocolError(f"{self.left} bytes after an ECH configuration: {self._data[self._at :][:8].hex()}")

    def _take(self, size: int) -> bytes:
        if self.left < size:
            raise ProtocolError(f"an ECH configuration is cut short: {self._data[:8].hex()}")
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken
