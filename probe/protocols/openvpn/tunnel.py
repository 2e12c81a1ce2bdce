"""Through OpenVPN's tunnel: an echo and a ping until something comes, then as much as we are asked to carry.

A server that wants new keys meanwhile gets no answer: the old ones hold for an hour (openvpn-manual, `--tran-window`),
and we are gone before the new ones would have to stand (`--hand-window`).
"""

import ipaddress

from probe.model.depth import Depth
from probe.protocols.dialogue import Ask, Reached, Send
from probe.protocols.incoming import Reading
from probe.protocols.inner_echo import ECHO_REPLY, Inner, build_echo, carry_volume, name_packet
from probe.protocols.openvpn.data import EXIT, PING, DataChannel
from probe.protocols.openvpn.framing import FRAGMENT_BYTES, Framing
from probe.protocols.openvpn.login import Push
from probe.protocols.openvpn.session import Session, is_data
from probe.protocols.relayed import goes_to

_DATA_WAITS_S = (1.0, 3.0, 8.0)
"""Longer than the ten seconds after which most servers send a ping of their own."""
_PING_DUE_S = 10
_MOST_PACKETS = 64
_UNREAD = b"\0"
"""Stands for what the server compressed or cut up: it came under our keys, and what it is nobody needs to know."""


class Tunnel:
    """Our end of it."""

    def __init__(
        self, ask: Ask, session: Session, channel: DataChannel, framing: Framing, *, fragmented: bool = False
    ) -> None:
        self._ask = ask
        self._session = session
        self._channel = channel
        self._framing = framing
        self._head = bytes(FRAGMENT_BYTES) if fragmented else b""

    def pass_data(self, push: Push, *, ethernet: bool) -> Reading[tuple[str, int] | None]:
        """Return what came first through the tunnel, and the bytes that were carried each way.

        `None` = nothing came though the server owed us something, or the volume stalled.
        """
        ask = self._ask
        identifier = int.from_bytes(ask.entropy(2), "big")
        inner: tuple[Inner, Inner] | None = None
        if push.address and push.gateway and not ethernet:
            inner = ipaddress.ip_address(push.address), ipaddress.ip_address(push.gateway)
        for sequence, wait_s in enumerate(_DATA_WAITS_S, 1):
            yield self.send(PING)
            if inner is not None:
                yield self.send(build_echo(*inner, identifier, sequence))
            came = yield from self.take(wait_s)
            if came is not None:
                break
        else:
            # A server need not answer echoes. Only where it owes us its own ping by now, its silence says something.
            return None if 0 < push.ping_s <= _PING_DUE_S or self._session.packets.ended else ("", 0)
        yield Reached(Depth.DATA)
        said = "ping" if came == PING else name_packet(came, identifier)
        if inner is None or said != ECHO_REPLY or not goes_to(ask, Depth.VOLUME):
            return said, 0
        carried = yield from carry_volume(ask, inner, identifier, self.send, self.take)
        if carried is None:
            return None
        yield Reached(Depth.VOLUME)
        return said, carried

    def leave(self) -> Send:
        """Return what tells the server that we go."""
        return self.send(EXIT)

    def send(self, payload: bytes) -> Send:
        """Return a packet with this inside."""
        return Send(self._session.packets.frame(self._channel.seal(self._head + self._framing.wrap(payload))))

    def take(self, wait_s: float) -> Reading[bytes | None]:
        """Return what the next data packet carries; `None` = silence, or the end.

        Raises:
            ProtocolError: it was not made with our keys.
        """
        until_s = self._ask.elapsed_s() + wait_s
        for _ in range(_MOST_PACKETS):
            packet = yield from self._session.next_packet(until_s - self._ask.elapsed_s())
            if packet is None:
                return None
            if packet[:1] and packet[0] & 0b111:
                continue  # of the keys that the server would have next
            if is_data(packet):
                return self._open(packet)
            self._session.channel.take(packet)
            yield from self._session.send(b"")
        return None

    def _open(self, packet: bytes) -> bytes:
        plain = self._channel.open(packet)
        if not plain.startswith(self._head):
            return _UNREAD
        inside = self._framing.unwrap(plain[len(self._head) :])
        return _UNREAD if inside is None else inside
