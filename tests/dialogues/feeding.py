"""Feeds a dialogue the same reply in every way a network may cut it, and nonsense."""

from collections.abc import Callable, Iterator

from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Dialogue, Refused
from tests.dialogues import Played, play

Opening = Callable[[], Dialogue]
FLOOD = bytes(range(256)) * 256
"""64 KB that mean nothing."""


def cuts(reply: bytes) -> Iterator[list[bytes]]:
    """Return the reply whole, byte by byte, and in two at every place."""
    yield [reply]
    yield [bytes((byte,)) for byte in reply]
    for at in range(1, len(reply)):
        yield [reply[:at], reply[at:]]


def truncations(reply: bytes) -> Iterator[list[bytes]]:
    """Return the reply ended early at every place."""
    for at in range(len(reply)):
        yield [reply[:at], b""] if at else [b""]


def outcome(dialogue: Dialogue, answers: list[bytes]) -> Played | str:
    """Return what a dialogue makes of these answers, each one chunk; the error's kind where it ends with one."""
    try:
        return play(dialogue, answers)
    except ProtocolError:
        return "nonsense"
    except Refused:
        return "refused"
