"""SSTP: a POST that never ends opens a stream of packets in TLS; the server says what it would bind to the login.

Source: MS-SSTP sections 2.2 (messages), 3.2.4.1 (HTTP request). Anybody gets a Call Connect Acknowledge: `hello`; a
certificate that is valid for the name, or pinned, is the `proof`. The login is PPP's, which is not spoken here, so a
call is hung up as soon as it is acknowledged.
"""

import struct

import msgspec

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, Reached, Refused, Send
from probe.protocols.gateways.tls_gateway import authority, build_spec, not_ours, prove
from probe.protocols.http.turn import build_head, take_turn
from probe.protocols.incoming import Incoming
from probe.protocols.relayed import WAIT_S

_PATH = "/sra_{BA195980-CD49-458b-9E23-C84EE0ADCD75}/"
_ENDLESS = "18446744073709551615"
_VERSION, _CONTROL = 0x10, 0x01
_CONNECT_REQUEST, _CONNECT_ACK, _CONNECT_NAK, _ABORT, _DISCONNECT = 1, 2, 3, 5, 6
_ENCAPSULATED_PROTOCOL, _CRYPTO_BINDING_REQUEST = 1, 4
_PPP = 1
_HASHES = {1: "SHA1", 2: "SHA256"}


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """What the server said to our call."""

    server: str
    """What its HTTP side calls itself."""
    hashes: str
    """With which it would bind the login to this connection."""


class Control(msgspec.Struct, frozen=True, kw_only=True):
    """One control packet: its type, and its attributes in their order."""

    kind: int
    attributes: tuple[tuple[int, bytes], ...] = ()


def build_control(control: Control) -> bytes:
    """Return the packet."""
    body = b"".join(struct.pack("!BBH", 0, kind, 4 + len(value)) + value for kind, value in control.attributes)
    return struct.pack("!BBHHH", _VERSION, _CONTROL, 8 + len(body), control.kind, len(control.attributes)) + body


def split_control(data: bytes) -> tuple[Control, int] | None:
    """Take a control packet from the front; `None` = need more.

    Raises:
        ProtocolError: it is none.
    """
    if data[:1] not in (b"", b"\x10") or (len(data) > 1 and not data[1] & _CONTROL):
        raise ProtocolError(f"not an SSTP control packet: {data[:16].hex()}")
    if len(data) < 8:
        return None
    size = int.from_bytes(data[2:4], "big") & 0x0FFF
    if size < 8:
        raise ProtocolError(f"not an SSTP control packet: {data[:16].hex()}")
    if len(data) < size:
        return None
    kind, count = struct.unpack("!HH", data[4:8])
    attributes: list[tuple[int, bytes]] = []
    rest = data[8:size]
    for _ in range(count):
        length = int.from_bytes(rest[2:4], "big") & 0x0FFF
        if len(rest) < 4 or not 4 <= length <= len(rest):
            raise ProtocolError(f"an SSTP attribute ends nowhere: {data[:32].hex()}")
        attributes.append((rest[1], rest[4:length]))
        rest = rest[length:]
    return Control(kind=kind, attributes=tuple(attributes)), size


def start(ask: Ask) -> Dialogue:
    """Open the stream, call, and hang up."""
    incoming = Incoming(WAIT_S)
    headers = [
        ("Host", authority(ask)),
        ("SSTPCORRELATIONID", _make_id(ask.entropy(16))),
        ("Content-Length", _ENDLESS),
    ]
    response = yield from take_turn(incoming, build_head(f"SSTP_DUPLEX_POST {_PATH} HTTP/1.1", headers), head_only=True)
    if response is None:
        return None
    if response.status != 200:
        raise not_ours("SSTP server", response)
    request = Control(kind=_CONNECT_REQUEST, attributes=((_ENCAPSULATED_PROTOCOL, struct.pack("!H", _PPP)),))
    yield Send(build_control(request))
    answer = yield from incoming.take_message(split_control)
    if answer is None:
        return None
    if answer.kind in (_CONNECT_NAK, _ABORT):
        yield Reached(Depth.HELLO)
        raise Refused("the SSTP server takes no call")
    binding = dict(answer.attributes).get(_CRYPTO_BINDING_REQUEST, b"")
    if answer.kind != _CONNECT_ACK or len(binding) < 4:
        raise ProtocolError(f"not an answer to a call: type {answer.kind}, {binding[:16].hex()}")
    yield Reached(Depth.HELLO)
    yield from prove(ask)
    yield Send(build_control(Control(kind=_DISCONNECT)))
    hashes = " ".join(name for bit, name in _HASHES.items() if binding[3] & bit)
    return Call(server=response.header("server")[:80], hashes=hashes)


def _make_id(random: bytes) -> str:
    digits = random.hex().upper()
    return "{" + "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])) + "}"


SPEC = build_spec("sstp", "Does an SSTP server take our call?", start)
