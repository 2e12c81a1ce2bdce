"""What a reference server says: enough of each tunnel's protocol that a client knows it was understood. Pure.

Its credentials are public, and nothing is relayed: whoever asks learns that the protocol passes, and no more. Inside
WireGuard and Shadowsocks what was sent comes back, so that a volume can be tried. An answer to a datagram is never much
longer than the question, so nobody gains by asking in another's name.
Source: OpenVPN's wire format (P_CONTROL_HARD_RESET_SERVER_V2); RFC 7296 sections 1.2 and 3.10.1 (an answer to
IKE_SA_INIT may be INVALID_KE_PAYLOAD alone); shadowsocks.org/doc/aead; RFC 8489 section 6.3.1 (STUN).
"""

import base64
import contextlib
import os
import struct
from collections.abc import Callable
from enum import StrEnum
from urllib.parse import quote

from probe.control.relay_answers import ALERT, TROJAN_PASSWORD, VLESS_USER, TrojanEcho, VlessEcho, begins_tls
from probe.control.wireguard_answer import CLIENT_KEY, SERVER_KEY, Responder, answer_initiation, public_of
from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Reached
from probe.protocols.incoming import Incoming, Reading
from probe.protocols.proxies.shadowsocks.aead import Edition2017
from probe.protocols.proxies.socks_address import split_address
from probe.protocols.stun import MAGIC_COOKIE

SHADOWSOCKS_METHOD = "chacha20-ietf-poly1305"
SHADOWSOCKS_PASSWORD = b"wallprobe-reference"  # no secret: it opens nothing
_BINDING, _BOUND = 0x0001, 0x0101
_STUN_BYTES = 20
_RESET_CLIENT, _RESET_SERVER = 7 << 3, 8 << 3
_SHORTEST_RESET_BYTES, _SHORTEST_IKE_BYTES = 14, 28
_SA_INIT, _VERSION_2, _NOTIFY, _INVALID_KE, _GROUP = 34, 0x20, 41, 17, 19
_CHUNK_BYTES = 8192


class Hello(StrEnum):
    """The protocols that a reference speaks."""

    OPENVPN = "openvpn"
    IKEV2 = "ikev2"
    SHADOWSOCKS = "shadowsocks"
    WIREGUARD = "wireguard"
    TROJAN = "trojan"
    VLESS = "vless"

    @property
    def in_tls(self) -> bool:
        """Tell whether it is spoken inside TLS."""
        return self in (Hello.TROJAN, Hello.VLESS)


def answer_stun(data: bytes) -> bytes | None:
    """Return the answer to a binding request (RFC 8489), without attributes; `None` = it is none."""
    if len(data) < _STUN_BYTES:
        return None
    kind, size, cookie = struct.unpack_from("!HHI", data)
    if kind != _BINDING or cookie != MAGIC_COOKIE or size != len(data) - _STUN_BYTES:
        return None
    return struct.pack("!HHI", _BOUND, 0, MAGIC_COOKIE) + data[8:20]


def answer_datagram(hello: Hello, data: bytes) -> bytes | None:
    """Return the answer to a datagram; `None` = it is no beginning of this protocol, and gets none."""
    stun = answer_stun(data)
    if stun is not None:
        return stun
    match hello:
        case Hello.OPENVPN:
            return _answer_openvpn(data)
        case Hello.IKEV2:
            return _answer_ike(data)
        case Hello.WIREGUARD:
            return answer_initiation(data)
        case Hello.SHADOWSOCKS | Hello.TROJAN | Hello.VLESS:
            return None


def _answer_openvpn(data: bytes) -> bytes | None:
    if len(data) < _SHORTEST_RESET_BYTES or data[0] != _RESET_CLIENT:
        return None
    return bytes((_RESET_SERVER,)) + os.urandom(8) + b"\x01" + bytes(4) + data[1:9] + bytes(4)


def _answer_ike(data: bytes) -> bytes | None:
    if len(data) < _SHORTEST_IKE_BYTES or data[8:16] != bytes(8) or data[17:19] != bytes((_VERSION_2, _SA_INIT)):
        return None
    refusal = struct.pack("!BxHBBHH", 0, 10, 0, 0, _INVALID_KE, _GROUP)
    head = struct.pack("!BBBBII", _NOTIFY, _VERSION_2, _SA_INIT, 0x20, 0, _SHORTEST_IKE_BYTES + len(refusal))
    return data[:8] + os.urandom(8) + head + refusal


