"""The reliable channel under OpenVPN's TLS: packet ids, acks, order; one session, the client's side.

Source: OpenVPN's "reliability layer" as servers 2.6 speak it. Packets that come twice are acked again and given once.
"""

import struct

from probe.model.errors import ProtocolError
from probe.protocols.openvpn.wrapping import (
    ACK_V1,
    CONTROL_V1,
    CONTROL_WKC_V1,
    HARD_RESET_SERVER_V2,
    Wrapping,
)

PAYLOAD_BYTES = 1100
"""Of one packet: with every wrapping below the smallest MTU that tunnels are run over."""
_ACKS_AT_ONCE = 4
_WINDOW = 64
_EARLY_NEGOTIATION_TLV = 0x0001


class ControlChannel:
    """Numbers what goes out, puts in order what comes in."""

    def __init__(self, wrapping: Wrapping, session: bytes) -> None:
        self.session = session
        self.peer_session = b""
        """Empty until the server answered our reset."""
        self.reset_acked = False
        """Our reset was acked, which needs an OpenVPN and our session id, but no will to speak with us."""
        self._wrapping = wrapping
        self._next_out = 0
        self._next_in = 0
        self._early: dict[int, bytes] = {}
        self._to_ack: list[int] = []
        self._unacked: dict[int, tuple[int, bytes]] = {}
        self._send_wkc = False

    def reset(self) -> bytes:
        """Return the first packet of the session; called again, the same once more."""
        self._next_out = 1
        return self._wrapping.seal(self._wrapping.reset_opcode, self.session, self._acks() + struct.pack("!I", 0))

    def send(self, data: bytes) -> list[bytes]:
        """Return packets that carry these bytes, and the acks that are due."""
        packets = []
        for start in range(0, len(data), PAYLOAD_BYTES):
            opcode = CONTROL_WKC_V1 if self._send_wkc else CONTROL_V1
            self._send_wkc = False
            body = self._acks() + struct.pack("!I", self._next_out) + data[start : start + PAYLOAD_BYTES]
            self._unacked[self._next_out] = opcode, body
            self._next_out += 1
            packets.append(self._wrapping.seal(opcode, self.session, body))
        return packets

    def ack(self) -> list[bytes]:
        """Return packets that only ack, if anything is to be acked."""
        packets = []
        while self._to_ack:
            packets.append(self._wrapping.seal(ACK_V1, self.session, self._acks()))
        return packets

    def resend(self) -> list[bytes]:
        """Return what was never acked, once more."""
        return [self._wrapping.seal(opcode, self.session, body) for opcode, body in self._unacked.values()]

    def take(self, packet: bytes) -> list[bytes]:
        """Read a packet; return the payloads that are next in order.

        Raises:
            ProtocolError: it is no control packet of this session.
        """
        opcode, peer, body = self._wrapping.open(packet)
        if opcode not in (HARD_RESET_SERVER_V2, CONTROL_V1, ACK_V1):
            raise ProtocolError(f"opcode {opcode} in a handshake: {packet[:16].hex()}")
        if self.peer_session and peer != self.peer_session:
            raise ProtocolError(f"another session answers: {packet[:16].hex()}")
        body = self._read_acks(body, packet)
        if opcode == HARD_RESET_SERVER_V2:
            self.peer_session = peer
        if opcode == ACK_V1:
            return []
        if len(body) < 4:
            raise ProtocolError(f"no packet id: {packet[:16].hex()}")
        number, payload = struct.unpack_from("!I", body)[0], body[4:]
        if number >= self._next_in + _WINDOW:
            raise ProtocolError(f"packet id {number} is far ahead: {packet[:16].hex()}")
        self._to_ack.append(number)
        if opcode == HARD_RESET_SERVER_V2:
            self._read_flags(payload)
            payload = b""
        return self._in_order(number, payload)

    def _read_acks(self, body: bytes, packet: bytes) -> bytes:
        """Note what the peer acks; return what follows."""
        count = body[0] if body else 0
        end = 1 + 4 * count
        if not body or len(body) < end + (8 if count else 0):
            raise ProtocolError(f"acks are cut off: {packet[:16].hex()}")
        for number in struct.unpack_from(f"!{count}I", body, 1):
            self._unacked.pop(number, None)
        if count:
            if body[end : end + 8] != self.session:
                raise ProtocolError(f"acks another session: {packet[:16].hex()}")
            self.reset_acked = self.reset_acked or 0 in struct.unpack_from(f"!{count}I", body, 1)
            end += 8
        return body[end:]

    def _read_flags(self, payload: bytes) -> None:
        """Read the type-length-values of early negotiation in a server's reset."""
        while len(payload) >= 4:
            kind, size = struct.unpack_from("!HH", payload)
            value, payload = payload[4 : 4 + size], payload[4 + size :]
            if kind == _EARLY_NEGOTIATION_TLV and len(value) == 2:
                self._send_wkc = bool(struct.unpack("!H", value)[0] & 0x0001)

    def _in_order(self, number: int, payload: bytes) -> list[bytes]:
        if number >= self._next_in:
            self._early[number] = payload
        ready = []
        while self._next_in in self._early:
            ready.append(self._early.pop(self._next_in))
            self._next_in += 1
        return [data for data in ready if data]

    def _acks(self) -> bytes:
        due, self._to_ack = self._to_ack[:_ACKS_AT_ONCE], self._to_ack[_ACKS_AT_ONCE:]
        if not due:
            return b"\x00"
        return bytes((len(due),)) + struct.pack(f"!{len(due)}I", *due) + self.peer_session
