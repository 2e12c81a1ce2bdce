"""What a reference server says behind TLS: Trojan and VLESS, whose streams look like a web site's until they are read.

Its credentials are public, and nothing is relayed: what was to be relayed comes back, or, where it begins a TLS
handshake, an alert. Source: trojan-gfw.github.io/trojan/protocol; xtls.github.io/development/protocols/vless.
"""

import hashlib
import hmac

from probe.model.errors import ProtocolError
from probe.protocols.proxies.socks_address import VMESS, split_address

TROJAN_PASSWORD = b"wallprobe-reference"  # no secret: it opens nothing
VLESS_USER = bytes.fromhex("77616c6c70726f62652d7265666572ee")
"""No secret either."""
ALERT = b"\x16\x03\x03\x00\x02\x02\x28"
"""What a destination would say first to whom it does not understand: a handshake record that ends it."""
_MOST_HEAD_BYTES = 1024
_CRLF = b"\r\n"
_CONNECT = 1


def begins_tls(payload: bytes) -> bool:
    """Tell whether this is a ClientHello, as far as it has come: of noise one in 256 has the first byte alone."""
    return payload[:2] == b"\x16\x03" and payload[5:6] in (b"", b"\x01")


class _Echo:
    """Takes a head, and hands back what follows it."""

    def __init__(self) -> None:
        self._pending: bytes | None = b""
        """What came of the head; `None` once it is read."""
        self._is_over = False

    def take(self, data: bytes) -> bytes | None:
        """Take a chunk; return what to send, `None` = nothing yet.

        Raises:
            ProtocolError: this is not the protocol, or not our user.
        """
        if self._pending is None:
            return None if self._is_over else data
        self._pending += data
        end = self._find_end(self._pending)
        if end is None:
            if len(self._pending) > _MOST_HEAD_BYTES:
                raise ProtocolError("a head without an end")
            return None
        payload, self._pending = self._pending[end:], None
        return self._greeting() + self._answer(payload)

    def _answer(self, payload: bytes) -> bytes:
        self._is_over = begins_tls(payload)
        return ALERT if self._is_over else payload

    def _greeting(self) -> bytes:
        return b""

    def _find_end(self, data: bytes) -> int | None:
        raise NotImplementedError


class TrojanEcho(_Echo):
    """Reads hash, command and address."""

    def _find_end(self, data: bytes) -> int | None:
        proof = hashlib.sha224(TROJAN_PASSWORD).hexdigest().encode() + _CRLF
        if not hmac.compare_digest(data[: len(proof)], proof[: len(data)]):
            raise ProtocolError("not our user")
        if len(data) <= len(proof):
            return None
        if data[len(proof)] != _CONNECT:
            raise ProtocolError("no command that is spoken here")
        split = split_address(data[len(proof) + 1 :])
        if split is None:
            return None
        end = len(proof) + 1 + split[1] + len(_CRLF)
        if len(data) < end:
            return None
        if data[end - len(_CRLF) : end] != _CRLF:
            raise ProtocolError("no end of the request")
        return end


class VlessEcho(_Echo):
    """Reads version, user, command and address."""

    def _greeting(self) -> bytes:
        return b"\0\0"

    def _find_end(self, data: bytes) -> int | None:
        head = b"\0" + VLESS_USER + b"\0" + bytes((_CONNECT,))
        if not hmac.compare_digest(data[: len(head)], head[: len(data)]):
            raise ProtocolError("not our user, or no command that is spoken here")
        if len(data) < len(head) + 2:
            return None
        # VLESS puts the port before the address; in other forms what follows the address is the payload.
        split = split_address(data[len(head) + 2 :], VMESS)
        return None if split is None else len(head) + split[1]