def open_datagrams(hello: Hello) -> Callable[[bytes], bytes | None]:
    """Return what answers the datagrams of a port; of WireGuard it knows the tunnels that were begun there."""
    if hello is not Hello.WIREGUARD:
        return lambda data: answer_datagram(hello, data)
    responder = Responder()
    return lambda data: answer_stun(data) or responder.answer(data)


def open_stream(hello: Hello) -> Callable[[bytes], bytes | None]:
    """Return what takes the chunks of a new connection and returns what to send; `None` = nothing yet.

    Raises:
        ProtocolError: out of the callable: this is not the protocol.
    """
    match hello:
        case Hello.OPENVPN:
            return _OpenVpnStream().take
        case Hello.SHADOWSOCKS:
            return _ShadowsocksStream().take
        case Hello.TROJAN:
            return TrojanEcho().take
        case Hello.VLESS:
            return VlessEcho().take
        case Hello.IKEV2 | Hello.WIREGUARD:
            return lambda _data: None


class _OpenVpnStream:
    """Packets with their length before them."""

    def __init__(self) -> None:
        self._pending = b""

    def take(self, data: bytes) -> bytes | None:
        self._pending += data
        if len(self._pending) < 2 or len(self._pending) < 2 + int.from_bytes(self._pending[:2], "big"):
            return None
        end = 2 + int.from_bytes(self._pending[:2], "big")
        packet, self._pending = self._pending[2:end], self._pending[end:]
        answer = _answer_openvpn(packet)
        if answer is None:
            raise ProtocolError("no reset of a session")
        return len(answer).to_bytes(2, "big") + answer


class _ShadowsocksStream:
    """Decrypts an errand and answers as the page that it asks for would begin; what is no TLS comes back as it is."""

    def __init__(self) -> None:
        self._edition = Edition2017(SHADOWSOCKS_METHOD, SHADOWSOCKS_PASSWORD, os.urandom)
        self._incoming = self._edition.read_stream(Incoming(1.0))
        self._answers: list[bytes] = []
        self._plain = self._answer_all()
        next(self._plain)

    def take(self, data: bytes) -> bytes | None:
        with contextlib.suppress(StopIteration):
            event = self._plain.send(data)
            while isinstance(event, Reached):
                event = self._plain.send(None)
        answer, self._answers = b"".join(self._answers), []
        return answer or None

    def _answer_all(self) -> Reading[None]:
        first = yield from self._take_all()
        split = split_address(first or b"")
        payload = (first or b"")[split[1] :] if split is not None else b""
        if begins_tls(payload):
            self._answers.append(self._edition.build_stream(b"", ALERT))
            return
        if payload:
            self._answers.append(self._edition.build_stream(b"", payload))
        while payload and (more := (yield from self._take_all())):
            for at in range(0, len(more), _CHUNK_BYTES):
                self._answers.append(self._edition.build_more(more[at : at + _CHUNK_BYTES]))

    def _take_all(self) -> Reading[bytes | None]:
        """Take what has come of the plaintext; `None` = the end."""
        first = yield from self._incoming.take(1)
        if first is None:
            return None
        rest, self._incoming.pending = self._incoming.pending, b""
        return first + rest


def reference_links(hello: Hello, host: str, port: int) -> tuple[str, ...]:
    """Return what a configuration says to use such a server as a reference."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    match hello:
        case Hello.OPENVPN:
            return (f"openvpn://{place}", f"openvpn://{place}?proto=tcp")
        case Hello.IKEV2:
            return (f"ikev2://{place}",)
        case Hello.WIREGUARD:
            client, server = (quote(base64.b64encode(key), safe="") for key in (CLIENT_KEY, public_of(SERVER_KEY)))
            return (f"wireguard://{client}@{place}?publickey={server}&address=10.0.0.2/24",)
        case Hello.SHADOWSOCKS:
            return (f"ss://{SHADOWSOCKS_METHOD}:{SHADOWSOCKS_PASSWORD.decode()}@{place}?payload=echo",)
        case Hello.TROJAN:
            return (f"trojan://{TROJAN_PASSWORD.decode()}@{place}?insecure=1&payload=echo",)
        case Hello.VLESS:
            return (f"vless://{VLESS_USER.hex()}@{place}?security=tls&insecure=1&payload=echo",)
