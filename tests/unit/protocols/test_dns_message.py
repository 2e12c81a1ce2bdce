"""Messages of every type, and what is wrong with those that do not answer."""

import subprocess
import sys

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError, UserError
from probe.model.observation import DNSAnswer, DNSReply, ReplyFit
from probe.protocols.dns.codec import BadNameError
from probe.protocols.dns.message import build_message, parse_query_type, parse_reply, read_question, take_message

QUERY = build_message(77, "www.example.com", "A")


def reply_to(query: bytes, *records: tuple[str, str, str]) -> dns.message.Message:
    message = dns.message.make_response(dns.message.from_wire(query))
    for owner, kind, value in records:
        message.answer.append(dns.rrset.from_text(owner, 60, "IN", kind, value))
    return message


def read(wire: bytes, query: bytes = QUERY) -> DNSReply:
    return parse_reply(wire, query, t_s=0.5, ip_ttl=55)


@pytest.mark.parametrize(
    ("kind", "value", "shown"),
    [
        ("A", "93.184.216.34", "93.184.216.34"),
        ("AAAA", "2606:2800:0::1", "2606:2800::1"),
        ("CNAME", "cdn.example.net.", "cdn.example.net"),
        ("NS", "ns1.example.net.", "ns1.example.net"),
        ("TXT", '"v=spf1 -all"', '"v=spf1 -all"'),
        ("SOA", "a.example. b.example. 1 2 3 4 5", "a.example. b.example. 1 2 3 4 5"),
        ("MX", "10 mail.example.", "10 mail.example."),
        ("HTTPS", '1 . alpn="h2,h3"', '1 . alpn="h2,h3"'),
    ],
)
def test_a_record_of_each_type_is_read(kind: str, value: str, shown: str) -> None:
    query = build_message(77, "www.example.com", kind)
    reply = read(reply_to(query, ("www.example.com.", kind, value)).to_wire(), query)
    assert reply.fit is ReplyFit.OURS
    assert reply.answers == (DNSAnswer(type=kind, value=shown, ttl_s=60, name="www.example.com"),)


def test_a_question_carries_edns_and_asks_for_recursion() -> None:
    message = dns.message.from_wire(QUERY)
    assert (message.id, message.edns, message.payload) == (77, 0, 1232)
    assert message.flags & dns.flags.RD


def test_the_header_bits_and_the_raw_bytes_are_kept() -> None:
    message = reply_to(QUERY, ("www.example.com.", "A", "10.10.34.34"))
    message.flags |= dns.flags.AA
    wire = message.to_wire()
    reply = read(wire)
    assert (reply.flags, reply.raw, reply.ip_ttl, reply.t_s) == (0x8500, wire, 55, 0.5)


def test_another_id_is_told_apart() -> None:
    wire = reply_to(QUERY, ("www.example.com.", "A", "1.2.3.4")).to_wire()
    assert read(b"\xff\xff" + wire[2:]).fit is ReplyFit.WRONG_ID


@pytest.mark.parametrize(("name", "kind"), [("www.example.org", "A"), ("www.example.com", "AAAA")])
def test_the_answer_to_another_question_is_told_apart(name: str, kind: str) -> None:
    other = build_message(77, name, kind)
    assert read(reply_to(other).to_wire()).fit is ReplyFit.WRONG_QUESTION


def test_a_name_is_the_same_in_capitals() -> None:
    wire = reply_to(QUERY).to_wire().replace(b"example", b"EXAMPLE")
    assert read(wire).fit is ReplyFit.OURS


def test_an_error_without_a_question_is_ours_and_an_answer_without_one_is_not() -> None:
    refusal = dns.message.Message(id=77)
    refusal.flags |= dns.flags.QR
    assert read(refusal.to_wire()).fit is ReplyFit.WRONG_QUESTION
    refusal.set_rcode(dns.rcode.REFUSED)
    assert (read(refusal.to_wire()).fit, read(refusal.to_wire()).rcode) == (ReplyFit.OURS, 5)


def test_our_own_question_sent_back_is_no_reply() -> None:
    assert read(QUERY).fit is ReplyFit.MALFORMED


