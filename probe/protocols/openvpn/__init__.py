"""OpenVPN, from the first reset to the server's certificate under the file's own CA.

Source: OpenVPN's wire format as servers 2.6 speak it; openvpn-manual for files. Less than a client: no login, no data
channel, no renegotiation. The handshake stops before our certificate is sent, so no session of a user is replaced.
"""

from collections.abc import Generator, Mapping

import msgspec

from probe.model.depth import Depth
from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Event, Reached, Receive, Send, Stack, Tcp, Udp
from probe.protocols.engines.pinned_tls import open_engine
from probe.protocols.openvpn.config import parse_config
from probe.protocols.openvpn.control import ControlChannel
from probe.protocols.openvpn.keys import parse_client_key, parse_static_key
from probe.protocols.openvpn.wrapping import Plain, TlsAuth, TlsCrypt, TlsCryptV2, Wrapping

RESENDS_S = (2.0, 4.0, 8.0)
"""A client's patience with its first packet, doubling as OpenVPN's does."""
_TLS_S = 8.0
_MOST_PACKETS = 128


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What the server proved."""

    wrapping: str
    tls_version: str = ""
    cipher: str = ""


def start(ask: Ask) -> Dialogue:
    """Reset, wait for the server's, then shake hands by TLS where a CA says whom to trust."""
    channel = ControlChannel(_choose_wrapping(ask), ask.entropy(8))
    packets = _Packets(stream=ask.params.get("proto", "udp") == "tcp")
    if not (yield from _greet(channel, packets)):
        return None
    yield Reached(Depth.HELLO)
    wrapping = ask.params.get("wrap", "none")
    if "ca" not in ask.secrets or ask.deepest.rank < Depth.PROOF.rank:
        return Reply(wrapping=wrapping)
    engine = open_engine(ask.secrets["ca"])
    outgoing = engine.start()
    for _ in range(_MOST_PACKETS):
        for packet in channel.send(outgoing) if outgoing else channel.ack():
            yield Send(packets.frame(packet))
        # OpenSSL checks the chain, and the signature under it, before it answers the server's flight.
        if engine.done or (outgoing and engine.cipher and engine.read_chain()):
            yield Reached(Depth.PROOF)
            return Reply(wrapping=wrapping, tls_version=engine.version, cipher=engine.cipher)
        taken = yield from _take(channel, packets, _TLS_S)
        if taken is None:
            return None
        outgoing = b"".join(engine.feed(data) for data in taken)
        if engine.done or engine.read_chain():
            outgoing = b""
            yield Reached(Depth.PROOF)
            return Reply(wrapping=wrapping, tls_version=engine.version, cipher=engine.cipher)
    raise ProtocolError("the TLS handshake does not end")


def _greet(channel: ControlChannel, packets: "_Packets") -> Generator[Event, bytes | None, bool]:
    """Send our reset until the server's comes; a stream needs no second one."""
    waits = (sum(RESENDS_S),) if packets.stream else RESENDS_S
    for wait_s in waits:
        yield Send(packets.frame(channel.reset()))
        while (yield from _take(channel, packets, wait_s)) is not None:
            if channel.peer_session:
                return True
        if packets.ended:
            return False
    return False


def _take(
    channel: ControlChannel, packets: "_Packets", wait_s: float
) -> Generator[Event, bytes | None, list[bytes] | None]:
    """Return the payloads of the next packet; `None` = silence, or the end of the stream."""
    while (packet := packets.next()) is None:
        data = yield Receive(wait_s)
        if data is None:
            return None
        if not data and packets.stream:
            packets.ended = True
            return None
        packets.add(data)
    return channel.take(packet)


class _Packets:
    """Packets as the transport carries them: a datagram each, or with two bytes of length before them."""

    def __init__(self, *, stream: bool) -> None:
        self.stream = stream
        self.ended = False
        self._pending = b""
        self._waiting: list[bytes] = []

    def frame(self, packet: bytes) -> bytes:
        return len(packet).to_bytes(2, "big") + packet if self.stream else packet

    def add(self, data: bytes) -> None:
        if not self.stream:
            self._waiting.append(data)
            return
        self._pending += data
        while len(self._pending) >= 2:
            end = 2 + int.from_bytes(self._pending[:2], "big")
            if len(self._pending) < end:
                return
            self._waiting.append(self._pending[2:end])
            self._pending = self._pending[end:]

    def next(self) -> bytes | None:
        return self._waiting.pop(0) if self._waiting else None


def _choose_wrapping(ask: Ask) -> Wrapping:
    def wall_s() -> float:
        return ask.wall_s + ask.elapsed_s()

    kind = ask.params.get("wrap", "none")
    if kind == "none":
        return Plain()
    text = ask.secrets["key"].decode("ascii", "replace")
    if kind == "tls-crypt-v2":
        return TlsCryptV2(parse_client_key(text), wall_s)
    if kind == "tls-crypt":
        return TlsCrypt(parse_static_key(text), wall_s)
    direction = ask.params.get("direction", "")
    digest = ask.params.get("auth", "sha1")
    return TlsAuth(parse_static_key(text), int(direction) if direction else None, digest, wall_s)


def _stack(params: Mapping[str, str]) -> Stack:
    return (Tcp(),) if params.get("proto") == "tcp" else (Udp(),)


SPEC = DialogueSpec(
    name="openvpn",
    question="Does an OpenVPN server answer, and is it the one whose CA the file names?",
    schemes=("openvpn",),
    default_port=1194,
    stack=_stack,
    start=start,
    secrets=("ca", "key", "cert", "cert_key", "login"),
    proves=Depth.PROOF,
    suffixes=(".ovpn",),
    read_file=parse_config,
)
