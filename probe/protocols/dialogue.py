"""How a protocol's conversation is written: a generator that says what to send, what to wait for, and how far it got.

A dialogue opens nothing, reads no clock and rolls no dice: whoever drives it brings the channel, the time and the
random bytes, so the same conversation runs over UDP, TCP, TLS or a recording, and replays byte for byte.

    def start(ask: Ask) -> Dialogue:
        yield Send(build_hello(ask.entropy(8)))
        answer = yield Receive(2.0)

It ends in one of four ways: a returned value (what the peer said, for a reader), a returned `None` (silence, or the
peer hung up: the driver knows which), `ProtocolError` (nonsense came), or `Refused` (the peer understood and said no;
`Lapsed` where it need not say why).
"""

import dataclasses
from collections.abc import Callable, Generator, Mapping
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from probe.model.verdict import Depth

_NO_WORDS: Mapping[str, str] = MappingProxyType({})
_NO_KEYS: Mapping[str, bytes] = MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class Send:
    """Hand these bytes to the channel: one datagram, or a piece of the stream."""

    data: bytes
    secret_spans: tuple[tuple[int, int], ...] = ()
    """Half-open ranges of `data` that hold secrets or what betrays them: the transcript keeps zeros there."""


@dataclasses.dataclass(frozen=True, slots=True)
class Receive:
    """Wait for one datagram, or for the next chunk of the stream.

    The generator is resumed with the bytes; `None` = nothing came in time, `b""` = the peer closed the stream.
    An ICMP error or a reset ends the dialogue from outside: the driver closes the generator and keeps the failure.
    """

    timeout_s: float
    secret: bool = False
    """What comes holds secrets (an inner payload, a session key): the transcript keeps its length only."""


@dataclasses.dataclass(frozen=True, slots=True)
class Reached:
    """A stage is proven; the driver stamps it with the time of the bytes that proved it."""

    depth: Depth


Event: TypeAlias = Send | Receive | Reached
Dialogue: TypeAlias = Generator[Event, bytes | None, msgspec.Struct | None]


class Refused(Exception):  # noqa: N818  an outcome, not a fault of anybody
    """The peer answered in protocol and refused: wrong credentials, not allowed, too busy.

    The message quotes what the peer said, never what we sent.
    """


class Lapsed(Refused):
    """The conversation ended where we showed what is over by our clock, and the peer gave no reason, or that one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """What a dialogue is given."""

    entropy: Callable[[int], bytes]
    """Random bytes. Whoever brings the same ones gets the same conversation, byte for byte."""
    params: Mapping[str, str] = dataclasses.field(default_factory=lambda: _NO_WORDS)
    """The public part of the target: cipher names, server name, path."""
    secrets: Mapping[str, bytes] = dataclasses.field(default_factory=lambda: _NO_KEYS)
    """Keys and passwords by the names that `SPEC.secrets` lists."""
    wall_s: float = 0.0
    """Wall time at the start, in seconds since the epoch: some protocols send it."""
    elapsed_s: Callable[[], float] = lambda: 0.0
    """Seconds since the start, for engines that keep timers."""
    host: str = ""
    """Name of the server as the target has it."""
    port: int = 0
    address: str = ""
    """Address literal that is talked to."""
    certificate: bytes = b""
    """DER of the certificate that the TLS layer below was shown, for dialogues that pin it or bind a proof to it."""
    roots: str = ""
    """The roots in force as PEM, for engines that verify certificates themselves."""
    stamps: int = 0
    """The first of sixteen numbers that grow from one conversation to the next, over restarts too, and are not below
    `wall_s` in nanoseconds. Only where `SPEC.counter` asks for them."""
    deepest: Depth = Depth.DATA
    """Go no further than this, though the credentials would allow it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Udp:
    """Datagrams; each `Send` is one, each `Receive` yields one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tcp:
    """A byte stream; a `Receive` yields whatever has arrived, cut anywhere."""


@dataclasses.dataclass(frozen=True, slots=True)
class Tls:
    """TLS on the stream below, shaken hands before the dialogue starts: one observation of its own."""

    alpn: tuple[str, ...] = ()
    verify: bool = True
    """False where the protocol has its own proof of identity (a pin, a PSK) or servers are self-signed by custom."""
    client_pair: tuple[str, str] | None = None
    """Names of the secrets that are a certificate of ours and its key, PEM: shown only where we are to log in."""


Layer: TypeAlias = Udp | Tcp | Tls
Stack: TypeAlias = tuple[Layer, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Parsed:
    """One endpoint of a link or file: what may be shown, and what may not."""

    host: str
    port: int
    params: Mapping[str, str] = dataclasses.field(default_factory=lambda: _NO_WORDS)
    secrets: Mapping[str, str] = dataclasses.field(default_factory=lambda: _NO_WORDS)
    """Values by name; the loader keeps references to where they stand and drops the values."""
    files: Mapping[str, str] = dataclasses.field(default_factory=lambda: _NO_WORDS)
    """Secrets that stand in files of their own: path by name, relative to the file that names them."""
    label: str = ""
    """The name its owner gave it (the fragment of a share link)."""


@dataclasses.dataclass(frozen=True, slots=True)
class DialogueSpec:
    """One protocol: what it asks, how a person writes it, and how far it can go."""

    name: str
    question: str
    schemes: tuple[str, ...]
    default_port: int
    stack: Stack | Callable[[Mapping[str, str]], Stack]
    """The channel below, or what chooses it from the params (`proto=tcp`, `security=tls`)."""
    start: Callable[[Ask], Dialogue]
    parse: Callable[[str], Parsed] | None = None
    """Reads a link; `None` = plain `SCHEME://host:port?param=value`. Raises `ValueError` that says what is wrong."""
    secrets: tuple[str, ...] = ()
    """Names of the params that are secret."""
    proves: Depth = Depth.HELLO
    """The deepest stage that this dialogue can reach with credentials."""
    open_proves: Depth = Depth.HELLO
    """The deepest stage that it can reach without any."""
    suffixes: tuple[str, ...] = ()
    """Endings that no other files have than its own, such as `.ovpn`: one is read whatever is in it."""
    recognise: Callable[[str], bool] | None = None
    """Tells whether a text is such a file, whatever it is called."""
    read_file: Callable[[str], tuple[Parsed, ...]] | None = None
    """Reads such a file: one `Parsed` for each endpoint in it. Raises `ValueError` that says what is wrong, never
    quoting a secret."""
    counter: str = ""
    """Name of a counter that the gate keeps for `Ask.stamps`; empty = none is needed."""
    takes_over: bool = False
    """A handshake draws the session of whoever uses the same key to us: it wants a key of its own, or a user who is
    told, and never runs while that tunnel is up on this host (`probe.net.own_addresses.has_address`)."""
    trigger: bool = True
    """Its first bytes can be recognised by a filter."""

    def choose_stack(self, params: Mapping[str, str]) -> Stack:
        """Return the layers for these params."""
        return self.stack(params) if callable(self.stack) else self.stack
