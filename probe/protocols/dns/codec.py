"""A and AAAA questions and their ordinary answers, at about a microsecond each: the hot path.

Source: RFC 1035 section 4.1 (message, name compression), RFC 3596 section 2 (AAAA), RFC 2181 section 8 (TTL).

Less than the RFC, on purpose: `parse_addresses` reads complete answers made of A, AAAA and CNAME records, with at
most one SOA in the authority section (RFC 2308: no such record), and refuses all else with `None`. Then dnspython
takes over (`probe.protocols.dns.message`), so a refusal costs time, never a fact. What it accepts it reads as
dnspython does: tests hold one against the other.
"""

import functools
import ipaddress
import re
import struct

from probe.model.observation import DNSAnswer

TYPE_A = 1
TYPE_CNAME = 5
TYPE_SOA = 6
TYPE_AAAA = 28
CLASS_IN = 1

HEADER_BYTES = 12
_RECURSION_DESIRED = 0x0100
_PLAIN_FLAGS_MASK = 0xFA4F
"""QR, opcode, TC, Z and rcode; AA, RD, RA, AD and CD may be as they like."""
_PLAIN_FLAGS = 0x8000
_QUESTION_POINTER = b"\xc0\x0c"
_MOST_TTL_S = 0x7FFFFFFF
_MOST_NAME_BYTES = 255
_MOST_RECORDS = 64

_HEADER = struct.Struct("!HHHHHH")
_COUNTS = struct.Struct("!HHHHH")
_RECORD = struct.Struct("!HHIH")
_KIND = struct.Struct("!HH")
_LABEL = re.compile(rb"[A-Za-z0-9_-]{1,63}").fullmatch


class BadNameError(ValueError):
    """A name that DNS cannot carry: an empty or long label, too long in all, not ASCII."""


def build_query(message_id: int, name: str, query_type: int) -> bytes:
    """Return a recursive question of class IN, without EDNS, as a plain stub resolver sends it.

    Raises:
        BadNameError: the name cannot be written in a message.
    """
    return (
        _HEADER.pack(message_id, _RECURSION_DESIRED, 1, 0, 0, 0) + encode_name(name) + _KIND.pack(query_type, CLASS_IN)
    )


@functools.lru_cache(maxsize=256)
def encode_name(name: str) -> bytes:
    """Return the labels of a name, each behind its length (RFC 1035 section 3.1).

    Raises:
        BadNameError: the name cannot be written in a message.
    """
    try:
        labels = name.removesuffix(".").encode("ascii").split(b".")
    except UnicodeEncodeError as error:
        raise BadNameError(f"not ASCII: {name!r}") from error
    if labels == [b""]:
        return b"\x00"
    try:
        wire = b"".join([b"%c%b" % (len(label), label) for label in labels]) + b"\x00"
    except OverflowError as error:
        raise BadNameError(f"a label is too long: {name!r}") from error
    if len(wire) > _MOST_NAME_BYTES or b"" in labels or max(map(len, labels)) > 63:
        raise BadNameError(f"labels are empty or too long: {name!r}")
    return wire


def parse_addresses(data: bytes, query: bytes, name: str) -> tuple[int, tuple[DNSAnswer, ...]] | None:
    """Read a plain answer to `query`, whose id the caller has matched; `None` = refused, let dnspython look.

    Returns the 16 header bits and the answer section in its order.
    """
    position = len(query)
    if data[HEADER_BYTES:position] != query[HEADER_BYTES:] or len(data) < position:
        return None
    flags, questions, answers, authorities, additionals = _COUNTS.unpack_from(data, 2)
    if flags & _PLAIN_FLAGS_MASK != _PLAIN_FLAGS or questions != 1 or additionals or answers > _MOST_RECORDS:
        return None
    records: list[DNSAnswer] = []
    try:
        for _ in range(answers):
            record, position = _read_record(data, position, name)
            records.append(record)
        if authorities:
            position = _skip_soa(data, position, authorities)
    except (_Unusual, struct.error, IndexError):
        return None
    return (flags, tuple(records)) if position == len(data) else None


class _Unusual(Exception):  # noqa: N818 - not an error: the slow path reads it
    """Something that this parser leaves to dnspython."""


def _read_record(data: bytes, position: int, name: str) -> tuple[DNSAnswer, int]:
    if data[position : position + 2] == _QUESTION_POINTER:
        owner = name
        position += 2
    else:
        owner, position = _read_name(data, position)
    kind, record_class, ttl_s, size = _RECORD.unpack_from(data, position)
    position += 10
    end = position + size
    if record_class != CLASS_IN or ttl_s > _MOST_TTL_S or end > len(data):
        raise _Unusual
    if kind == TYPE_A and size == 4:
        value = f"{data[position]}.{data[position + 1]}.{data[position + 2]}.{data[position + 3]}"
        return DNSAnswer(type="A", value=value, ttl_s=ttl_s, name=owner), end
    if kind == TYPE_AAAA and size == 16:
        return DNSAnswer(type="AAAA", value=render_ipv6(data[position:end]), ttl_s=ttl_s, name=owner), end
    if kind != TYPE_CNAME:
        raise _Unusual
    target, after = _read_name(data, position)
    if after != end:
        raise _Unusual
    return DNSAnswer(type="CNAME", value=target, ttl_s=ttl_s, name=owner), end


def _skip_soa(data: bytes, position: int, authorities: int) -> int:
    """Step over the one SOA record that a negative answer brings; anything else is unusual."""
    if authorities != 1:
        raise _Unusual
    _, position = _read_name(data, position)
    kind, record_class, _, size = _RECORD.unpack_from(data, position)
    if kind != TYPE_SOA or record_class != CLASS_IN:
        raise _Unusual
    _, after = _read_name(data, position + 10)
    _, after = _read_name(data, after)
    if after + 20 != position + 10 + size:
        raise _Unusual
    return int(after + 20)


def _read_name(data: bytes, position: int) -> tuple[str, int]:
    """Return a name without its last dot, and where it ends; pointers must lead strictly backwards."""
    labels: list[bytes] = []
    after = -1
    lowest = position
    total = 1
    while size := data[position]:
        position += 1
        if size >= 0xC0:
            if after < 0:
                after = position + 1
            position += 1
            target = (size & 0x3F) << 8 | data[position - 1]
            if target >= lowest:
                raise _Unusual
            lowest = position = target
            continue
        label = data[position : position + size]
        total += size + 1
        if size > 63 or total > _MOST_NAME_BYTES or _LABEL(label) is None or len(label) != size:
            raise _Unusual
        labels.append(label)
        position += size
    if not labels:
        return ".", position + 1 if after < 0 else after
    return b".".join(labels).decode("ascii"), position + 1 if after < 0 else after


@functools.lru_cache(maxsize=4096)
def render_ipv6(packed: bytes) -> str:
    """Return the text of an IPv6 address (RFC 5952)."""
    return str(ipaddress.IPv6Address(packed))
