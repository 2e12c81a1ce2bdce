"""Transport messages of an established tunnel, and whom to send an echo to through it.

Source: the WireGuard paper, sections 5.4.6 (transport messages) and 6.5 (whoever gets data and has nothing to say
sends an empty message after ten seconds).
"""

import ipaddress

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from probe.model.errors import ProtocolError
from probe.protocols.inner_echo import Inner
from probe.protocols.wireguard.noise import Transport

_HEAD_BYTES = 16


class Tunnel:
    """Seals and opens transport messages; counts what it sends."""

    def __init__(self, transport: Transport, word: bytes) -> None:
        self._send = ChaCha20Poly1305(transport.send_key)
        self._receive = ChaCha20Poly1305(transport.receive_key)
        self._peer_index = transport.peer_index
        self._word = word
        self._sent = 0

    def seal(self, packet: bytes) -> bytes:
        """Return a transport message that carries this IP packet."""
        counter = self._sent.to_bytes(8, "little")
        self._sent += 1
        padded = packet + bytes(-len(packet) % 16)
        return self._word + self._peer_index + counter + self._send.encrypt(bytes(4) + counter, padded, None)

    def open(self, message: bytes) -> bytes:
        """Return the packet in a transport message; empty = only a sign of life.

        Raises:
            ProtocolError: it was not made with this handshake's keys.
        """
        counter = message[8:_HEAD_BYTES]
        try:
            return self._receive.decrypt(bytes(4) + counter, message[_HEAD_BYTES:], None)
        except InvalidTag:
            raise ProtocolError(
                f"a transport message that our keys do not open: {message[:_HEAD_BYTES].hex()}"
            ) from None


def choose_inner(address: str, ping: str) -> tuple[Inner, Inner] | None:
    """Return our inner address and whom to send the echo to; `None` = it is not known who we are inside.

    Whom does not decide anything: a server that does not route the echo answers it with a sign of life.

    Raises:
        ValueError: one of them is no address.
    """
    interfaces = [ipaddress.ip_interface(part.strip()) for part in address.split(",") if part.strip()]
    interfaces.sort(key=lambda one: one.version)
    wanted = [ipaddress.ip_address(part.strip()) for part in ping.split(",") if part.strip()]
    for own in interfaces:
        there = next((one for one in wanted if one.version == own.version), None)
        if there is None and wanted:
            continue
        return own.ip, there if there is not None else _first_neighbour(own)
    return None


def _first_neighbour(own: ipaddress.IPv4Interface | ipaddress.IPv6Interface) -> Inner:
    """Return the address that servers usually have: the first of the network, of a /24 where only we are in it."""
    network = own.network
    if network.num_addresses == 1:
        network = ipaddress.ip_interface(f"{own.ip}/{24 if own.version == 4 else 64}").network
    return network.network_address + 1
