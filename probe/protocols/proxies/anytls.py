"""AnyTLS: a password's hash, then streams in frames inside TLS, padded so that no flight has a size of its own.

Source: github.com/anytls/anytls-go (docs/protocol.md, version 2 of the session). The server's first frame shows that
the password is right: wrong ones get a web page or a close. Readings: a destination that the server cannot reach is a
SYNACK with a reason.
Less than the protocol: one stream; the flights after the first are not cut as the padding scheme says.
"""

import hashlib
import struct

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Parsed, Reached, Refused, Send
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.proxies.carrier import choose_stack, open_carrier, read_carrier
from probe.protocols.proxies.socks_address import build_address
from probe.protocols.relayed import plan_errand, read_answer, refuse_web_page
from probe.protocols.written.link import NotSpokenError, split_link
from probe.protocols.written.share_link import make_parsed, pick_params, take_password

_WASTE, _SYN, _PUSH, _FIN, _SETTINGS, _ALERT = range(6)
_UPDATE_PADDING, _SYN_ACK, _HEART_REQUEST, _HEART_RESPONSE, _SERVER_SETTINGS = range(6, 11)
_HASH_BYTES = 32
_STREAM = 1
_FRAME = struct.Struct("!BIH")
_MOST_FRAMES = 256
_SCHEME = (
    "stop=8\n0=30-30\n1=100-400\n2=400-500,c,500-1000,c,500-1000,c,500-1000,c,500-1000\n3=9-9,500-1000\n"
    "4=500-1000\n5=500-1000\n6=500-1000\n7=500-1000"
)
"""The padding that clients start with: 30 bytes behind the hash, 100 to 400 in the next flight."""
_PADDING_BYTES = 30
_FLIGHT_BYTES = (100, 400)


def build_frame(command: int, data: bytes = b"", stream: int = _STREAM) -> bytes:
    """Return one frame."""
    return _FRAME.pack(command, stream, len(data)) + data


def split_frame(data: bytes) -> tuple[tuple[int, bytes], int] | None:
    """Take a frame from the front: its command and data; `None` = need more.

    Raises:
        ProtocolError: there is no such command.
    """
    if data and data[0] > _SERVER_SETTINGS:
        raise ProtocolError(f"not a frame of AnyTLS: {data[:16].hex()}")
    if len(data) < _FRAME.size:
        return None
    command, _, size = _FRAME.unpack_from(data)
    end = _FRAME.size + size
    return None if len(data) < end else ((command, data[_FRAME.size : end]), end)


def build_opening(password: bytes, padding: bytes) -> bytes:
    """Return what says who we are."""
    return hashlib.sha256(password).digest() + struct.pack("!H", len(padding)) + padding


def build_request(address: bytes, payload: bytes, room: int) -> bytes:
    """Return settings, the stream and what goes into it, filled up to so many bytes."""
    scheme = hashlib.md5(_SCHEME.encode(), usedforsecurity=False).hexdigest()
    settings = build_frame(_SETTINGS, f"v=2\nclient=anytls/0.0.11\npadding-md5={scheme}".encode(), 0)
    flight = settings + build_frame(_SYN) + build_frame(_PUSH, address) + build_frame(_PUSH, payload)
    spare = room - len(flight) - _FRAME.size
    return flight + build_frame(_WASTE, bytes(spare), 0) if spare > 0 else flight


class StreamReader(Incoming):
    """What comes on our stream."""

    def __init__(self, below: Incoming) -> None:
        super().__init__(below.timeout_s, secret=below.secret)
        self._below = below

    def more(self) -> Reading[bool]:
        """Take frames until one carries data.

        Raises:
            Refused: the server cannot reach the destination, or ends the session with a reason.
            ProtocolError: frames come that a server does not send.
        """
        for _ in range(_MOST_FRAMES):
            if self.ended:
                return False
            frame = yield from self._below.take_message(split_frame)
            if frame is None:
                return False
            command, data = frame
            if command == _PUSH and data:
                self.pending += data
                return True
            if data and command in (_SYN_ACK, _ALERT):
                raise Refused(f"the proxy says: {data[:120].decode('utf-8', 'replace')}")
            if command == _HEART_REQUEST:
                yield Send(build_frame(_HEART_RESPONSE, b"", 0))
            self.ended = command == _FIN
            if command in (_SYN, _SETTINGS):
                raise ProtocolError(f"a client's frame from a server: {command}, {data[:16].hex()}")
        raise ProtocolError("frames and frames, and none with data")


def start(ask: Ask) -> Dialogue:
    """Send the errand behind the password's hash and read what comes back.

    Raises:
        UserError: the relay's destination is none.
    """
    errand = plan_errand(ask)
    carrier = yield from open_carrier(ask)
    if carrier is None:
        return None
    yield Send(build_opening(ask.secrets.get("password", b""), bytes(_PADDING_BYTES)), secret_spans=((0, _HASH_BYTES),))
    low, high = _FLIGHT_BYTES
    room = low + int.from_bytes(ask.entropy(2), "big") % (high - low + 1)
    yield Send(build_request(build_address(errand.host, errand.port), errand.data, room))
    if not (yield from refuse_web_page(carrier.incoming)):
        return None
    stream = StreamReader(carrier.incoming)
    first = yield from carrier.incoming.take_message(split_frame)
    if first is None:
        return None
    if first[0] not in (_SERVER_SETTINGS, _SYN_ACK, _UPDATE_PADDING):
        raise ProtocolError(f"not how an AnyTLS server begins: {first[0]}, {first[1][:16].hex()}")
    for depth in carrier.proven:
        yield Reached(depth)
    if first[0] == _SYN_ACK and first[1]:
        raise Refused(f"the proxy says: {first[1][:120].decode('utf-8', 'replace')}")
    return (yield from read_answer(stream, errand, wrap=lambda data: Send(build_frame(_PUSH, data))))


def parse(text: str) -> Parsed:
    """Read `anytls://password@host:port/?sni=…&insecure=1#label`.

    Raises:
        ValueError: it is not that; the message says what is wrong.
    """
    link = split_link(text, 443)
    password = take_password(link)
    params = read_carrier(link.params, security="tls") | pick_params(link.params, frozenset())
    if params["security"] != "tls" or "type" in params:
        raise NotSpokenError("AnyTLS is spoken in TLS here, and in nothing else")
    return make_parsed(link, params, {"password": password})


SPEC = DialogueSpec(
    name="anytls",
    question="Does an AnyTLS server relay for us?",
    schemes=("anytls",),
    default_port=443,
    stack=lambda params: choose_stack({"security": "tls"} | dict(params)),
    start=start,
    parse=parse,
    secrets=("password",),
    proves=Depth.VOLUME,
    open_proves=Depth.REACH,
)
