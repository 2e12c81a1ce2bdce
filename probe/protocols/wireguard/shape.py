"""How WireGuard's packets look on the wire: as they are, with WARP's reserved bytes, or as AmneziaWG disguises them.

Source: the WireGuard paper, section 5.4; docs.amnezia.org "AmneziaWG" for Jc, Jmin, Jmax, S1 to S4 and H1 to H4:
packets of junk go first, random bytes in front of each message, other type words, which the MACs cover. Less than
AmneziaWG: no signature packets (I1 to I5), which servers skip like junk, and no ranges of type words.
"""

from collections.abc import Callable, Mapping

import msgspec

from probe.protocols.wireguard.noise import COOKIE_BYTES, RESPONSE_BYTES, TAG_BYTES

INITIATION, RESPONSE, COOKIE, DATA = 1, 2, 3, 4
_SIZES = {RESPONSE: RESPONSE_BYTES, COOKIE: COOKIE_BYTES}
_MOST_JUNK = 128
_LONGEST_BYTES = 1280
_NUMBERS = ("jc", "jmin", "jmax", "s1", "s2", "s3", "s4", "h1", "h2", "h3", "h4")
PARAMS = frozenset((*_NUMBERS, "reserved"))


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Read from the params once."""

    junk: tuple[int, int, int] = (0, 0, 0)
    """How many packets of it, and from how many to how many bytes each."""
    paddings: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Random bytes in front of each kind of message."""
    words: tuple[int, int, int, int] = (INITIATION, RESPONSE, COOKIE, DATA)
    """What stands for each kind in its first four bytes."""
    reserved: bytes = bytes(3)

    def word(self, kind: int) -> bytes:
        """Return the first four bytes of a kind of message, as its MACs cover them."""
        return self.words[kind - 1].to_bytes(4, "little")

    def make_junk(self, entropy: Callable[[int], bytes]) -> list[bytes]:
        """Return the packets that go before an initiation."""
        count, low, high = self.junk
        sizes = (low + int.from_bytes(entropy(2), "big") % (high - low + 1) for _ in range(count))
        return [entropy(size) for size in sizes if size]

    def dress(self, kind: int, packet: bytes, entropy: Callable[[int], bytes]) -> bytes:
        """Return a message of ours as it goes out."""
        if any(self.reserved):
            packet = packet[:1] + self.reserved + packet[4:]
        padding = self.paddings[kind - 1]
        return entropy(padding) + packet if padding else packet

    def undress(self, datagram: bytes) -> tuple[int, bytes]:
        """Return the kind and the message in a datagram of the server; kind 0 = it is none."""
        for kind in (RESPONSE, COOKIE, DATA):
            packet = datagram[self.paddings[kind - 1] :]
            if any(self.reserved):
                packet = packet[:1] + bytes(3) + packet[4:]
            wanted = _SIZES.get(kind)
            right_size = len(packet) == wanted if wanted else len(packet) >= 16 + TAG_BYTES
            if right_size and packet[:4] == self.word(kind):
                return kind, packet
        return 0, datagram


def read_shape(params: Mapping[str, str]) -> Shape:
    """Read the params of AmneziaWG and WARP.

    Raises:
        ValueError: one of them cannot be meant; the message says which.
    """
    numbers = {name: _number(name, params.get(name, "")) for name in _NUMBERS}
    words = tuple(numbers[f"h{kind}"] or kind for kind in (INITIATION, RESPONSE, COOKIE, DATA))
    paddings = tuple(numbers[f"s{kind}"] for kind in (INITIATION, RESPONSE, COOKIE, DATA))
    low, high = numbers["jmin"], max(numbers["jmin"], numbers["jmax"])
    if len(set(words)) < 4:
        raise ValueError("two of H1 to H4 are the same")
    if numbers["jc"] > _MOST_JUNK or max(high, *paddings) > _LONGEST_BYTES:
        raise ValueError(f"Jc is at most {_MOST_JUNK}; Jmax and S1 to S4 are at most {_LONGEST_BYTES}")
    return Shape(
        junk=(numbers["jc"], low, high),
        paddings=(paddings[0], paddings[1], paddings[2], paddings[3]),
        words=(words[0], words[1], words[2], words[3]),
        reserved=_read_reserved(params.get("reserved", "")),
    )


def _number(name: str, text: str) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdecimal() or int(text) >= 1 << 32:
        raise ValueError(f"{name.capitalize()} is one number below 2^32 here")
    return int(text)


def _read_reserved(text: str) -> bytes:
    """Read `1,2,3`."""
    if not text:
        return bytes(3)
    parts = [part.strip() for part in text.strip("[]").split(",")]
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and int(part) < 256 for part in parts):
        raise ValueError("reserved is three numbers below 256, such as 1,2,3")
    return bytes(int(part) for part in parts)
