"""DNS questions as a censor reads them, and the answers it forges.

Source: RFC 1035 section 4.1; RFC 3596 (AAAA). Less than the RFCs: one question,
no compression in it; nothing after it is read.
"""

import ipaddress
import struct

import msgspec

TYPES = {1: "A", 28: "AAAA", 65: "HTTPS", 16: "TXT", 2: "NS", 5: "CNAME", 6: "SOA", 15: "MX"}


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """The question of a query."""

    id: int
    name: str
    query_type: str
    wire: bytes
    """The question section as sent, for echoing."""


def parse_question(message: bytes) -> Question | None:
    """Read the first question of a query; `None` if it is not one, as a middlebox then looks away."""
    if len(message) < 17:
        return None
    transaction, flags, count = struct.unpack_from("!HHH", message)
    if flags & 0x8000 or count != 1:
        return None
    labels: list[str] = []
    at = 12
    while at < len(message) and message[at]:
        length = message[at]
        if length > 63 or at + 1 + length >= len(message):
            return None
        labels.append(message[at + 1 : at + 1 + length].decode("ascii", "replace").lower())
        at += 1 + length
    if at + 5 > len(message):
        return None
    kind = struct.unpack_from("!H", message, at + 1)[0]
    return Question(
        id=transaction, name=".".join(labels), query_type=TYPES.get(kind, f"TYPE{kind}"), wire=message[12 : at + 5]
    )


def build_answer(
    question: Question,
    addresses: tuple[str, ...],
    *,
    rcode: int = 0,
    authoritative: bool = False,
    ttl_s: int = 60,
    trailing: bytes = b"",
) -> bytes:
    """Return a response with these addresses; each becomes an A or AAAA record by how it is written."""
    flags = 0x8180 | (0x0400 if authoritative else 0) | rcode
    records = b""
    for address in addresses:
        packed = ipaddress.ip_address(address).packed
        records += struct.pack("!HHHIH", 0xC00C, 28 if len(packed) == 16 else 1, 1, ttl_s, len(packed)) + packed
    head = struct.pack("!HHHHHH", question.id, flags, 1, len(addresses), 0, 0)
    return head + question.wire + records + trailing
