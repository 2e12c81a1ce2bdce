"""The messages of IKEv2's first exchange, and what identifies a party in the second.

Source: RFC 7296 sections 1.2 (the exchanges), 2.6 (cookies), 2.23 (NAT detection), 3.5 (identities), 3.10.1 (notify
types).
"""

import ipaddress
import struct

import msgspec

from probe.model.errors import ProtocolError
from probe.protocols.ike.framing import (
    Message,
    Payload,
    build_chain,
    build_message,
    find_payload,
    parse_chain,
    parse_message,
    parse_notify,
)
from probe.protocols.ike.proposal import GROUPS, build_ike_offer

SA, KE, ID_I, ID_R, AUTH, NONCE, NOTIFY, DELETE, TS_I, TS_R, CONFIGURATION = 33, 34, 35, 36, 39, 40, 41, 42, 44, 45, 47
IKE_SA_INIT, IKE_AUTH, INFORMATIONAL = 34, 35, 37
FROM_INITIATOR, RESPONSE = 0x08, 0x20
VERSION = 0x20

COOKIE, INVALID_KE, NO_PROPOSAL, INVALID_MAJOR = 16390, 17, 14, 5
_NAT_SOURCE, _NAT_DESTINATION = 16388, 16389
NOTIFY_NAMES = {
    1: "UNSUPPORTED_CRITICAL_PAYLOAD",
    4: "INVALID_IKE_SPI",
    5: "INVALID_MAJOR_VERSION",
    7: "INVALID_SYNTAX",
    9: "INVALID_MESSAGE_ID",
    11: "INVALID_SPI",
    14: "NO_PROPOSAL_CHOSEN",
    17: "INVALID_KE_PAYLOAD",
    24: "AUTHENTICATION_FAILED",
    34: "SINGLE_PAIR_REQUIRED",
    35: "NO_ADDITIONAL_SAS",
    36: "INTERNAL_ADDRESS_FAILURE",
    37: "FAILED_CP_REQUIRED",
    38: "TS_UNACCEPTABLE",
    43: "TEMPORARY_FAILURE",
    16390: "COOKIE",
}
ABOUT_THE_CHILD = frozenset({14, 34, 35, 36, 37, 38, 43})
"""Errors that leave the association itself standing (RFC 7296 section 1.2) once the peer is authenticated."""
LEAST_ERROR, MOST_ERROR = 1, 16383


class IkeReply(msgspec.Struct, frozen=True, kw_only=True):
    """What the responder said."""

    kind: str
    """`accepted`, `cookie`, or the name of the error in lower case."""
    version: int
    """Major version of the answer."""
    cookie: bytes = b""
    group: int = 0
    """Group it asks for instead, or chose."""
    payloads: tuple[Payload, ...] = ()


def build_init(
    spi: bytes, nonce: bytes, ke: tuple[int, bytes], hashes: tuple[bytes, bytes], cookie: bytes = b""
) -> bytes:
    """Return the first message; `ke` is group and public value, `hashes` the two of NAT detection."""
    groups = (*GROUPS, *(() if ke[0] in GROUPS else (ke[0],)))
    payloads = (
        *((Payload(type=NOTIFY, body=struct.pack("!BBH", 0, 0, COOKIE) + cookie),) if cookie else ()),
        Payload(type=SA, body=build_ike_offer(groups)),
        Payload(type=KE, body=struct.pack("!HH", ke[0], 0) + ke[1]),
        Payload(type=NONCE, body=nonce),
        Payload(type=NOTIFY, body=struct.pack("!BBH", 0, 0, _NAT_SOURCE) + hashes[0]),
        Payload(type=NOTIFY, body=struct.pack("!BBH", 0, 0, _NAT_DESTINATION) + hashes[1]),
    )
    first, body = build_chain(payloads)
    return build_message(message_to(spi, bytes(8), first, IKE_SA_INIT, 0, body))


def build_future_version(spi: bytes) -> bytes:
    """Return a header of version 3.0 alone, which a responder must answer with INVALID_MAJOR_VERSION."""
    return build_message(message_to(spi, bytes(8), 0, IKE_SA_INIT, 0, b"", version=0x30))


def parse_init_reply(data: bytes, spi: bytes) -> IkeReply:
    """Read the answer to a first message with this SPI.

    Raises:
        ProtocolError: it is not an answer to it.
    """
    message = parse_message(data)
    if message.initiator_spi != spi:
        raise ProtocolError(f"an IKE message to another SPI: {data[:28].hex()}")
    if message.version >> 4 == 1:
        return IkeReply(kind="ikev1_only", version=1)
    if not message.flags & RESPONSE:
        raise ProtocolError(f"an IKE message that is no response: {data[:28].hex()}")
    payloads = parse_chain(message.next_payload, message.body)
    version = message.version >> 4
    for body in (p.body for p in payloads if p.type == NOTIFY):
        kind, value = parse_notify(body)
        if kind == COOKIE:
            if not 1 <= len(value) <= 64:
                raise ProtocolError(f"a cookie of {len(value)} bytes: {data[:28].hex()}")
            return IkeReply(kind="cookie", version=version, cookie=value)
        if kind == INVALID_KE:
            return IkeReply(kind="invalid_ke_payload", version=version, group=int.from_bytes(value[:2], "big"))
        if LEAST_ERROR <= kind <= MOST_ERROR:
            return IkeReply(kind=name_notify(kind).lower(), version=version)
    ke = find_payload(payloads, KE)
    if ke is None or len(ke) < 4 or find_payload(payloads, SA) is None or not find_payload(payloads, NONCE):
        raise ProtocolError(f"an IKE answer without key or nonce: {data[:28].hex()}")
    return IkeReply(kind="accepted", version=version, group=int.from_bytes(ke[:2], "big"), payloads=payloads)


def build_identity(text: str) -> bytes:
    """Return the body of an identification payload (RFC 7296 section 3.5); a leading `@` means a name as it stands."""
    if text.startswith("@"):
        return bytes([2, 0, 0, 0]) + text[1:].encode()
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return bytes([3 if "@" in text else 2, 0, 0, 0]) + text.encode()
    return bytes([1 if address.version == 4 else 5, 0, 0, 0]) + address.packed


def read_identity(body: bytes) -> str:
    """Return a readable form of an identification payload."""
    kind, value = (body[0] if body else 0), body[4:]
    if kind in (1, 5) and len(value) in (4, 16):
        return str(ipaddress.ip_address(value))
    if kind in (2, 3):
        return value.decode("ascii", "backslashreplace")
    return f"type {kind}: {value.hex()}"


def message_to(
    spi: bytes, theirs: bytes, first: int, exchange: int, number: int, body: bytes, version: int = VERSION
) -> Message:
    """Return a message from us, the initiator."""
    return Message(
        initiator_spi=spi,
        responder_spi=theirs,
        next_payload=first,
        version=version,
        exchange=exchange,
        flags=FROM_INITIATOR,
        message_id=number,
        body=body,
    )


def name_notify(kind: int) -> str:
    """Return the RFC's name of a notification."""
    return NOTIFY_NAMES.get(kind, f"NOTIFY_{kind}")
