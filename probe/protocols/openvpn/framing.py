"""What a compression setting puts around each packet of OpenVPN's data channel. Nothing is compressed here.

Source: openvpn-manual, `--compress`, `--comp-lzo`, `--allow-compression`; OpenVPN's comp.h for the bytes. Both ends
must frame alike, and either may leave any packet as it is: so 2.6 does unless told otherwise, and so do we.
"""

from enum import StrEnum

_PLAIN, _PLAIN_SWAPPED = 0xFA, 0xFB
_V2_MARK, _V2_PLAIN = 0x50, 0x00


FRAGMENT_BYTES = 4
"""Of the head that `--fragment` puts before all else; of a packet that is whole it is zero (OpenVPN's fragment.h)."""
LEAST_FRAGMENT = 1300
"""So large at least a packet must be let through whole; pieces are not put together here."""


FRAGMENT_BYTES = 4
"""Of the head that `--fragment` puts before all else; of a packet that is whole it is zero (OpenVPN's fragment.h)."""
LEAST_FRAGMENT = 1300
"""So large at least a packet must be let through whole; pieces are not put together here."""


class Framing(StrEnum):
    """How packets are marked that are not compressed."""

    NONE = ""
    HEAD = "head"
    """A byte goes before them."""
    SWAP = "swap"
    """A byte takes the place of their first, which goes to their end."""
    V2 = "v2"
    """They stay as they are, unless they begin like a mark."""

    def wrap(self, payload: bytes) -> bytes:
        """Return the payload marked as not compressed."""
        match self:
            case Framing.HEAD:
                return bytes((_PLAIN,)) + payload
            case Framing.SWAP:
                return bytes((_PLAIN_SWAPPED,)) + payload[1:] + payload[:1]
            case Framing.V2 if payload[:1] == bytes((_V2_MARK,)):
                return bytes((_V2_MARK, _V2_PLAIN)) + payload
            case _:
                return payload

    def unwrap(self, data: bytes) -> bytes | None:
        """Return what was marked so; `None` = the server compressed it, which is not undone here."""
        first = data[0] if data else -1
        match self:
            case Framing.HEAD | Framing.SWAP if first == _PLAIN:
                return data[1:]
            case Framing.HEAD | Framing.SWAP if first == _PLAIN_SWAPPED:
                return data[-1:] + data[1:-1]
            case Framing.HEAD | Framing.SWAP:
                return None
            case Framing.V2 if first == _V2_MARK:
                return data[2:] if data[1:2] == bytes((_V2_PLAIN,)) else None
            case _:
                return data


_COMPRESS = {
    "": Framing.SWAP, "stub": Framing.SWAP, "lz4": Framing.SWAP, "lzo": Framing.HEAD,
    "stub-v2": Framing.V2, "lz4-v2": Framing.V2, "migrate": Framing.NONE,
}  # fmt: skip


def choose_framing(option: str, value: str) -> Framing | None:
    """Return the framing of `comp-lzo VALUE` or `compress VALUE`; `None` = that algorithm is not known here."""
    return Framing.HEAD if option == "comp-lzo" else _COMPRESS.get(value)
