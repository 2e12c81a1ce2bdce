"""WebSocket as proxies ride it: the upgrade, then binary frames as one stream.

Source: RFC 6455 sections 4.1 and 4.2.2 (upgrade, accept), 5.2 (frames), 5.3 (masking).
Less than the RFC: fragments are joined as they come, pings stay unanswered, extensions are not offered.
"""

import base64
import hashlib
import struct
from collections.abc import Callable
from urllib.parse import quote

from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Refused
from probe.protocols.incoming import Incoming, Reading

_ACCEPT_SALT = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_HEAD_LIMIT_BYTES = 16384
_PATH = "/:@!$&'()*+,;=-._~%?[]|"
"""What stays as it is in a path; a percent sign, because it is encoded already where it stands."""


def build_upgrade(host: str, path: str, key: bytes | None) -> bytes:
    """Return the request; without a key it asks for a bare upgrade (`httpupgrade`), after which no frames follow."""
    # As clients do: links hold paths with blanks, emoji and worse.
    path = quote(path or "/", safe=_PATH)
    head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    if key is not None:
        head += f"Sec-WebSocket-Key: {base64.b64encode(key).decode()}\r\nSec-WebSocket-Version: 13\r\n"
    return head.encode("utf-8", "replace") + b"\r\n"


def parse_upgrade(head: bytes, key: bytes | None) -> None:
    """Check the head of the response.

    Raises:
        Refused: a web server answers, but not with an upgrade.
        ProtocolError: it is not HTTP, or accepts another key.
    """
    status, *lines = head.split(b"\r\n")
    if not status.startswith(b"HTTP/1.1 "):
        raise ProtocolError(f"not HTTP: {head[:32].hex()}")
    if status[9:12] != b"101":
        raise Refused(f"no upgrade: {status[:40].decode('ascii', 'replace')}")
    if key is None:
        return
    wanted = base64.b64encode(hashlib.sha1(base64.b64encode(key) + _ACCEPT_SALT, usedforsecurity=False).digest())
    headers = dict(line.lower().split(b":", 1) for line in lines if b":" in line)
    if headers.get(b"sec-websocket-accept", b"").strip() != wanted.lower():
        raise ProtocolError("the upgrade answers another key")


def split_head(data: bytes) -> tuple[bytes, int] | None:
    """Take an HTTP head from the front; `None` = need more.

    Raises:
        ProtocolError: it does not end, or is not HTTP.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0 and (len(data) > _HEAD_LIMIT_BYTES or not b"HTTP/".startswith(data[:5])):
        raise ProtocolError(f"not HTTP: {data[:32].hex()}")
    return None if end < 0 else (data[:end], end + 4)


def build_frame(data: bytes, mask: bytes) -> bytes:
    """Return one final binary frame, masked as clients must."""
    if len(data) < 126:
        length = struct.pack("!B", 0x80 | len(data))
    elif len(data) < 65536:
        length = struct.pack("!BH", 0xFE, len(data))
    else:
        length = struct.pack("!BQ", 0xFF, len(data))
    return bytes((0x80 | _BINARY,)) + length + mask + apply_mask(data, mask)


def apply_mask(data: bytes, mask: bytes) -> bytes:
    """Return the bytes XORed with the repeated mask of four."""
    stream = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(stream, "big")).to_bytes(len(data), "big")


class FrameReader(Incoming):
    """The stream inside a server's frames."""

    def __init__(self, below: Incoming) -> None:
        super().__init__(below.timeout_s, secret=below.secret)
        self._below = below
        self._left = 0
        self._skip = False

    def more(self) -> Reading[bool]:
        """Take what has come of a data frame; control frames are passed over, a close is the end."""
        while not self.ended:
            if not self._left:
                if not (yield from self._open_frame()):
                    return False
                continue
            if not self._below.pending and not (yield from self._below.more()):
                return False
            piece = self._below.pending[: self._left]
            self._below.pending = self._below.pending[self._left :]
            self._left -= len(piece)
            if not self._skip:
                self.pending += piece
                return True
        return False

    def _open_frame(self) -> Reading[bool]:
        header = yield from self._below.take(2)
        if header is None:
            return False
        opcode, size = header[0] & 0x0F, header[1]
        if header[0] & 0x70 or size & 0x80 or opcode not in (_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG):
            raise ProtocolError(f"not a frame of a server: {header.hex()}")
        if size >= 126:
            longer = yield from self._below.take(2 if size == 126 else 8)
            if longer is None:
                return False
            size = int.from_bytes(longer, "big")
        self.ended = opcode == _CLOSE
        self._skip = opcode >= _CLOSE
        self._left = size
        return True


def masked(data: bytes, entropy: Callable[[int], bytes]) -> tuple[bytes, int]:
    """Return a frame of these bytes and where they start in it."""
    frame = build_frame(data, entropy(4))
    return frame, len(frame) - len(data)
