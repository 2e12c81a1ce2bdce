"""L2TP's control connection, opened and closed again.

Source: RFC 2661 sections 3.1 (header), 4.4 (AVPs), 5.8 (retries), 6.1 (SCCRQ), 6.2 (SCCRP), 6.4 (StopCCN).

This proves no more than that a server listens. Most are spoken to inside IPsec, where this cannot look: silence in the
clear is usual for them, and `ikev1://` or `ikev2://` to the same host asks more. No session is opened, no PPP spoken.
"""

import struct

import msgspec

from probe.model.depth import Depth
from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Reached, Receive, Send, Udp

_HEADER = struct.Struct("!HHHHHH")
_CONTROL = 0xC802
"""Type, length and sequence bits set; version 2."""
_SCCRQ, _SCCRP, _STOPCCN = 1, 2, 4
_MESSAGE_TYPE, _RESULT, _VERSION, _FRAMING, _BEARER, _FIRMWARE = 0, 1, 2, 3, 4, 6
_HOST, _VENDOR, _TUNNEL, _WINDOW = 7, 8, 9, 10
_MANDATORY = 0x8000
_RETRIES_S = (1.0, 2.0, 4.0, 8.0)
_ACK_S = 0.5
_MOST_AVPS = 64


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a server said."""

    kind: str
    """`accepted`, or `refused`: a server that wants no tunnel with us is one all the same."""
    host: str = ""
    vendor: str = ""
    result: int = 0
    answer: str = "control connection"


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """A control message; `avps` are values by number, of the vendor IETF alone."""

    tunnel: int
    sent: int
    received: int
    avps: dict[int, bytes]


def build_control(tunnel: int, sent: int, received: int, avps: tuple[tuple[int, bytes], ...]) -> bytes:
    """Return a control message."""
    body = b"".join(struct.pack("!HHH", _MANDATORY | (6 + len(value)), 0, kind) + value for kind, value in avps)
    return _HEADER.pack(_CONTROL, _HEADER.size + len(body), tunnel, 0, sent, received) + body


def build_request(tunnel: int) -> bytes:
    """Return the message that opens a control connection under this number of ours."""
    return build_control(
        0,
        0,
        0,
        (
            (_MESSAGE_TYPE, struct.pack("!H", _SCCRQ)),
            (_VERSION, b"\x01\x00"),
            (_FRAMING, struct.pack("!I", 3)),
            (_BEARER, struct.pack("!I", 0)),
            (_FIRMWARE, struct.pack("!H", 1)),
            (_HOST, b"localhost"),
            (_VENDOR, b"xelerance.com"),
            (_TUNNEL, struct.pack("!H", tunnel)),
            (_WINDOW, struct.pack("!H", 4)),
        ),
    )


def parse_control(data: bytes) -> Control:
    """Read a control message.

    Raises:
        ProtocolError: it is none.
    """
    if len(data) < _HEADER.size:
        raise ProtocolError(f"too short for L2TP: {data.hex()}")
    flags, size, tunnel, _, sent, received = _HEADER.unpack_from(data)
    if flags & 0xCB0F != _CONTROL or not _HEADER.size <= size <= len(data):
        raise ProtocolError(f"no control message of L2TP: {data[:12].hex()}")
    avps: dict[int, bytes] = {}
    at = _HEADER.size
    while at < size:
        if at + 6 > size or len(avps) >= _MOST_AVPS:
            raise ProtocolError(f"an AVP is cut off, or there are too many: {data[at : at + 6].hex()}")
        bits, vendor, kind = struct.unpack_from("!HHH", data, at)
        length = bits & 0x3FF
        if length < 6 or at + length > size:
            raise ProtocolError(f"an AVP of {length} bytes does not fit: {data[at : at + 6].hex()}")
        if vendor == 0 and not bits & 0x4000:
            avps.setdefault(kind, data[at + 6 : at + length])
        at += length
    return Control(tunnel=tunnel, sent=sent, received=received, avps=avps)


def read_reply(message: Control, tunnel: int) -> tuple[Reply, int]:
    """Return what the answer to our request says, and the server's number.

    Raises:
        ProtocolError: it is no answer to it.
    """
    kind = _number(message.avps.get(_MESSAGE_TYPE, b""))
    if message.tunnel != tunnel or kind not in (_SCCRP, _STOPCCN):
        raise ProtocolError(f"L2TP message {kind} for tunnel {message.tunnel}, not an answer to ours")
    reply = Reply(
        kind="accepted" if kind == _SCCRP else "refused",
        host=_text(message.avps.get(_HOST, b"")),
        vendor=_text(message.avps.get(_VENDOR, b"")),
        result=_number(message.avps.get(_RESULT, b"")[:2]),
    )
    return reply, _number(message.avps.get(_TUNNEL, b""))


def _number(value: bytes) -> int:
    return int.from_bytes(value[:2], "big")


def _text(value: bytes) -> str:
    return "".join(c for c in value.decode("utf-8", "replace") if c.isprintable())[:80]


def start(ask: Ask) -> Dialogue:
    """Open a control connection, and close it politely."""
    tunnel = int.from_bytes(ask.entropy(2), "big") or 1
    for timeout_s in _RETRIES_S:
        yield Send(build_request(tunnel))
        answer = yield Receive(timeout_s)
        # An empty message only acknowledges ours; the answer follows.
        if answer is not None and not parse_control(answer).avps:
            answer = yield Receive(timeout_s)
        if answer is None:
            continue
        message = parse_control(answer)
        reply, theirs = read_reply(message, tunnel)
        yield Reached(Depth.HELLO)
        if reply.kind == "accepted":
            number = struct.pack("!H", tunnel)
            goodbye = ((_MESSAGE_TYPE, struct.pack("!H", _STOPCCN)), (_TUNNEL, number), (_RESULT, b"\0\1"))
            yield Send(build_control(theirs, 1, message.sent + 1 & 0xFFFF, goodbye))
            yield Receive(_ACK_S)
        return reply
    return None


SPEC = DialogueSpec(
    name="l2tp",
    question="Does an L2TP server answer in the clear?",
    schemes=("l2tp",),
    default_port=1701,
    stack=(Udp(),),
    start=start,
)
