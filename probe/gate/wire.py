"""What the gate's socket speaks: one JSON object per line, both ways, each line at most `LINE_BYTES` long.

Ids are the client's own numbers; it uses each once. A `Keep` is followed by as many bytes as it says. A line that is
not one of these is answered by `Refused`, and the connection is closed: both ends are ours, so it is a bug or somebody
else.
"""

from typing import TypeVar

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError
from probe.model.experiment import Traffic

VERSION = 4
LINE_BYTES = 4096
KEEP_BYTES = 4 << 20
"""The largest run that is taken over; one with every body in it has a tenth of that."""
SOCKET_NAME = "gate.sock"
"""In the runtime or the state folder of the daemon."""
_QUOTED_BYTES = 32


class AskFor(msgspec.Struct, frozen=True, kw_only=True, tag="ask"):
    """A client wants a grant."""

    id: int
    traffic: Traffic
    endpoint: Endpoint | None = None
    holder: str


class Cancel(msgspec.Struct, frozen=True, kw_only=True, tag="cancel"):
    """A client no longer wants it; one that was granted meanwhile is released."""

    id: int


class Release(msgspec.Struct, frozen=True, kw_only=True, tag="release"):
    """A client's socket is closed."""

    id: int
    bytes_sent: int = 0
    bytes_received: int = 0


class Triggered(msgspec.Struct, frozen=True, kw_only=True, tag="triggered"):
    """A client's step failed after a name or a signature was sent."""

    endpoint: Endpoint
    over_udp: bool = False


class Claim(msgspec.Struct, frozen=True, kw_only=True, tag="claim"):
    """A client is about to shake hands with an endpoint."""

    id: int
    identity: str
    spacing_s: float
    patience_s: float


class Reserve(msgspec.Struct, frozen=True, kw_only=True, tag="reserve"):
    """A client wants numbers that nobody was ever given."""

    id: int
    counter: str
    at_least: int
    count: int


class Keep(msgspec.Struct, frozen=True, kw_only=True, tag="keep"):
    """A client has a run for the database, which only the daemon may write: so many bytes follow."""

    id: int
    size: int


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """The first line of the server."""

    version: int


class Granted(msgspec.Struct, frozen=True, kw_only=True, tag="granted"):
    """Leave to send."""

    id: int
    queued_s: float = 0.0
    hot: bool = False


class Claimed(msgspec.Struct, frozen=True, kw_only=True, tag="claimed"):
    """The answer to `Claim`: now, or too soon by so much."""

    id: int
    wait_s: float = 0.0


class Reserved(msgspec.Struct, frozen=True, kw_only=True, tag="reserved"):
    """The answer to `Reserve`; `None` = it could not be written."""

    id: int
    number: int | None = None


class Kept(msgspec.Struct, frozen=True, kw_only=True, tag="kept"):
    """The answer to `Keep`: whether the run will be in the database."""

    id: int
    stored: bool


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The last line of the server: why it hangs up."""

    reason: str


GateLine = AskFor | Cancel | Release | Triggered | Claim | Reserve
ClientLine = GateLine | Keep
ServerLine = Hello | Granted | Claimed | Reserved | Kept | Refused

_Line = TypeVar("_Line", ClientLine, ServerLine)

_encoder = msgspec.json.Encoder()
_client_decoder: msgspec.json.Decoder[ClientLine] = msgspec.json.Decoder(ClientLine)
_server_decoder: msgspec.json.Decoder[ServerLine] = msgspec.json.Decoder(ServerLine)


def build_line(line: ClientLine | ServerLine) -> bytes:
    """Return the line with its end."""
    return _encoder.encode(line) + b"\n"


def parse_client_line(data: bytes) -> ClientLine:
    """Read what a client sent.

    Raises:
        ProtocolError: it is none of our lines, or a figure in it is out of its range.
    """
    line = _parse(_client_decoder, data)
    if isinstance(line, Release) and (line.bytes_sent < 0 or line.bytes_received < 0):
        raise ProtocolError(f"negative byte count: {data[:_QUOTED_BYTES].hex()}")
    if isinstance(line, Keep) and not 0 < line.size <= KEEP_BYTES:
        raise ProtocolError(f"a run of {line.size} bytes, at most {KEEP_BYTES} are taken")
    return line


def parse_server_line(data: bytes) -> ServerLine:
    """Read what the server sent.

    Raises:
        ProtocolError: it is none of our lines.
    """
    return _parse(_server_decoder, data)


def _parse(decoder: "msgspec.json.Decoder[_Line]", data: bytes) -> _Line:
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ProtocolError(f"not a line of the gate: {data[:_QUOTED_BYTES].hex()}") from error
