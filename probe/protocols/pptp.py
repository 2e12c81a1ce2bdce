"""PPTP: the control connection, and no more.

Source: RFC 2637 sections 2.1, 2.2 (start), 2.3 (stop). That it answers says nothing of the tunnel: data goes in GRE,
IP protocol 47, which networks drop far more often and which needs raw sockets. So this is a `hello` for ever.
Nothing in it proves who answers.
"""

import struct

import msgspec

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Reached, Refused, Send, Tcp
from probe.protocols.incoming import Incoming
from probe.protocols.relayed import WAIT_S

_MAGIC = 0x1A2B3C4D
_HEAD = struct.Struct("!HHIHH")
_START = struct.Struct("!HBBIIHH64s64s")
_START_BYTES = _HEAD.size + _START.size
_START_REQUEST, _START_REPLY, _STOP_REQUEST = 1, 2, 3
_RESULTS = {
    2: "general error",
    3: "a control connection exists already",
    4: "not authorized",
    5: "protocol version not supported",
}
_STOP = _HEAD.pack(16, 1, _MAGIC, _STOP_REQUEST, 0) + b"\x01\0\0\0"


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """What the server says of itself."""

    answer: str = "control connection"
    version: str
    host_name: str
    vendor: str
    firmware: int
    result: int
    """1 = the control connection is open."""


def build_start() -> bytes:
    """Return the request that opens the control connection: any framing, any bearer."""
    return _HEAD.pack(_START_BYTES, 1, _MAGIC, _START_REQUEST, 0) + _START.pack(0x0100, 0, 0, 3, 3, 0, 1, b"local", b"")


def split_start(data: bytes) -> tuple[Started, int] | None:
    """Take the answer from the front; `None` = need more.

    Raises:
        ProtocolError: it is none.
    """
    wanted = _HEAD.pack(_START_BYTES, 1, _MAGIC, _START_REPLY, 0)[:10]
    if not data.startswith(wanted[: len(data)]):
        raise ProtocolError(f"not a start reply of PPTP: {data[:16].hex()}")
    if len(data) < _START_BYTES:
        return None
    version, result, _, _, _, _, firmware, host, vendor = _START.unpack_from(data, _HEAD.size)
    started = Started(
        version=f"{version >> 8}.{version & 0xFF}",
        host_name=_read_text(host),
        vendor=_read_text(vendor),
        firmware=firmware,
        result=result,
    )
    return started, _START_BYTES


def _read_text(field: bytes) -> str:
    return "".join(c for c in field.partition(b"\0")[0].decode("utf-8", "replace") if c.isprintable())


def start(_ask: Ask) -> Dialogue:
    """Open the control connection and close it again."""
    yield Send(build_start())
    started = yield from Incoming(WAIT_S).take_message(split_start)
    if started is None:
        return None
    yield Reached(Depth.HELLO)
    if started.result != 1:
        raise Refused(f"the PPTP server says: {_RESULTS.get(started.result, f'result {started.result}')}")
    yield Send(_STOP)
    return started


SPEC = DialogueSpec(
    name="pptp",
    question="Does a PPTP server open its control connection?",
    schemes=("pptp",),
    default_port=1723,
    stack=(Tcp(),),
    start=start,
)
