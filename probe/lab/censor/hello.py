"""The server name and the shape of a ClientHello, as far as a censor has seen the stream.

Source: RFC 8446 sections 4.1.2 and 5.1 (a hello may span records), RFC 6066 section 3 (server_name),
draft-ietf-tls-esni (encrypted_client_hello, 0xfe0d).
"""

import struct

import msgspec

SERVER_NAME = 0
ENCRYPTED_CLIENT_HELLO = 0xFE0D
ENCRYPTED_SERVER_NAME = 0xFFCE
"""What ECH grew out of (draft-ietf-tls-esni-02)."""


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """What a censor learns from a ClientHello."""

    server_name: str
    size: int
    extensions: tuple[int, ...]


class Unfinished(Exception):  # noqa: N818 - it is no error: the stream goes on
    """More bytes are needed to say."""


def parse_hello(stream: bytes) -> Hello | None:
    """Read the hello at the start of a stream; `None` if it cannot be one.

    Raises:
        Unfinished: what is there may still become one.
    """
    if stream and stream[0] != 0x16:
        return None
    return parse_handshake(_join_records(stream))


def parse_handshake(message: bytes) -> Hello | None:
    """Read a hello without records around it, as QUIC carries it; `None` if it cannot be one.

    Raises:
        Unfinished: what is there may still become one.
    """
    if message[:1] not in (b"", b"\x01"):
        return None
    if len(message) < 4:
        raise Unfinished
    size = int.from_bytes(message[1:4], "big")
    if len(message) < 4 + size:
        raise Unfinished
    try:
        return _read_body(message[4 : 4 + size])
    except (struct.error, IndexError):
        return None


def _join_records(stream: bytes) -> bytes:
    """Return the handshake bytes of all records so far, the cut last one included."""
    joined = b""
    at = 0
    while at + 5 <= len(stream) and stream[at] == 0x16:
        length = struct.unpack_from("!H", stream, at + 3)[0]
        joined += stream[at + 5 : at + 5 + length]
        at += 5 + length
    return joined


def _read_body(body: bytes) -> Hello:
    at = 34
    at += 1 + body[at]
    at += 2 + struct.unpack_from("!H", body, at)[0]
    at += 1 + body[at]
    name = ""
    kinds: list[int] = []
    end = min(len(body), at + 2 + struct.unpack_from("!H", body, at)[0]) if at < len(body) else at
    at += 2
    while at + 4 <= end:
        kind, length = struct.unpack_from("!HH", body, at)
        kinds.append(kind)
        if kind == SERVER_NAME and length > 5:
            name_length = struct.unpack_from("!H", body, at + 7)[0]
            name = body[at + 9 : at + 9 + name_length].decode("ascii", "replace").lower()
        at += 4 + length
    return Hello(server_name=name, size=len(body), extensions=tuple(kinds))
