"""What a censor reads: questions, hellos, hosts, and the shape of first bytes."""

import contextlib
import itertools

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.lab.censor.flows import Flow
from probe.lab.censor.hello import Unfinished, parse_hello
from probe.lab.censor.payloads import is_fully_encrypted, is_known_protocol, read_head, read_host
from probe.lab.censor.questions import build_answer, parse_question
from probe.lab.censor.sighting import matches_name
from probe.lab.proofs.first_packets import build_hello
from tests.unit.lab.packets import CLIENT_SEQ

HELLO = build_hello("www.news.example")
REQUEST = b"GET /page HTTP/1.1\r\nAccept: */*\r\nHost: WWW.News.Example:80\r\n\r\n"


@given(st.binary(max_size=64))
def test_any_bytes_are_a_question_or_none(data):
    parse_question(data)


@pytest.mark.parametrize("kind", ["A", "AAAA", "TXT", "HTTPS"])
def test_a_question_is_read_and_answered_as_dnspython_sees_it(kind):
    query = dns.message.make_query("WWW.news.example", kind, id=9)
    question = parse_question(query.to_wire())
    assert question is not None
    assert (question.name, question.query_type, question.id) == ("www.news.example", kind, 9)
    addresses = ("2001::1",) if kind == "AAAA" else ("1.2.3.4",)
    answer = dns.message.from_wire(build_answer(question, addresses, authoritative=True, ttl_s=180))
    assert query.is_response(answer)
    assert [str(r) for rrset in answer.answer for r in rrset] == list(addresses)


def test_a_response_and_a_query_cut_at_every_length_are_no_questions():
    wire = dns.message.make_query("news.example", "A", use_edns=False).to_wire()
    assert parse_question(dns.message.make_response(dns.message.from_wire(wire)).to_wire()) is None
    assert all(parse_question(wire[:n]) is None for n in range(len(wire)))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_hello_or_not_or_unfinished(data):
    for stream in (data, b"\x16\x03\x01" + data, HELLO[:60] + data):
        with contextlib.suppress(Unfinished):
            parse_hello(stream)


def test_the_server_name_is_read_only_when_the_hello_is_whole():
    for length in range(len(HELLO)):
        with pytest.raises(Unfinished):
            parse_hello(HELLO[:length])
    hello = parse_hello(HELLO)
    assert hello is not None
    assert (hello.server_name, 0xFE0D in hello.extensions) == ("www.news.example", False)
    assert parse_hello(build_hello("")).server_name == ""


def test_a_hello_over_several_records_is_read():
    message = HELLO[5:]
    records = b"".join(
        b"\x16\x03\x01" + len(message[at : at + 50]).to_bytes(2, "big") + message[at : at + 50]
        for at in range(0, len(message), 50)
    )
    assert parse_hello(records).server_name == "www.news.example"


def test_other_streams_are_no_hello():
    assert parse_hello(REQUEST) is None
    assert parse_hello(b"\x16\x03\x03\x00\x04\x02\x00\x00\x00") is None


def test_the_host_of_a_request_is_read():
    assert read_host(REQUEST) == "www.news.example"
    assert read_host(REQUEST[:20]) is None
    assert read_host(HELLO) is None
    assert read_head(REQUEST).endswith(b"Example:80")


def test_known_protocols_pass_an_allow_list():
    dns_over_tcp = dns.message.make_query("a.example", "A").to_wire()
    assert is_known_protocol(REQUEST)
    assert is_known_protocol(HELLO)
    assert is_known_protocol(len(dns_over_tcp).to_bytes(2, "big") + dns_over_tcp)
    assert not is_known_protocol(b"SSH-2.0-OpenSSH_9.2\r\n")
    assert not is_known_protocol(bytes(range(256)))


def test_only_what_no_exemption_holds_for_looks_fully_encrypted():
    random_looking = bytes((i * 167 + 89) & 0xFF for i in range(200))
    assert is_fully_encrypted(random_looking)
    assert not is_fully_encrypted(b"ABCDEF" + random_looking)
    assert not is_fully_encrypted(HELLO)
    assert not is_fully_encrypted(REQUEST)
    assert not is_fully_encrypted(b"\0" * 100)
    assert not is_fully_encrypted(b"")


@given(st.binary(max_size=64))
def test_any_first_bytes_are_judged(data):
    assert is_fully_encrypted(data) in (True, False)
    assert is_known_protocol(data) in (True, False)


@given(st.binary(min_size=1, max_size=80), st.data())
def test_segments_in_any_order_give_the_same_stream(stream, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)) | {0, len(stream)})
    pieces = [(a, stream[a:b]) for a, b in itertools.pairwise(cuts)]
    flow = Flow(0.0)
    flow.client_start = CLIENT_SEQ
    for at, piece in data.draw(st.permutations(pieces)):
        flow.feed(CLIENT_SEQ + at, piece)
    assert flow.stream == stream


def test_a_name_matches_itself_what_is_below_it_and_wildcards():
    assert matches_name("news.example", "news.example")
    assert matches_name("news.example", "www.news.example")
    assert not matches_name("news.example", "badnews.example")
    assert matches_name("*news*", "badnews.example")
    assert matches_name("*", "anything")
