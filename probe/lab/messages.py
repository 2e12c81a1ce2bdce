"""What the lab's processes tell each other: one JSON object in each packet of a socket pair."""

import socket

import msgspec

from probe.lab.censor.rules import RuleSet
from probe.lab.line import Line
from probe.lab.world.plan import World

LIMIT_BYTES = 1 << 20
LIMIT_DESCRIPTORS = 8
"""As many come with one message at most."""


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag="ready"):
    """The process has done what it was asked, or has started."""

    detail: str = ""


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """It cannot be done here."""

    what: str
    remedy: str


class Forward(msgspec.Struct, frozen=True, kw_only=True, tag="forward"):
    """To the forwarder: be this line with this censor, from now on."""

    rules: RuleSet = RuleSet()
    line: Line = Line()
    empty_addresses: tuple[str, ...] = ()
    seed: int = 0
    keeps_packets: bool = False
    """Packets under way still arrive: the world stays the same."""


class Count(msgspec.Struct, frozen=True, kw_only=True, tag="count"):
    """To the forwarder: say what you have done."""


class Counted(msgspec.Struct, frozen=True, kw_only=True, tag="counted"):
    """From the forwarder."""

    packets: int
    dropped: int
    injected: int
    strikes: dict[str, int] = {}


class Serve(msgspec.Struct, frozen=True, kw_only=True, tag="serve"):
    """To the world: be this one from now on."""

    world: World


class Spawn(msgspec.Struct, frozen=True, kw_only=True, tag="spawn"):
    """To the keeper: run a program in the client; its three descriptors, and sockets it inherits, come along."""

    id: int
    argv: tuple[str, ...]
    environment: dict[str, str]
    folder: str
    in_world: bool = False
    """Run it on the other side instead: a real server at one of the world's addresses."""


class Kill(msgspec.Struct, frozen=True, kw_only=True, tag="kill"):
    """To the keeper: send a signal to a program."""

    id: int
    signal: int


class Write(msgspec.Struct, frozen=True, kw_only=True, tag="write"):
    """To the keeper: put a file into the client's private folder."""

    name: str
    content: bytes


class Exited(msgspec.Struct, frozen=True, kw_only=True, tag="exited"):
    """From the keeper: a program has ended; negative = by that signal."""

    id: int
    code: int


class Died(msgspec.Struct, frozen=True, kw_only=True, tag="died"):
    """From the keeper: a part of the lab has ended, which it never should."""

    part: str


Message = Ready | Refused | Forward | Count | Counted | Serve | Spawn | Kill | Write | Exited | Died
_DECODER: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def send(pipe: socket.socket, message: Message) -> None:
    """Send one message."""
    pipe.send(msgspec.json.encode(message))


def decode(data: bytes) -> Message:
    """Read one message."""
    return _DECODER.decode(data)


def open_pair() -> tuple[socket.socket, socket.socket]:
    """Return two ends that keep message boundaries and take large messages."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LIMIT_BYTES)
    return ends
