"""The pieces of an OpenVPN conversation: packets in and out of the transport, TLS inside them, resends.

Source: OpenVPN's wire format as servers 2.6 speak it: over TCP two bytes of length stand before each packet.
"""

from collections.abc import Generator

from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Event, Receive, Send
from probe.protocols.engines.tls import TLSEngine
from probe.protocols.incoming import Reading
from probe.protocols.openvpn.control import ControlChannel
from probe.protocols.openvpn.wrapping import DATA_V1, DATA_V2

RESENDS_S = (2.0, 4.0, 8.0)
"""A client's patience with its first packet, doubling as OpenVPN's does."""
_TLS_WAITS_S = (2.0, 6.0)
_MOST_PACKETS = 256
_MOST_BACKLOG = 32


class Packets:
    """Packets as the transport carries them: a datagram each, or with two bytes of length before them."""

    def __init__(self, *, stream: bool) -> None:
        self.stream = stream
        self.ended = False
        self._pending = b""
        self._waiting: list[bytes] = []

    def frame(self, packet: bytes) -> bytes:
        """Return a packet as it goes out."""
        return len(packet).to_bytes(2, "big") + packet if self.stream else packet

    def add(self, data: bytes) -> None:
        """Take what came."""
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
        """Return the next whole packet; `None` = none is there."""
        return self._waiting.pop(0) if self._waiting else None


class Session:
    """One session of ours with a server."""

    def __init__(self, channel: ControlChannel, packets: Packets) -> None:
        self.channel = channel
        self.packets = packets
        self._early: list[bytes] = []
        """Packets of the data channel that came before anybody read them."""
        self._taken = 0

    def greet(self, *, hello_only: bool) -> Generator[Event, bytes | None, bool]:
        """Send our reset until the server's comes; a stream needs no second one.

        Where a hello is all that is wanted an ack is one: a server of one peer that has another gives no more.
        """
        waits = (sum(RESENDS_S),) if self.packets.stream else RESENDS_S
        for wait_s in waits:
            yield Send(self.packets.frame(self.channel.reset()))
            while (yield from self.take(wait_s)) is not None:
                if self.channel.peer_session or (hello_only and self.channel.reset_acked):
                    return True
            if self.packets.ended:
                return False
        return False

    def send(self, data: bytes) -> Reading[None]:
        """Send bytes of TLS, or the acks that are due."""
        for packet in self.channel.send(data) if data else self.channel.ack():
            yield Send(self.packets.frame(packet))

    def take(self, wait_s: float) -> Reading[list[bytes] | None]:
        """Return the payloads of the next control packet; `None` = silence, or the end of the stream.

        Raises:
            ProtocolError: it is none of ours, or they never end.
        """
        while (packet := (yield from self.receive(wait_s))) is not None:
            self._taken += 1
            if self._taken > _MOST_PACKETS:
                raise ProtocolError("the TLS handshake does not end")
            if is_data(packet) and self.channel.peer_session:
                self._early = [*self._early, packet][-_MOST_BACKLOG:]
                continue
            return self.channel.take(packet)
        return None

    def next_packet(self, wait_s: float) -> Reading[bytes | None]:
        """Return the next packet of any kind, also one that came before; `None` = silence, or the end."""
        if self._early:
            return self._early.pop(0)
        return (yield from self.receive(wait_s)) if wait_s > 0 else None

    def receive(self, wait_s: float) -> Reading[bytes | None]:
        """Return the next packet of any kind."""
        while (packet := self.packets.next()) is None:
            data = yield Receive(wait_s)
            if data is None:
                return None
            if not data and self.packets.stream:
                self.packets.ended = True
                return None
            self.packets.add(data)
        return packet

    def take_patiently(self, waits_s: tuple[float, ...] = _TLS_WAITS_S) -> Reading[list[bytes] | None]:
        """Return the payloads of the next control packet; what was never acked is sent again meanwhile."""
        for turn, wait_s in enumerate(waits_s):
            taken = yield from self.take(wait_s)
            if taken is not None or self.packets.ended:
                return taken
            if turn + 1 < len(waits_s) and not self.packets.stream:
                for packet in self.channel.resend():
                    yield Send(self.packets.frame(packet))
        return None

    def shake_hands(self, engine: TLSEngine, *, to_the_end: bool) -> Reading[bool]:
        """Go through TLS; unless to the end, stop before a certificate of ours is sent. False = silence."""
        outgoing = engine.start()
        while True:
            yield from self.send(outgoing)
            if engine.done:
                return True
            taken = yield from self.take_patiently()
            if taken is None:
                return False
            outgoing = b"".join(engine.feed(data) for data in taken)
            # Anybody may show the server's certificate. That it holds the key as well OpenSSL has seen when it is
            # done, or, before TLS 1.3, when it answers the flight that the certificate stood in.
            if not to_the_end and (engine.done or (outgoing and engine.read_chain())):
                yield from self.send(b"")
                return True


def is_data(packet: bytes) -> bool:
    """Tell whether a packet is of the data channel."""
    return bool(packet) and packet[0] >> 3 in (DATA_V1, DATA_V2)
