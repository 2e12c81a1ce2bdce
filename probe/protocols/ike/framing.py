"""The header and payload chain of IKE messages, both versions.

Source: RFC 7296 sections 3.1 (header), 3.2 (generic payload header), 3.10 (notify); RFC 2408 sections 3.1, 3.2, 3.14
(IKEv1 has the same shape, with reserved bits where IKEv2 has the critical bit); RFC 3948 section 2.2 (the four zero
bytes in front on port 4500, without which the packet is taken for ESP).
"""

import struct

import msgspec

from probe.model.errors import ProtocolError

HEADER = struct.Struct("!8s8sBBBBII")
NON_ESP_MARKER = bytes(4)
NAT_PORT = 4500
_MOST_PAYLOADS = 64


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One IKE message; payloads of encrypted ones are not in it."""

    initiator_spi: bytes
    responder_spi: bytes
    next_payload: int
    version: int
    """Major version in the high half, minor in the low."""
    exchange: int
    flags: int
    message_id: int
    body: bytes


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """One payload of the chain, its header removed."""

    type: int
    body: bytes


def build_message(message: Message) -> bytes:
    """Return the bytes of a message."""
    return (
        HEADER.pack(
            message.initiator_spi,
            message.responder_spi,
            message.next_payload,
            message.version,
            message.exchange,
            message.flags,
            message.message_id,
            HEADER.size + len(message.body),
        )
        + message.body
    )


def build_chain(payloads: tuple[Payload, ...]) -> tuple[int, bytes]:
    """Return the type of the first payload and the bytes of all."""
    if not payloads:
        return 0, b""
    following = (*(p.type for p in payloads[1:]), 0)
    body = b"".join(
        struct.pack("!BBH", after, 0, 4 + len(payload.body)) + payload.body
        for payload, after in zip(payloads, following, strict=True)
    )
    return payloads[0].type, body


def parse_message(data: bytes) -> Message:
    """Read a datagram, the marker of port 4500 removed.

    Raises:
        ProtocolError: it is not an IKE message, or its length is not the datagram's.
    """
    if len(data) < HEADER.size:
        raise ProtocolError(f"shorter than an IKE header: {data[: HEADER.size].hex()}")
    spi_i, spi_r, following, version, exchange, flags, message_id, length = HEADER.unpack_from(data)
    if length != len(data):
        raise ProtocolError(f"an IKE message of {length} bytes in {len(data)}: {data[: HEADER.size].hex()}")
    if version >> 4 not in (1, 2, 3):
        raise ProtocolError(f"no IKE version: {data[: HEADER.size].hex()}")
    return Message(
        initiator_spi=spi_i,
        responder_spi=spi_r,
        next_payload=following,
        version=version,
        exchange=exchange,
        flags=flags,
        message_id=message_id,
        body=data[HEADER.size :],
    )


def parse_chain(first: int, body: bytes) -> tuple[Payload, ...]:
    """Read payloads to the end of the chain; an encrypted one (46, SK) ends it.

    Raises:
        ProtocolError: a length points outside, or the chain does not end.
    """
    payloads: list[Payload] = []
    at = 0
    following = first
    while following:
        if len(payloads) == _MOST_PAYLOADS:
            raise ProtocolError(f"more than {_MOST_PAYLOADS} IKE payloads: {body[:16].hex()}")
        if at + 4 > len(body):
            raise ProtocolError(f"an IKE payload is cut off: {body[at : at + 16].hex()}")
        after, _, length = struct.unpack_from("!BBH", body, at)
        if length < 4 or at + length > len(body):
            raise ProtocolError(f"an IKE payload of {length} bytes does not fit: {body[at : at + 16].hex()}")
        payloads.append(Payload(type=following, body=body[at + 4 : at + length]))
        at += length
        following = 0 if following == 46 else after
    return tuple(payloads)


def find_payload(payloads: tuple[Payload, ...], kind: int) -> bytes | None:
    """Return the body of the first payload of a type, or `None`."""
    return next((p.body for p in payloads if p.type == kind), None)


def parse_notify(body: bytes) -> tuple[int, bytes]:
    """Return the type of a notification and its data (IKEv2: RFC 7296 section 3.10).

    Raises:
        ProtocolError: it is cut off.
    """
    if len(body) < 4 or len(body) < 4 + body[1]:
        raise ProtocolError(f"an IKE notification is cut off: {body[:16].hex()}")
    return int.from_bytes(body[2:4], "big"), body[4 + body[1] :]
