"""DNS messages of every type, whole or broken, by dnspython: all that the hot path's codec refuses.

Source: RFC 1035 section 4.1, RFC 6891 (EDNS), RFC 9460 (HTTPS, SVCB), RFC 5625 section 4.4 (who is in between).
Deviation: a reply without a question section that carries an error rcode counts as ours, as resolvers refuse so.
"""

import struct

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.ANY.CNAME
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.rrset

from probe.model.errors import ProtocolError, UserError
from probe.model.observation import DNSAnswer, DNSReply, ReplyFit
from probe.protocols.dns.codec import BadNameError, encode_name, render_ipv6

EDNS_PAYLOAD_BYTES = 1232
"""What fits every path unfragmented (DNS flag day 2020)."""
TRUNCATED = 0x0200
_IS_REPLY = 0x8000
_OPCODE = 0x7800
_RCODE = 0x000F


def parse_query_type(text: str) -> str:
    """Return the canonical name of a record type, from `aaaa`, `HTTPS` or `TYPE65`.

    Raises:
        UserError: there is no such type, or it cannot be asked for.
    """
    try:
        kind = dns.rdatatype.from_text(text)
    except (dns.exception.DNSException, ValueError) as error:
        raise UserError("type", f"no DNS record type {text!r}", "write A, AAAA, CNAME, HTTPS, TXT, NS, …") from error
    if dns.rdatatype.is_metatype(kind) and kind is not dns.rdatatype.ANY:
        raise UserError("type", f"{text!r} cannot be asked for", "write A, AAAA, CNAME, HTTPS, TXT, NS, …")
    return dns.rdatatype.to_text(kind)


def build_message(message_id: int, name: str, query_type: str) -> bytes:
    """Return a recursive question of class IN with EDNS.

    Raises:
        BadNameError: the name cannot be written in a message.
        UserError: there is no such record type.
    """
    kind = parse_query_type(query_type)
    encode_name(name)
    try:
        message = dns.message.make_query(
            dns.name.from_text(name), kind, use_edns=0, payload=EDNS_PAYLOAD_BYTES, id=message_id
        )
    except (dns.exception.DNSException, UnicodeError) as error:
        raise BadNameError(f"DNS cannot carry {name!r}") from error
    return message.to_wire()


def parse_reply(data: bytes, query: bytes, *, t_s: float, ip_ttl: int | None = None, sender: str = "") -> DNSReply:
    """Read whatever came back to `query` and judge whether it answers it; never raises. Keeps the raw bytes."""
    if len(data) < 12:
        return DNSReply(t_s=t_s, fit=ReplyFit.MALFORMED, ip_ttl=ip_ttl, sender=sender, raw=data)
    (flags,) = struct.unpack_from("!H", data, 2)
    message = _read(data) if flags & (_IS_REPLY | _OPCODE) == _IS_REPLY else None
    return DNSReply(
        t_s=t_s,
        fit=_judge(message, data, query),
        rcode=int(message.rcode()) if message is not None else flags & _RCODE,
        flags=flags,
        answers=_list_answers(message) if message is not None else (),
        ip_ttl=ip_ttl,
        sender=sender,
        trailing_bytes=_count_trailing(data),
        raw=data,
    )


def _read(data: bytes) -> dns.message.Message | None:
    """Read as much as can be read; `None` when not even the header makes sense."""
    try:
        return dns.message.from_wire(data, one_rr_per_rrset=True, ignore_trailing=True, continue_on_error=True)
    except dns.exception.DNSException:
        return None


def _judge(message: dns.message.Message | None, data: bytes, query: bytes) -> ReplyFit:
    if message is None or (message.errors and not message.flags & dns.flags.TC):
        return ReplyFit.MALFORMED
    if data[:2] != query[:2]:
        return ReplyFit.WRONG_ID
    if not message.question:
        return ReplyFit.OURS if message.rcode() else ReplyFit.WRONG_QUESTION
    asked = read_question(query)
    seen = message.question[0]
    same = (seen.name, seen.rdtype, seen.rdclass) == (asked.name, asked.rdtype, asked.rdclass)
    return ReplyFit.OURS if same and len(message.question) == 1 else ReplyFit.WRONG_QUESTION


def read_question(message: bytes) -> dns.rrset.RRset:
    """Return the question of a message.

    Raises:
        ProtocolError: there is not exactly one.
    """
    try:
        questions = dns.message.from_wire(message, question_only=True).question
    except dns.exception.DNSException as error:
        raise ProtocolError(f"no DNS question: {message[:32].hex()}") from error
    if len(questions) != 1:
        raise ProtocolError(f"not one DNS question: {message[:32].hex()}")
    return questions[0]


def _list_answers(message: dns.message.Message) -> tuple[DNSAnswer, ...]:
    return tuple(
        DNSAnswer(
            type=_render_type(rrset.rdclass, rrset.rdtype),
            value=_render_value(rdata),
            ttl_s=rrset.ttl,
            name=rrset.name.to_text(omit_final_dot=True),
        )
        for rrset in message.answer
        for rdata in rrset
    )


def _render_type(rdclass: dns.rdataclass.RdataClass, rdtype: dns.rdatatype.RdataType) -> str:
    """Name the type; a class other than IN is named too, so it is never taken for an address of ours."""
    name = dns.rdatatype.to_text(rdtype)
    return name if rdclass == dns.rdataclass.IN else f"{dns.rdataclass.to_text(rdclass)} {name}"


def _render_value(rdata: dns.rdata.Rdata) -> str:
    """Return the record's text; one name alone loses its last dot."""
    if rdata.rdtype == dns.rdatatype.AAAA and rdata.rdclass == dns.rdataclass.IN:
        return render_ipv6(rdata.to_wire() or b"")
    target = getattr(rdata, "target", None)
    if rdata.rdtype in (dns.rdatatype.CNAME, dns.rdatatype.NS, dns.rdatatype.PTR, dns.rdatatype.DNAME) and isinstance(
        target, dns.name.Name
    ):
        return target.to_text(omit_final_dot=True)
    return rdata.to_text()


def take_message(stream: bytearray) -> bytes | None:
    """Return the first whole message of a TCP stream (RFC 1035 section 4.2.2); `None` = more bytes are needed."""
    if len(stream) < 2:
        return None
    end = 2 + int.from_bytes(stream[:2], "big")
    return bytes(stream[2:end]) if len(stream) >= end else None


def _count_trailing(data: bytes) -> int:
    """Return how many bytes follow the last record; 0 when the records cannot be stepped over."""
    questions, *sections = struct.unpack_from("!HHHH", data, 4)
    position = 12
    try:
        for _ in range(questions):
            position = _skip_name(data, position) + 4
        for _ in range(sum(sections)):
            position = _skip_name(data, position)
            (size,) = struct.unpack_from("!H", data, position + 8)
            position += 10 + size
    except (IndexError, struct.error):
        return 0
    return max(0, len(data) - position)


def _skip_name(data: bytes, position: int) -> int:
    while size := data[position]:
        if size >= 0xC0:
            return position + 2
        position += size + 1
    return position + 1
