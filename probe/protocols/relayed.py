"""What is sent through a proxy to prove that it relays, and how its answer is known.

The errand is a TLS ClientHello to `relay=host:port`, because a payload in the clear would make some of these protocols
look like what they carry: nDPI calls VLESS without TLS "HTTP" as soon as a GET goes through it. Any handshake record or
alert that comes back was said by that destination. `payload=echo` sends random bytes to an echo service instead.
Asked to go on to `volume`, it is a whole handshake, and pages after it; or echoes, until 64 KB came.
Over UDP it is a QUIC packet of a version that nobody speaks, which every QUIC server answers (RFC 9000 section 6).
The default destination is the one that proxy clients themselves measure against, so it does not stand out at the
server either; it must be reachable from the *server*, not from here.
Source: RFC 8446 section 4.1.2 (ClientHello), RFC 8999 sections 5.1 and 6 (long header, version negotiation).
"""

import struct

import msgspec

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Reached, Refused
from probe.protocols.engines.inner_page import InnerPage, Wrap, pass_on
from probe.protocols.incoming import Incoming, Reading

DEFAULT_RELAY = "www.gstatic.com:443"
WAIT_S = 10.0
"""How long each answer is waited for."""
VOLUME_BYTES = 65536
"""Filters have frozen connections after some 16 KB and after some two dozen packets."""
_BLOCK_BYTES = 8192
_ECHO_BYTES = 64
_QUIC_BYTES = 1200
_NOBODYS_VERSION = b"\x1a\x2a\x3a\x4a"


class Relayed(msgspec.Struct, frozen=True, kw_only=True):
    """What came back through the proxy."""

    answer: str
    """`tls handshake`, `tls alert`, `echo` or `quic versions`."""
    via: str = ""
    """What the proxy said of itself, where it says anything."""
    carried_bytes: int = 0
    """How much came through it, where the volume was tried."""


class Errand(msgspec.Struct, frozen=True, kw_only=True):
    """Where to and what."""

    host: str
    port: int
    data: bytes
    kind: str
    """`tls`, `echo` or `quic`."""
    page: InnerPage | None = None
    """What goes on after the hello, where the volume is to be tried."""
    block: bytes = b""
    """What is echoed again and again, where the volume is to be tried so."""


def goes_to(ask: Ask, depth: Depth) -> bool:
    """Tell whether we are asked to go as far as this."""
    return ask.deepest.rank >= depth.rank


