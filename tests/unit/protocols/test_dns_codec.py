"""The hot path's codec, with dnspython as the oracle: what it accepts, dnspython reads alike."""

import contextlib

import dns.flags
import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.observation import ReplyFit
from probe.protocols.dns.codec import (
    TYPE_A,
    TYPE_AAAA,
    BadNameError,
    build_query,
    encode_name,
    parse_addresses,
)
from probe.protocols.dns.message import parse_reply

NAME = "www.example.com"
QUERY = build_query(0x1234, NAME, TYPE_A)
HEADER = QUERY[:2] + b"\x81\x80\0\1\0\1\0\0\0\0"
A_RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x5d\xb8\xd8\x22"

labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=20)
names = st.lists(labels, min_size=1, max_size=5).map(".".join)
ipv4 = st.ip_addresses(v=4).map(str)
ipv6 = st.ip_addresses(v=6).map(str)


@st.composite
def plain_replies(draw: st.DrawFn) -> tuple[bytes, bytes, str]:
    """A question, its reply as dnspython writes it, and the name."""
    name = draw(names)
    kind = draw(st.sampled_from(["A", "AAAA"]))
    query = build_query(draw(st.integers(0, 65535)), name, TYPE_A if kind == "A" else TYPE_AAAA)
    reply = dns.message.make_response(dns.message.from_wire(query))
    reply.flags |= draw(st.sampled_from([0, dns.flags.RA, dns.flags.AA, dns.flags.RA | dns.flags.AD]))
    owner = name
    for target in draw(st.lists(names, max_size=3)):
        reply.answer.append(
            dns.rrset.from_text(f"{owner}.", draw(st.integers(0, 2**31 - 1)), "IN", "CNAME", f"{target}.")
        )
        owner = target
    for address in draw(st.lists(ipv4 if kind == "A" else ipv6, max_size=4)):
        reply.answer.append(dns.rrset.from_text(f"{owner}.", 60, "IN", kind, address))
    if draw(st.booleans()):
        soa = f"{draw(names)}. {draw(names)}. 1 2 3 4 5"
        reply.authority.append(dns.rrset.from_text(f"{draw(names)}.", 60, "IN", "SOA", soa))
    return query, reply.to_wire(), name


@given(plain_replies())
def test_an_ordinary_reply_is_read_as_dnspython_reads_it(case: tuple[bytes, bytes, str]) -> None:
    query, wire, name = case
    parsed = parse_addresses(wire, query, name)
    assert parsed is not None
    oracle = parse_reply(wire, query, t_s=0.0)
    assert (parsed, ReplyFit.OURS, 0) == ((oracle.flags, oracle.answers), oracle.fit, oracle.rcode)


@given(plain_replies(), st.data())
def test_a_damaged_reply_is_refused_or_read_as_dnspython_reads_it(
    case: tuple[bytes, bytes, str], data: st.DataObject
) -> None:
    query, wire, name = case
    damaged = bytearray(wire)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(2, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(12, len(damaged)))])
    parsed = parse_addresses(cut, query, name)
    if parsed is not None:
        oracle = parse_reply(cut, query, t_s=0.0)
        assert (oracle.fit, oracle.rcode, oracle.trailing_bytes) == (ReplyFit.OURS, 0, 0)
        assert parsed == (oracle.flags, oracle.answers)


@given(st.binary(max_size=120))
def test_any_bytes_behind_a_good_header_are_refused_or_read_as_dnspython_reads_them(tail: bytes) -> None:
    wire = HEADER + QUERY[12:] + tail
    parsed = parse_addresses(wire, QUERY, NAME)
    if parsed is not None:
        oracle = parse_reply(wire, QUERY, t_s=0.0)
        assert oracle.fit is ReplyFit.OURS
        assert parsed == (oracle.flags, oracle.answers)


@given(st.binary(max_size=64))
def test_any_bytes_at_all_do_not_raise(wire: bytes) -> None:
    parse_addresses(wire, QUERY, NAME)


@given(names, st.sampled_from([TYPE_A, TYPE_AAAA]), st.integers(0, 65535))
def test_a_question_is_what_dnspython_would_send(name: str, kind: int, message_id: int) -> None:
    oracle = dns.message.make_query(f"{name}.", kind, id=message_id).to_wire()
    assert build_query(message_id, name, kind) == oracle


@pytest.mark.parametrize(
    ("what", "wire"),
    [
        ("truncated", QUERY[:2] + b"\x83\x80" + HEADER[4:] + QUERY[12:] + A_RECORD),
        ("an error", QUERY[:2] + b"\x81\x83" + HEADER[4:] + QUERY[12:] + A_RECORD),
        ("a question", QUERY[:2] + b"\x01\x80" + HEADER[4:] + QUERY[12:] + A_RECORD),
        ("trailing bytes", HEADER + QUERY[12:] + A_RECORD + b"\0"),
        ("another name", HEADER + QUERY[12:].replace(b"www", b"wwx") + A_RECORD),
        ("a pointer to itself", HEADER + QUERY[12:] + b"\xc0\x21" + A_RECORD[2:]),
        ("a pointer forward", HEADER + QUERY[12:] + b"\xc0\x30" + A_RECORD[2:]),
        ("a record of another type", HEADER + QUERY[12:] + A_RECORD[:3] + b"\x10" + A_RECORD[4:]),
        ("a record of another class", HEADER + QUERY[12:] + A_RECORD[:5] + b"\x03" + A_RECORD[6:]),
        ("a short address", HEADER + QUERY[12:] + A_RECORD[:11] + b"\x03" + A_RECORD[12:-1]),
        ("a cut address", HEADER + QUERY[12:] + A_RECORD[:-1]),
    ],
)
def test_whatever_is_unusual_is_left_to_dnspython(what: str, wire: bytes) -> None:
    assert parse_addresses(wire, QUERY, NAME) is None, what


def test_two_names_that_point_at_each_other_end() -> None:
    loop = b"\xc0\x23\0\1\0\1\0\0\0\x3c\0\4\x5d\xb8\xd8\x22"
    assert parse_addresses(HEADER + QUERY[12:] + b"\xc0\x21" + loop, QUERY, NAME) is None


@pytest.mark.parametrize(
    "name", ["a..b", ".a", "a" * 64 + ".com", ".".join(["a" * 60] * 5), "bücher.example", "x" * 300]
)
def test_a_name_that_dns_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(BadNameError):
        encode_name(name)


def test_the_root_and_a_final_dot_are_names() -> None:
    assert encode_name(".") == encode_name("") == b"\0"
    assert encode_name("example.com.") == encode_name("example.com")


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_refused(name: str) -> None:
    with contextlib.suppress(BadNameError):
        assert encode_name(name).endswith(b"\0")
