"""simple-obfs: a Shadowsocks stream that begins like HTTP or like TLS.

Source: github.com/shadowsocks/simple-obfs (obfs_http.c, obfs_tls.c): the first flight rides behind the head of a
WebSocket upgrade, or in the session ticket of a ClientHello; the answer follows a 101, or is the second handshake
record after a fake ServerHello. What comes later is raw (HTTP) or in application data records (TLS).
Nothing is verified on either side: who answers in this shape has proven nothing.
"""

import base64
import struct
from collections.abc import Callable

from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Ask
from probe.protocols.incoming import Incoming, Reading

_CIPHERS = bytes.fromhex(
    "c02cc030009fcca9cca8ccaac02bc02f009ec024c028006bc023c0270067c00ac0140039c009c0130033009d009c003d003c0035002f00ff"
)
_OTHER_EXTENSIONS = bytes.fromhex(
    "000b000403010002000a000a0008001d001700190018"
    "000d0020001e060106020603050105020503040104020403030103020303020102020203"
    "0016000000170000"
)
_CHANGE_CIPHER_SPEC, _HANDSHAKE, _APPLICATION_DATA = 20, 22, 23
_HEAD_LIMIT_BYTES = 16384


def build_http(host: str, port: int, data: bytes, entropy: Callable[[int], bytes]) -> bytes:
    """Return the upgrade request with the data right behind it."""
    authority = host if port == 80 else f"{host}:{port}"
    minor, patch = entropy(2)
    head = (
        f"GET / HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: curl/7.{minor % 51}.{patch % 2}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {base64.b64encode(entropy(16)).decode()}\r\n\r\n"
    )
    return head.encode() + data


def build_tls(host: str, data: bytes, wall_s: float, entropy: Callable[[int], bytes]) -> bytes:
    """Return a ClientHello whose session ticket is the data."""
    name = host.encode()
    ticket = struct.pack("!HH", 35, len(data)) + data
    server_name = struct.pack("!HHHBH", 0, len(name) + 5, len(name) + 3, 0, len(name)) + name
    extensions = ticket + server_name + _OTHER_EXTENSIONS
    body = (
        b"\x03\x03"
        + struct.pack("!I", int(wall_s) & 0xFFFFFFFF)
        + entropy(28)
        + b"\x20"
        + entropy(32)
        + struct.pack("!H", len(_CIPHERS))
        + _CIPHERS
        + b"\x01\x00"
        + struct.pack("!H", len(extensions))
        + extensions
    )
    return b"\x16\x03\x01" + struct.pack("!HBBH", len(body) + 4, 1, 0, len(body)) + body


def wrap_first(ask: Ask, data: bytes) -> tuple[bytes, int]:
    """Return the first flight in the shape that `obfs` names, and where the data starts in it."""
    host = ask.params.get("obfs-host") or ask.host
    if ask.params.get("obfs") == "tls":
        wrapped = build_tls(host, data, ask.wall_s, ask.entropy)
    else:
        wrapped = build_http(host, ask.port, data, ask.entropy)
    return wrapped, wrapped.index(data)


class HttpReader(Incoming):
    """The stream behind the head of a response."""

    def __init__(self, below: Incoming) -> None:
        super().__init__(below.timeout_s, secret=below.secret)
        self._below = below
        self._in_body = False

    def more(self) -> Reading[bool]:
        """Skip the head once, then pass on what comes.

        Raises:
            ProtocolError: the head is not that of the fake upgrade.
        """
        if not self._in_body:
            head = yield from self._below.take_message(_split_head)
            if head is None:
                return False
            if not head.startswith(b"HTTP/1.1 101"):
                raise ProtocolError(f"not the fake upgrade: {head[:32].hex()}")
            self._in_body = True
        if not self._below.pending and not (yield from self._below.more()):
            return False
        self.pending, self._below.pending = self.pending + self._below.pending, b""
        return True


def _split_head(data: bytes) -> tuple[bytes, int] | None:
    end = data.find(b"\r\n\r\n", 0, _HEAD_LIMIT_BYTES)
    if end < 0:
        if len(data) > _HEAD_LIMIT_BYTES or not b"HTTP/1.1 101".startswith(data[:12]):
            raise ProtocolError(f"not a fake upgrade: {data[:32].hex()}")
        return None
    return data[:end], end + 4


class TlsReader(Incoming):
    """The stream inside the records that follow the fake ServerHello."""

    def __init__(self, below: Incoming) -> None:
        super().__init__(below.timeout_s, secret=below.secret)
        self._below = below
        self._hello_seen = False

    def more(self) -> Reading[bool]:
        """Take records until one carries data.

        Raises:
            ProtocolError: what comes is no record of TLS.
        """
        while True:
            header = yield from self._below.take(5)
            if header is None:
                return False
            kind, version, size = struct.unpack("!BHH", header)
            if kind not in (_CHANGE_CIPHER_SPEC, _HANDSHAKE, _APPLICATION_DATA) or version >> 8 != 3:
                raise ProtocolError(f"not the fake TLS: {header.hex()}")
            record = yield from self._below.take(size)
            if record is None:
                return False
            if kind == _CHANGE_CIPHER_SPEC or not self._hello_seen:
                self._hello_seen = True
                continue
            if record:
                self.pending += record
                return True


def unwrap(ask: Ask, below: Incoming) -> Incoming:
    """Return the stream under the shape that `obfs` names."""
    return TlsReader(below) if ask.params.get("obfs") == "tls" else HttpReader(below)
