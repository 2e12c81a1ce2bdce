"""STUN binding request and its answer. Source: RFC 8489 sections 5 (header), 6.2.1 (retries), 14 (attributes).

Less than the RFC: the mapped address is not read, because it is our own and has no place in an observation; of the
attributes only SOFTWARE is.
"""

import struct

import msgspec

from probe.model.depth import Depth
from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Reached, Receive, Send, Udp

MAGIC_COOKIE = 0x2112A442
_HEADER = struct.Struct("!HHI12s")
_BINDING, _SUCCESS, _ERROR = 0x0001, 0x0101, 0x0111
_SOFTWARE = 0x8022
_RETRIES_S = (0.5, 1.0, 2.0, 4.0)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What a server said."""

    kind: str
    """`success` or `error`: either is an answer."""
    software: str = ""


def build_binding(transaction: bytes) -> bytes:
    """Return a request without attributes."""
    return _HEADER.pack(_BINDING, 0, MAGIC_COOKIE, transaction)


def parse_binding(data: bytes, transaction: bytes) -> Reply:
    """Read an answer to the request with this transaction id.

    Raises:
        ProtocolError: the bytes are not such an answer.
    """
    if len(data) < _HEADER.size:
        raise ProtocolError(f"too short for STUN: {data.hex()}")
    kind, size, cookie, echoed = _HEADER.unpack_from(data)
    name = {_SUCCESS: "success", _ERROR: "error"}.get(kind)
    if name is None or cookie != MAGIC_COOKIE or echoed != transaction or size != len(data) - _HEADER.size:
        raise ProtocolError(f"not our STUN answer: {data[:20].hex()}")
    return Reply(kind=name, software=_read_software(data[_HEADER.size :]))


def _read_software(attributes: bytes) -> str:
    at = 0
    while at + 4 <= len(attributes):
        kind, size = struct.unpack_from("!HH", attributes, at)
        if kind == _SOFTWARE:
            text = attributes[at + 4 : at + 4 + size].decode("utf-8", "replace")
            return "".join(c for c in text if c.isprintable())[:80]
        at += 4 + size + (-size % 4)
    return ""


def start(ask: Ask) -> Dialogue:
    """Ask as often as the RFC does; silence is `None`."""
    transaction = ask.entropy(12)
    for timeout_s in _RETRIES_S:
        yield Send(build_binding(transaction))
        answer = yield Receive(timeout_s)
        if answer is not None:
            reply = parse_binding(answer, transaction)
            yield Reached(Depth.HELLO)
            return reply
    return None


SPEC = DialogueSpec(
    name="stun",
    question="Does a STUN server answer?",
    schemes=("stun",),
    default_port=3478,
    stack=(Udp(),),
    start=start,
)