def test_bytes_after_the_end_are_counted() -> None:
    reply = read(reply_to(QUERY, ("www.example.com.", "A", "1.2.3.4")).to_wire() + b"leaked memory")
    assert (reply.fit, reply.trailing_bytes) == (ReplyFit.OURS, 13)
    assert reply.answers[0].value == "1.2.3.4"


def test_what_can_be_read_of_a_broken_message_is_kept() -> None:
    message = reply_to(QUERY, ("www.example.com.", "A", "1.2.3.4"), ("www.example.com.", "A", "5.6.7.8"))
    message.use_edns(False)
    reply = read(message.to_wire()[:-3])
    assert reply.fit is ReplyFit.MALFORMED
    assert [answer.value for answer in reply.answers] == ["1.2.3.4"]


def test_a_truncated_reply_is_ours() -> None:
    message = reply_to(QUERY)
    message.flags |= dns.flags.TC
    assert read(message.to_wire()).fit is ReplyFit.OURS


def test_a_record_of_another_class_is_named_so() -> None:
    message = reply_to(QUERY)
    message.answer.append(dns.rrset.from_text("www.example.com.", 60, "CH", "TXT", '"x"'))
    assert read(message.to_wire()).answers[0].type == "CH TXT"


@given(st.binary(max_size=200))
def test_any_bytes_are_some_reply(wire: bytes) -> None:
    assert read(wire).raw == wire


@given(st.binary(max_size=200), st.integers(0, 3), st.integers(0, 3))
def test_any_bytes_behind_a_reply_header_are_some_reply(tail: bytes, answers: int, additionals: int) -> None:
    header = QUERY[:2] + b"\x81\x80\0\1" + bytes((0, answers, 0, 0, 0, additionals))
    question = QUERY[12 : len(QUERY) - 11]
    assert isinstance(read(header + question + tail), DNSReply)


@given(st.data())
def test_any_damage_leaves_some_reply(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(["A", "TXT", "HTTPS", "SOA", "MX", "NAPTR"]))
    values = {
        "A": "1.2.3.4",
        "TXT": '"x" "y"',
        "HTTPS": '1 . alpn="h2" ipv4hint="1.2.3.4"',
        "SOA": "a. b. 1 2 3 4 5",
        "MX": "1 a.b.",
        "NAPTR": '1 2 "a" "b" "c" d.',
    }
    query = build_message(77, "www.example.com", kind)
    wire = bytearray(reply_to(query, ("www.example.com.", kind, values[kind])).to_wire())
    for _ in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    reply = read(bytes(wire), query)
    assert all(isinstance(answer.value, str) for answer in reply.answers)


def test_a_type_is_named_as_people_write_it() -> None:
    assert [parse_query_type(text) for text in ("aaaa", "HTTPS", "TYPE65", "txt")] == ["AAAA", "HTTPS", "HTTPS", "TXT"]


@pytest.mark.parametrize("text", ["FOO", "", "OPT", "AXFR", "TYPE99999"])
def test_a_type_that_cannot_be_asked_for_is_the_users_error(text: str) -> None:
    with pytest.raises(UserError):
        parse_query_type(text)


@pytest.mark.parametrize("name", ["a..b", "a" * 64, "x." * 200, "\udcff"])
def test_a_name_that_dns_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(BadNameError):
        build_message(1, name, "TXT")


def test_a_message_without_one_question_has_no_question() -> None:
    for wire in (b"", dns.message.Message(id=1).to_wire()):
        with pytest.raises(ProtocolError):
            read_question(wire)


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_a_message_of_a_stream_is_found_however_it_is_cut(message: bytes, rest: bytes) -> None:
    whole = len(message).to_bytes(2, "big") + message
    assert take_message(bytearray(whole + rest)) == message
    for end in range(len(whole)):
        assert take_message(bytearray(whole[:end])) is None


def test_reading_an_ordinary_answer_imports_nothing_more():
    """Half a handful of milliseconds in the middle of a run would be counted as the network's."""
    read = (
        "import sys, dns.message, dns.rrset; from probe.protocols.dns import message; known = set(sys.modules);"
        "[dns.rrset.from_text('a.example.', 1, 'IN', kind, value)"
        " for kind, value in (('A', '192.0.2.1'), ('AAAA', '2001:db8::1'), ('CNAME', 'b.example.'))];"
        "print(sorted(set(sys.modules) - known))"
    )
    run = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
