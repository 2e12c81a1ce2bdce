"""NaïveProxy: CONNECT over HTTP/2 as a browser would ask for it, the first pieces padded.

Source: github.com/klzgrad/naiveproxy (README, "Padding protocol"); RFC 9113 sections 3.4 and 8.5 (CONNECT). `h2` does
the frames. Servers answer strangers as the web site they pretend to be, so a status that is not 200 is a refusal by
somebody, and no stage: only the tunnel shows the proxy. That the login was needed for it is not shown.
Less than the protocol: one stream, no early data before the answer.
"""

import base64
import struct
from collections.abc import Mapping
from types import ModuleType

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Refused, Send, Stack, Tcp, Tls
from probe.protocols.http.http1 import USER_AGENT
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.relayed import open_incoming, plan_errand, read_answer, refuse_web_page
from probe.protocols.written.link import split_link, tidy_hello
from probe.protocols.written.share_link import is_true, make_parsed, pick_params

_STREAM = 1
_PADDED_FRAMES = 8
_MOST_UNREAD_BYTES = 65536
"""Of frames that do not end: ours allow 16 KB each, and `h2` keeps what claims to be longer until it is whole."""
_PADDING_WORDS = "!#$()+<>?@[]^`{}"
"""Bytes that HPACK does not make shorter."""


def require_h2() -> tuple[ModuleType, ModuleType, ModuleType]:
    """Return the library's connection, events and exceptions.

    Raises:
        UserError: it is not installed.
    """
    try:
        import h2.connection
        import h2.events
        import h2.exceptions
    except ImportError:
        raise UserError("naive", "h2 is not installed", "pip install 'wallprobe[vpn]'") from None
    return h2.connection, h2.events, h2.exceptions


class Tunnel(Incoming):
    """An HTTP/2 connection with one stream: what the server sends on it, padding still on."""

    def __init__(self, below: Incoming) -> None:
        super().__init__(below.timeout_s, secret=below.secret)
        self._below = below
        connection, self._events, self._errors = require_h2()
        config = connection.H2Configuration(client_side=True, header_encoding="latin-1")
        self._connection = connection.H2Connection(config)
        self.status = ""
        self.padded = False
        self._unread_bytes = 0
        self._pieces = 0

    def open(self, headers: list[tuple[str, str]]) -> Reading[bool]:
        """Ask and wait for the head of the answer; false if none comes.

        Raises:
            Refused: a web server of HTTP/1 answers.
            ProtocolError: it is not HTTP/2.
        """
        self._connection.initiate_connection()
        yield Send(self._connection.data_to_send())
        self._connection.send_headers(_STREAM, headers)
        request = self._connection.data_to_send()
        # All of it counts as secret: the login is in there, compressed.
        yield Send(request, secret_spans=((0, len(request)),))
        first = yield from self._below.take(5)
        if first is None:
            return False
        self._below.pending = first + self._below.pending
        if first == b"HTTP/":
            yield from refuse_web_page(self._below)
        while not self.status:
            if not (yield from self.more()):
                return False
        return True

    def send(self, data: bytes, padding: int = 0) -> Reading[None]:
        """Send these bytes on the stream, the first pieces padded where both sides do; wait while its window is shut.

        What cannot be sent because the server takes no more is not sent.
        """
        if self.padded and self._pieces < _PADDED_FRAMES:
            data = pad(data, padding)
        self._pieces += 1
        while data and not self.ended:
            room = min(self._connection.local_flow_control_window(_STREAM), self._connection.max_outbound_frame_size)
            if room <= 0:
                if not (yield from self.more()):
                    return
                continue
            self._connection.send_data(_STREAM, data[:room])
            data = data[room:]
            yield Send(self._connection.data_to_send())

    def more(self) -> Reading[bool]:
        """Take what comes, and acknowledge it.

        Raises:
            ProtocolError: it is not HTTP/2.
        """
        if self.ended or (not self._below.pending and not (yield from self._below.more())):
            return False
        chunk, self._below.pending = self._below.pending, b""
        try:
            events = self._connection.receive_data(chunk)
        except (self._errors.H2Error, ValueError) as error:
            raise ProtocolError(f"not HTTP/2 ({type(error).__name__}): {chunk[:32].hex()}") from None
        self._unread_bytes = 0 if events else self._unread_bytes + len(chunk)
        if self._unread_bytes > _MOST_UNREAD_BYTES:
            raise ProtocolError(f"a frame of HTTP/2 does not end: {chunk[:32].hex()}")
        for event in events:
            if isinstance(event, self._events.ResponseReceived):
                head = dict(event.headers)
                self.status, self.padded = head.get(":status", "0"), "padding" in head
            elif isinstance(event, self._events.DataReceived):
                self.pending += event.data
                self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(
                event, self._events.StreamEnded | self._events.StreamReset | self._events.ConnectionTerminated
            ):
                self.ended = True
        answer = self._connection.data_to_send()
        if answer and not self.ended:
            yield Send(answer)
        return True


