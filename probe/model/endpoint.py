"""Where a packet goes: an address literal and a port."""

import functools
import ipaddress
from enum import IntEnum

import msgspec


class AddressFamily(IntEnum):
    """The two families, by their everyday numbers."""

    V4 = 4
    V6 = 6


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """An address literal and a port; never a name."""

    address: str
    port: int

    @property
    def family(self) -> AddressFamily:
        """Return the family that the literal is written in."""
        return AddressFamily.V6 if ":" in self.address else AddressFamily.V4

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


@functools.lru_cache(maxsize=65536)  # asked of the same few hosts by every rule about answers
def is_literal(host: str) -> bool:
    """Tell whether a host is an address already."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
