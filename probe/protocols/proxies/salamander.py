"""Salamander: datagrams that look like noise. Source: the Hysteria 2 protocol, "Salamander" obfuscation.

Eight bytes of salt, then the datagram, XOR BLAKE2b-256 of the password and the salt, over and over.
"""

import hashlib
from collections.abc import Callable

from probe.model.errors import ProtocolError

SALT_BYTES = 8


class Salamander:
    """Hides what goes out, uncovers what comes."""

    def __init__(self, password: bytes, entropy: Callable[[int], bytes]) -> None:
        self._password = password
        self._entropy = entropy

    def hide(self, datagram: bytes) -> bytes:
        """Return it under a fresh salt."""
        salt = self._entropy(SALT_BYTES)
        return salt + self._mix(salt, datagram)

    def uncover(self, datagram: bytes) -> bytes:
        """Return what it hides; under another password that is noise.

        Raises:
            ProtocolError: it is too short to hide anything.
        """
        if len(datagram) <= SALT_BYTES:
            raise ProtocolError(f"too short for Salamander: {datagram.hex()}")
        return self._mix(datagram[:SALT_BYTES], datagram[SALT_BYTES:])

    def _mix(self, salt: bytes, data: bytes) -> bytes:
        block = hashlib.blake2b(self._password + salt, digest_size=32).digest()
        size = len(data)
        stream = (block * (size // len(block) + 1))[:size]
        return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(size, "big")
