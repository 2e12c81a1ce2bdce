"""One request over HTTP/3: fields and body in, fields and body out. aioquic does the framing.

Source: RFC 9114 sections 4.1 (one request, one stream), 4.2 (fields) and 4.3 (pseudo-fields).
Less than the RFC: trailers and pushes are dropped.
"""

from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.h3.exceptions import H3Error
from aioquic.quic.events import StreamReset

from probe.model.errors import ProtocolError
from probe.protocols.engines.quic import QUICEngine
from probe.protocols.http.http1 import USER_AGENT, OutgoingRequest

MAX_HEAD_BYTES = 65536
_NOT_SENT = frozenset({"host", "connection", "transfer-encoding", "content-length", "upgrade"})
"""What belongs to HTTP/1's framing (RFC 9114 section 4.2), or is said elsewhere."""
_BROWSER_FIELDS = (
    ("user-agent", USER_AGENT),
    ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip"),
)


class H3Talk:
    """One request on a connection that has completed its handshake; `pump` after each datagram until `complete`."""

    def __init__(self, engine: QUICEngine, *, body_limit_bytes: int) -> None:
        self._engine = engine
        self._http = H3Connection(engine.connection)
        self._limit = body_limit_bytes
        self._stream = -1
        self._pieces: list[bytes] = []
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body_bytes = 0
        self.complete = False
        self.truncated = False
        self.was_reset = False
        """The server gave the stream up before its end."""

    def ask(self, request: OutgoingRequest) -> None:
        """Send the request with the next flush."""
        self._stream = self._engine.connection.get_next_available_stream_id()
        self._http.send_headers(self._stream, build_fields(request), end_stream=not request.body)
        if request.body:
            self._http.send_data(self._stream, request.body, end_stream=True)

    def pump(self) -> None:
        """Read on.

        Raises:
            ProtocolError: what came is not HTTP/3.
        """
        for event in self._engine.take_events():
            if isinstance(event, StreamReset) and event.stream_id == self._stream:
                self.was_reset = True
            try:
                told = self._http.handle_event(event)
            except (H3Error, ValueError) as error:
                raise ProtocolError(f"not HTTP/3: {type(error).__name__}") from error
            for one in told:
                if isinstance(one, HeadersReceived) and one.stream_id == self._stream:
                    self._take_head(one)
                elif isinstance(one, DataReceived) and one.stream_id == self._stream:
                    self._take_body(one)

    @property
    def body(self) -> bytes:
        """Return the body so far up to the limit, content coding still on."""
        return b"".join(self._pieces)

    def header(self, name: str) -> str:
        """Return the first value of a header by its lower-case name, or an empty string."""
        return next((value for key, value in self.headers if key == name), "")

    def _take_head(self, told: HeadersReceived) -> None:
        fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in told.headers]
        status = next((value for name, value in fields if name == ":status"), "")
        if not self.status and status.isdecimal() and not status.startswith("1"):
            if sum(len(name) + len(value) for name, value in fields) > MAX_HEAD_BYTES:
                raise ProtocolError(f"response head longer than {MAX_HEAD_BYTES} bytes")
            self.status = int(status[:3])
            self.headers = tuple((name, value) for name, value in fields if not name.startswith(":"))
        self.complete = self.complete or told.stream_ended

    def _take_body(self, told: DataReceived) -> None:
        room = self._limit - sum(map(len, self._pieces))
        self.body_bytes += len(told.data)
        if room > 0:
            self._pieces.append(told.data[:room])
        if len(told.data) > room:
            self.truncated = self.complete = True
        self.complete = self.complete or told.stream_ended


def build_fields(request: OutgoingRequest) -> list[tuple[bytes, bytes]]:
    """Return a request's fields in a browser's order; the request's own take the place of ours."""
    own = {header.name.lower().strip(): header.value for header in request.headers}
    authority = own.pop("host", request.authority)
    fields = dict(_BROWSER_FIELDS) | {name: value for name, value in own.items() if name not in _NOT_SENT}
    pseudo = (
        (":method", request.method),
        (":scheme", "https"),
        (":authority", authority),
        (":path", request.path or "/"),
    )
    return [(name.encode("latin-1", "replace"), value.encode("utf-8")) for name, value in (*pseudo, *fields.items())]
