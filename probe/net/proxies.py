"""The way through somebody's proxy: SOCKS5, or HTTP CONNECT.

Source: RFC 1928 sections 3 to 6 (no authentication, CONNECT by name, so that the proxy resolves it), RFC 9110 section
9.3.6. Less than RFC 1928: no GSSAPI, no password (RFC 1929): it would stand in the configuration.
"""

import contextlib
import ipaddress
import struct

from probe.model.errors import ProtocolError
from probe.net.stream import ByteStream
from probe.protocols.proxies.socks5 import REPLIES

MAX_HEAD_BYTES = 16384
_VERSION = 5
_NO_AUTHENTICATION = 0
_CONNECT = 1
_V4, _NAME, _V6 = 1, 3, 4
_ADDRESS_BYTES = {_V4: 4, _V6: 16}


class ProxyRefusal(ProtocolError):  # noqa: N818 - an answer, not nonsense
    """The proxy understood, and could not connect; `code` is its reason in the words of RFC 1928, 0 = not said."""

    def __init__(self, reason: str, code: int = 0) -> None:
        super().__init__(reason)
        self.code = code


GREETING = bytes((_VERSION, 1, _NO_AUTHENTICATION))


def build_connect(host: str, port: int) -> bytes:
    """Return a SOCKS5 request to connect."""
    with contextlib.suppress(ValueError):
        literal = ipaddress.ip_address(host)
        kind = _V4 if literal.version == 4 else _V6
        return bytes((_VERSION, _CONNECT, 0, kind)) + literal.packed + struct.pack("!H", port)
    name = host.encode("ascii", "replace")[:255]
    return bytes((_VERSION, _CONNECT, 0, _NAME, len(name))) + name + struct.pack("!H", port)


def check_method(reply: bytes) -> None:
    """Read the proxy's choice of two bytes.

    Raises:
        ProtocolError: it is no SOCKS5 proxy, or wants a password.
    """
    if reply[0] != _VERSION:
        raise ProtocolError(f"not a SOCKS5 proxy: {reply.hex()}")
    if reply[1] != _NO_AUTHENTICATION:
        raise ProtocolError("the proxy wants authentication")


def read_outcome(head: bytes) -> int:
    """Read the first five bytes of the reply to a request; return how many more follow.

    Raises:
        ProtocolError: the proxy could not connect, or speaks nonsense.
    """
    if head[0] != _VERSION or head[2] != 0:
        raise ProtocolError(f"not a SOCKS5 reply: {head.hex()}")
    if head[1] != 0:
        reason = REPLIES.get(head[1], f"code {head[1]}")
        raise ProxyRefusal(f"the proxy could not connect: {reason}", head[1])
    address_bytes = head[4] + 1 if head[3] == _NAME else _ADDRESS_BYTES.get(head[3])
    if address_bytes is None:
        raise ProtocolError(f"not a SOCKS5 reply: {head.hex()}")
    return address_bytes - 1 + 2


async def pass_socks5(stream: ByteStream, host: str, port: int, deadline_s: float) -> None:
    """Have a SOCKS5 proxy connect us.

    Raises:
        ProtocolError: it will not.
        OSError: the connection to it broke, or it took too long.
    """
    await stream.send(GREETING, deadline_s)
    check_method(await _read(stream, 2, deadline_s))
    await stream.send(build_connect(host, port), deadline_s)
    await _read(stream, read_outcome(await _read(stream, 5, deadline_s)), deadline_s)


async def pass_http(stream: ByteStream, host: str, port: int, deadline_s: float) -> None:
    """Have an HTTP proxy connect us.

    Raises:
        ProtocolError: it will not.
        OSError: the connection to it broke, or it took too long.
    """
    authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    await stream.send(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode(), deadline_s)
    head = b""
    # Byte by byte at the end: what follows the blank line belongs to the tunnel.
    while not head.endswith(b"\r\n\r\n"):
        if len(head) >= MAX_HEAD_BYTES:
            raise ProtocolError("the proxy's answer has no end")
        head += await _read(stream, 1, deadline_s)
    check_status(head)


def check_status(head: bytes) -> None:
    """Read the head of a proxy's answer.

    Raises:
        ProtocolError: it is not a 2xx.
    """
    words = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if not words[0].startswith(b"HTTP/1.") or len(words) < 2:
        raise ProtocolError(f"not an HTTP proxy: {head[:32].hex()}")
    if len(words[1]) != 3 or not words[1].startswith(b"2"):
        raise ProxyRefusal(f"the proxy could not connect: {words[1][:16].decode('latin-1')}")


async def _read(stream: ByteStream, count: int, deadline_s: float) -> bytes:
    """Read exactly so many bytes.

    Raises:
        ProtocolError: the proxy hung up before.
    """
    data = b""
    while len(data) < count:
        chunk = await stream.receive(count - len(data), deadline_s)
        if not chunk:
            raise ProtocolError("the proxy hung up")
        data += chunk
    return data
