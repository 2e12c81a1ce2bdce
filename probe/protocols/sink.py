"""Bytes for a control's echo port, to see whether they arrive: such as look fully encrypted, and the same but exempt.

Source: Wu et al., "How the Great Firewall of China Detects and Blocks Fully Encrypted Traffic" (USENIX Security 2023),
algorithm 1: a connection's first payload is let go if its bits are few or many (3.4 or 4.6 a byte), if its first six
bytes, or more than half, or more than twenty in a row are printable, or if it begins as HTTP or TLS do.
Not among the protocols that a target may have: only one's own control is ever sent such bytes.
"""

from collections.abc import Callable

import msgspec

from probe.model.depth import Depth
from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Reached, Send, Tcp
from probe.protocols.incoming import Incoming

OPAQUE, LETTERS, FEW_BITS = "opaque", "letters", "few bits"
PAYLOAD_BYTES = 200
ANSWER = b"swallowed\r\n"
"""What an echo port says to what is neither TLS nor HTTP, once so many bytes have come."""
ENOUGH_BYTES = 150
_WAIT_S = 10.0
_LETTERS = 6
_RUN = 20
_PRINTABLE = range(0x20, 0x7F)
_METHODS = (b"GET ", b"PUT ", b"POST ", b"HEAD ")
_TRIES = 64


class Swallowed(msgspec.Struct, frozen=True, kw_only=True):
    """That the bytes arrived."""

    bytes: str


def looks_encrypted(data: bytes) -> bool:
    """Tell whether none of the exemptions holds."""
    if not data or data.startswith(_METHODS) or data[:2] == b"\x16\x03":
        return False
    printable = [byte in _PRINTABLE for byte in data]
    run = longest = 0
    for one in printable:
        run = run + 1 if one else 0
        longest = max(longest, run)
    bits = sum(byte.bit_count() for byte in data) / len(data)
    plain = all(printable[:_LETTERS]) or sum(printable) * 2 > len(data) or longest > _RUN
    return 3.4 < bits < 4.6 and not plain


def draw(kind: str, entropy: Callable[[int], bytes]) -> bytes:
    """Return bytes of a kind: opaque ones, or the same with what the filter lets go.

    Raises:
        ValueError: there is no such kind; our own mistake.
    """
    data = next((d for d in (entropy(PAYLOAD_BYTES) for _ in range(_TRIES)) if looks_encrypted(d)), b"")
    match kind:
        case "opaque":
            return data
        case "letters":
            return bytes(0x61 + byte % 26 for byte in data[:_LETTERS]) + data[_LETTERS:]
        case "few bits":
            # Both ANDed, one bit in four is set. A first byte above those of TLS records, so that nobody takes it for
            # one.
            thinned = bytes(a & b for a, b in zip(data, entropy(PAYLOAD_BYTES), strict=True))
            return b"\x81" + thinned[1:]
    raise ValueError(f"no bytes are called {kind!r}")


def start(ask: Ask) -> Dialogue:
    """Send the bytes and wait until the sink says that it has them.

    Raises:
        ProtocolError: somebody else answers.
    """
    kind = ask.params.get("bytes", OPAQUE)
    yield Send(draw(kind, ask.entropy))
    answer = yield from Incoming(_WAIT_S).take(len(ANSWER))
    if answer is None:
        return None
    if answer != ANSWER:
        raise ProtocolError(f"not what a sink says: {answer.hex()}")
    yield Reached(Depth.HELLO)
    return Swallowed(bytes=kind)


SPEC = DialogueSpec(
    name="sink",
    question="Do bytes that look fully encrypted arrive?",
    schemes=(),
    default_port=0,
    stack=(Tcp(),),
    start=start,
    proves=Depth.HELLO,
    open_proves=Depth.HELLO,
)