class Unpadded(Incoming):
    """What a tunnel carries, without the padding of its first pieces."""

    def __init__(self, below: Tunnel) -> None:
        super().__init__(below.timeout_s, secret=below.secret)
        self._below = below
        self._left = _PADDED_FRAMES if below.padded else 0

    def more(self) -> Reading[bool]:
        """Take the next piece; false if none comes."""
        while self._left:
            head = yield from self._below.take(3)
            if head is None:
                return False
            size, padding = struct.unpack("!HB", head)
            piece = yield from self._below.take(size + padding)
            if piece is None:
                return False
            self._left -= 1
            if size:
                self.pending += piece[:size]
                return True
        if not self._below.pending and not (yield from self._below.more()):
            return False
        self.pending, self._below.pending = self.pending + self._below.pending, b""
        return True


def pad(data: bytes, padding: int) -> bytes:
    """Return a piece with so many bytes of padding."""
    return struct.pack("!HB", len(data), padding) + data + bytes(padding)


def build_headers(ask: Ask, host: str, port: int) -> list[tuple[str, str]]:
    """Return the request's head."""
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    size = 16 + ask.entropy(1)[0] % 17
    words = "".join(_PADDING_WORDS[byte % len(_PADDING_WORDS)] for byte in ask.entropy(size))
    headers = [(":method", "CONNECT"), (":authority", authority), ("padding", words), ("user-agent", USER_AGENT)]
    if "password" in ask.secrets:
        login = base64.b64encode(ask.params.get("user", "").encode() + b":" + ask.secrets["password"]).decode()
        headers.append(("proxy-authorization", f"Basic {login}"))
    return headers


def start(ask: Ask) -> Dialogue:
    """Ask for a tunnel and have the errand relayed through it.

    Raises:
        UserError: `h2` is not installed, or the relay's destination is none.
    """
    errand = plan_errand(ask)
    tunnel = Tunnel(open_incoming())
    if not (yield from tunnel.open(build_headers(ask, errand.host, errand.port))):
        return None
    if tunnel.status != "200":
        raise Refused(f"an HTTP/2 server says {tunnel.status[:3]}: a wrong login, or no proxy at all")
    yield Reached(Depth.HELLO)
    if "insecure" not in ask.params:
        yield Reached(Depth.PROOF)
    yield from tunnel.send(errand.data, ask.entropy(1)[0])
    via = "padded" if tunnel.padded else ""

    def wrap(data: bytes) -> Reading[None]:
        return tunnel.send(data, ask.entropy(1)[0])

    return (yield from read_answer(Unpadded(tunnel), errand, via=via, wrap=wrap))


def choose_stack(params: Mapping[str, str]) -> Stack:
    """Return TLS as a browser offers it."""
    return (Tcp(), Tls(alpn=("h2", "http/1.1"), verify="insecure" not in params))


def parse(text: str) -> Parsed:
    """Read `naive+https://user:password@host[:port]`.

    Raises:
        ValueError: it is not such a link.
    """
    link = split_link(text, 443)
    params = tidy_hello(pick_params(link.params, frozenset({"sni"})))
    if is_true(link.params.get("insecure", "")):
        params["insecure"] = "1"
    if link.user is not None:
        params["user"] = link.user
    return make_parsed(link, params, {} if link.password is None else {"password": link.password})


SPEC = DialogueSpec(
    name="naive",
    question="Does a NaïveProxy server relay for us?",
    schemes=("naive+https", "naive"),
    default_port=443,
    stack=choose_stack,
    start=start,
    parse=parse,
    secrets=("password",),
    proves=Depth.VOLUME,
    open_proves=Depth.DATA,
)