def split_relay(text: str) -> tuple[str, int]:
    """Read `host:port`, IPv6 in brackets.

    Raises:
        ValueError: it is not that; the message says how to write it.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536 or len(host) > 255:
        raise ValueError("relay is written host:port, such as www.example.org:443")
    return host, int(port)


def plan_errand(ask: Ask, *, udp: bool = False) -> Errand:
    """Return what to send where, as `relay` and `payload` say.

    Raises:
        UserError: they say nothing usable.
    """
    payload = ask.params.get("payload", "tls")
    try:
        host, port = split_relay(ask.params.get("relay", DEFAULT_RELAY))
        if payload not in ("tls", "echo"):
            raise ValueError("payload is tls or echo")
    except ValueError as error:
        raise UserError("relay", str(error), "or leave it out") from None
    if payload == "echo":
        block = ask.entropy(_BLOCK_BYTES) if goes_to(ask, Depth.VOLUME) and not udp else b""
        return Errand(host=host, port=port, data=ask.entropy(_ECHO_BYTES), kind="echo", block=block)
    if udp:
        return Errand(host=host, port=port, data=build_unspoken_version(ask.entropy(16)), kind="quic")
    if goes_to(ask, Depth.VOLUME):
        page = InnerPage(host, port)
        return Errand(host=host, port=port, data=page.start(), kind="tls", page=page)
    return Errand(host=host, port=port, data=build_inner_hello(host, ask.entropy(96)), kind="tls")


def build_unspoken_version(ids: bytes) -> bytes:
    """Return a QUIC packet with these 16 bytes as connection ids, padded to the size servers demand."""
    packet = b"\xc3" + _NOBODYS_VERSION + b"\x08" + ids[:8] + b"\x08" + ids[8:16]
    return packet.ljust(_QUIC_BYTES, b"\0")


def build_inner_hello(host: str, random: bytes) -> bytes:
    """Return a ClientHello for TLS 1.2 and 1.3 in one record, made of these 96 random bytes.

    The last 32 stand for an X25519 share, which any bytes are: the handshake is not meant to end.
    """
    named = not host.replace(".", "").isdigit() and ":" not in host
    extensions = (
        _extension(0, _listed(b"\0" + _listed(host.encode("idna" if not host.isascii() else "ascii"))))
        if named
        else b""
    )
    extensions += _extension(23, b"") + _extension(65281, b"\0")
    extensions += _extension(10, _listed(struct.pack("!3H", 29, 23, 24))) + _extension(11, b"\x01\x00")
    extensions += _extension(13, _listed(struct.pack("!8H", 0x403, 0x804, 0x401, 0x503, 0x805, 0x501, 0x806, 0x601)))
    extensions += _extension(16, _listed(b"\x02h2\x08http/1.1")) + _extension(43, b"\x04\x03\x04\x03\x03")
    extensions += _extension(45, b"\x01\x01") + _extension(51, _listed(struct.pack("!H", 29) + _listed(random[64:96])))
    ciphers = struct.pack("!9H", 0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030, 0xCCA9, 0xCCA8)
    body = b"\x03\x03" + random[:32] + b"\x20" + random[32:64] + _listed(ciphers) + b"\x01\x00" + _listed(extensions)
    return b"\x16\x03\x01" + _listed(b"\x01\x00" + _listed(body))


def _listed(data: bytes) -> bytes:
    return struct.pack("!H", len(data)) + data


def _extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!H", kind) + _listed(data)


def read_answer(
    incoming: Incoming,
    errand: Errand,
    *,
    proven: tuple[Depth, ...] = (),
    via: str = "",
    wrap: Wrap | None = None,
) -> Reading[Relayed | None]:
    """Read what the destination says until it is surely that; `None` if it stays silent.

    `proven` are the stages that a relayed byte proves, where the proxy itself says nothing. `wrap` puts further bytes
    into the relay, for where the volume is to be tried.

    Raises:
        ProtocolError: this is not what a destination answers to the errand.
    """
    head = yield from incoming.take(len(errand.data) if errand.kind == "echo" else 5)
    if head is None:
        return None
    answer = recognise(head, errand)
    for depth in (*proven, Depth.DATA):
        yield Reached(depth)
    if wrap is None or not (errand.block or (errand.page is not None and answer == "tls handshake")):
        return Relayed(answer=answer, via=via)
    if errand.page is not None:
        incoming.pending = head + incoming.pending
        carried = yield from errand.page.carry(incoming, wrap, VOLUME_BYTES)
    else:
        carried = yield from _carry_echoes(incoming, errand.block, wrap)
    if carried is None:
        return None
    if carried >= VOLUME_BYTES * 9 // 10:
        yield Reached(Depth.VOLUME)
    return Relayed(answer=answer, via=via, carried_bytes=carried)


def _carry_echoes(incoming: Incoming, block: bytes, wrap: Wrap) -> Reading[int | None]:
    """Have a block echoed until it is enough, two on their way at once; `None` = it fell silent, or hung up.

    Raises:
        ProtocolError: something else came back.
    """
    turns = VOLUME_BYTES // len(block)
    yield from pass_on(wrap, block)
    for turn in range(turns):
        if turn + 1 < turns:
            yield from pass_on(wrap, block)
        back = yield from incoming.take(len(block))
        if back is None:
            return None
        if back != block:
            raise ProtocolError(f"not the echo of what was sent: {back[:32].hex()}")
    return turns * len(block)


def recognise(data: bytes, errand: Errand) -> str:
    """Name what came back; of TLS five bytes are enough.

    Raises:
        ProtocolError: this is not what a destination answers to the errand.
    """
    if errand.kind == "echo" and data == errand.data:
        return "echo"
    if errand.kind == "tls" and len(data) > 2 and data[1] == 3 and data[0] in (21, 22):
        return "tls alert" if data[0] == 21 else "tls handshake"
    # Version negotiation: long header, version zero, then our two connection ids, swapped.
    if (
        errand.kind == "quic"
        and data[:1] >= b"\x80"
        and data[1:23] == bytes(4) + errand.data[14:23] + errand.data[5:14]
    ):
        return "quic versions"
    raise ProtocolError(f"not the answer of the relay's destination: {data[:32].hex()}")


def refuse_web_page(incoming: Incoming) -> Reading[bool]:
    """Look whether a stream begins as a web server's, as proxies in TLS show to wrong credentials; false if silent.

    Raises:
        Refused: it does.
    """
    head = yield from incoming.take(5)
    if head is None:
        return False
    incoming.pending = head + incoming.pending
    if head == b"HTTP/":
        line = yield from incoming.take_line()
        status = (line or head)[:40].decode("ascii", "replace")
        raise Refused(f"a web server answers ({status}): a wrong password, or no proxy at all")
    # To what is no request at all some servers show a bare page, as HTTP/0.9 did.
    if head.lower() in (b"<html", b"<!doc"):
        raise Refused("a web server answers (a page): a wrong password, or no proxy at all")
    # An HTTP/2 server speaks first: a SETTINGS frame on stream 0.
    if head[0] == 0 and head[3:5] == b"\x04\x00":
        raise Refused("an HTTP/2 web server answers: a wrong password, or no proxy at all")
    return True


def open_incoming(*, secret: bool = False) -> Incoming:
    """Return the reader of a stream as the proxies use it."""
    return Incoming(WAIT_S, secret=secret)
