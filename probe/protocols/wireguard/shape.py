"""How WireGuard's packets look on the wire: as they are, with WARP's reserved bytes, or as AmneziaWG disguises them.

Source: the WireGuard paper, section 5.4; docs.amnezia.org "AmneziaWG" for I1 to I5, Jc, Jmin, Jmax, S1 to S4 and H1 to
H4: packets that look like another protocol's go first, then junk; random bytes stand in front of each message; the type
words are others, one or any of a range, and the MACs cover them. Servers skip what they do not know.
"""

import itertools
import re
from collections.abc import Callable, Mapping

import msgspec

from probe.protocols.wireguard.noise import COOKIE_BYTES, RESPONSE_BYTES, TAG_BYTES

INITIATION, RESPONSE, COOKIE, DATA = 1, 2, 3, 4
_SIZES = {RESPONSE: RESPONSE_BYTES, COOKIE: COOKIE_BYTES}
_MOST_JUNK = 128
_LONGEST_BYTES = 1280
_NUMBERS = ("jc", "jmin", "jmax", "s1", "s2", "s3", "s4")
_WORDS = ("h1", "h2", "h3", "h4")
PARAMS = frozenset((*_NUMBERS, *_WORDS, "reserved"))
DECOYS = ("i1", "i2", "i3", "i4", "i5")
"""Packets that go first, as recipes; long, and telling, so they are kept where keys are."""
_STEP = re.compile(r"<\s*(b|r|rc|rd|t|c)\s*(?:\s(0x)?([0-9a-fA-F]+))?\s*>")
_LETTERS = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Read from the params once."""

    junk: tuple[int, int, int] = (0, 0, 0)
    """How many packets of it, and from how many to how many bytes each."""
    paddings: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Random bytes in front of each kind of message."""
    words: tuple[tuple[int, int], ...] = ((1, 1), (2, 2), (3, 3), (4, 4))
    """What stands for each kind in its first four bytes: any number from the first to the second."""
    reserved: bytes = bytes(3)

    def word(self, kind: int, entropy: Callable[[int], bytes]) -> bytes:
        """Return the first four bytes of a kind of message, as its MACs cover them."""
        low, high = self.words[kind - 1]
        choice = int.from_bytes(entropy(4), "big") % (high - low + 1) if high > low else 0
        return (low + choice).to_bytes(4, "little")

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
            low, high = self.words[kind - 1]
            if right_size and low <= int.from_bytes(packet[:4], "little") <= high:
                return kind, packet
        return 0, datagram


def read_shape(params: Mapping[str, str]) -> Shape:
    """Read the params of AmneziaWG and WARP.

    Raises:
        ValueError: one of them cannot be meant; the message says which.
    """
    numbers = {name: _number(name, params.get(name, "")) for name in _NUMBERS}
    words = tuple(_range(name, params.get(name, ""), kind) for kind, name in enumerate(_WORDS, 1))
    paddings = tuple(numbers[f"s{kind}"] for kind in (INITIATION, RESPONSE, COOKIE, DATA))
    low, high = numbers["jmin"], max(numbers["jmin"], numbers["jmax"])
    ordered = sorted(words)
    if any(one[1] >= after[0] for one, after in itertools.pairwise(ordered)):
        raise ValueError("two of H1 to H4 have a number in common")
    if numbers["jc"] > _MOST_JUNK or max(high, *paddings) > _LONGEST_BYTES:
        raise ValueError(f"Jc is at most {_MOST_JUNK}; Jmax and S1 to S4 are at most {_LONGEST_BYTES}")
    return Shape(
        junk=(numbers["jc"], low, high),
        paddings=(paddings[0], paddings[1], paddings[2], paddings[3]),
        words=words,
        reserved=_read_reserved(params.get("reserved", "")),
    )


def _range(name: str, text: str, usual: int) -> tuple[int, int]:
    """Read `5` or `5-20`."""
    first, dash, last = text.partition("-")
    low = _number(name, first.strip()) or usual
    high = _number(name, last.strip()) if dash else low
    if high < low:
        raise ValueError(f"{name.capitalize()} is a range from the higher to the lower")
    return low, high


def make_decoy(recipe: str, entropy: Callable[[int], bytes], wall_s: float) -> bytes:
    """Return the packet of a recipe such as `<b 0xc0ff><r 12><t>`.

    Raises:
        ValueError: it is none; it is not quoted.
    """
    packet, at = b"", 0
    for step in _STEP.finditer(recipe):
        if recipe[at : step.start()].strip():
            break
        at = step.end()
        kind, size = step[1], int(step[3]) if (step[3] or "").isdecimal() and not step[2] else 0
        if size > _LONGEST_BYTES:
            break
        match kind:
            case "b":
                packet += bytes.fromhex(step[3] or "")
            case "r":
                packet += entropy(size)
            case "rc":
                packet += bytes(_LETTERS[one % len(_LETTERS)] for one in entropy(size))
            case "rd":
                packet += bytes(48 + one % 10 for one in entropy(size))
            case "t":
                packet += (int(wall_s) & 0xFFFFFFFF).to_bytes(4, "big")
            case _:
                packet += bytes(4)
    if recipe[at:].strip() or not packet or len(packet) > 1 << 11:
        raise ValueError("one of I1 to I5 is no recipe of a packet")
    return packet


def _number(name: str, text: str) -> int:
    if not text:
        return 0
    if not text.isascii() or not text.isdecimal() or int(text) >= 1 << 32:
        raise ValueError(f"{name.capitalize()} is no number below 2^32")
    return int(text)


def _read_reserved(text: str) -> bytes:
    """Read `1,2,3`."""
    if not text:
        return bytes(3)
    parts = [part.strip() for part in text.strip("[]").split(",")]
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and int(part) < 256 for part in parts):
        raise ValueError("reserved is three numbers below 256, such as 1,2,3")
    return bytes(int(part) for part in parts)
