"""QUIC Initials as a censor reads them, and what its rules make of them; aioquic is the oracle."""

import pytest
from aioquic.quic.packet import QuicProtocolVersion
from hypothesis import given
from hypothesis import strategies as st

from probe.lab.censor.engine import Engine
from probe.lab.censor.hello import Unfinished, parse_handshake
from probe.lab.censor.quic import VERSIONS, derive_keys, join_fragments, read_initials, read_integer
from probe.lab.censor.rules import Drop, HelloShape, NamesQuicServer, Rule, RuleSet, ToAddress
from tests.unit.lab.packets import OTHER, SERVER, make_quic_hello, syn, tcp, udp, udp_back

NAME = "www.news.example"
HELLO = make_quic_hello(NAME)[0]
NEUTRAL = make_quic_hello("www.other.example")[0]
LARGE = make_quic_hello(NAME, padding=1500)


def make_engine(when, **fields):
    return Engine(RuleSet(rules=(Rule(id="rule", when=when, then=Drop(), **fields),)), 0.0)


def passes(engine, *datagrams, now_s=1.0, **fields):
    return [engine.inspect(udp(one, **fields), outward=True, now_s=now_s).packet is not None for one in datagrams]


def test_the_keys_are_those_of_rfc_9001_appendix_a_1():
    keys = derive_keys(1, bytes.fromhex("8394c8f03e515708"))
    assert keys.key.hex() == "1f369613dd76d5467730efcbe3b1a22d"
    assert keys.iv.hex() == "fa044b2f42a3fd3b46fb255c"
    assert keys.header.hex() == "9f50449e04a0e810283a1e9933adedd2"


def test_the_integers_are_those_of_rfc_9000_appendix_a_1():
    for text, value in (("c2197c5eff14e88c", 151288809941952652), ("9d7f3e7d", 494878333), ("7bbd", 15293), ("25", 37)):
        assert read_integer(bytes.fromhex(text), 0) == (value, len(text) // 2)


@pytest.mark.parametrize("version", [QuicProtocolVersion.VERSION_1, QuicProtocolVersion.VERSION_2])
def test_the_name_is_read_in_both_versions(version):
    (initial,) = read_initials(make_quic_hello(NAME, version=version)[0])
    assert parse_handshake(join_fragments(initial.fragments)).server_name == NAME


def test_a_large_hello_is_whole_only_with_its_second_datagram():
    assert len(LARGE) > 1
    first = next(read_initials(LARGE[0]))
    with pytest.raises(Unfinished):
        parse_handshake(join_fragments(first.fragments))
    second = next(read_initials(LARGE[1], first.destination_id))
    assert parse_handshake(join_fragments(first.fragments | second.fragments)).server_name == NAME


@given(st.permutations([(0, b"abc"), (3, b"def"), (5, b"fgh"), (8, b"i")]), st.integers(0, 3))
def test_fragments_join_in_whatever_order_up_to_the_first_hole(pieces, lost):
    assert join_fragments(dict(pieces)) == b"abcdefghi"
    kept = sorted(pieces)
    offset, _ = kept.pop(lost)
    assert join_fragments(dict(kept)) == b"abcdefghi"[:offset] or lost == 2


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_let_alone(data):
    list(read_initials(data))
    for head in (b"\xc0\0\0\0\x01", HELLO[:30]):
        list(read_initials(head + data))


@given(st.integers(0, len(HELLO) - 1), st.integers(1, 255))
def test_a_changed_byte_never_yields_another_name(at, change):
    spoilt = bytearray(HELLO)
    spoilt[at] ^= change
    for initial in read_initials(bytes(spoilt)):
        assert parse_handshake(join_fragments(initial.fragments)).server_name == NAME


@pytest.mark.parametrize("length", range(0, len(HELLO.rstrip(b"\0")), 7))
def test_a_cut_datagram_is_let_alone(length):
    assert list(read_initials(HELLO[:length])) == []


def test_an_unknown_version_is_let_alone():
    assert 0x1A2A3A4A not in VERSIONS
    assert list(read_initials(HELLO[:1] + bytes.fromhex("1a2a3a4a") + HELLO[5:])) == []


def test_the_flow_of_a_listed_name_is_dropped_and_no_other():
    engine = make_engine(NamesQuicServer(names=("news.example",)))
    assert passes(engine, NEUTRAL, source_port=50001) == [True]
    assert passes(engine, HELLO, b"\x40 later") == [False, False]
    assert engine.inspect(udp_back(b"answer"), outward=False, now_s=1.0).packet is None
    assert passes(engine, NEUTRAL, source_port=50002) == [True]


def test_a_hello_over_two_datagrams_passes_a_box_that_does_not_join_them():
    assert passes(make_engine(NamesQuicServer(names=(NAME,))), *LARGE) == [True] * len(LARGE)
    joining = make_engine(NamesQuicServer(names=(NAME,), reassembles=True))
    assert passes(joining, *LARGE)[:2] == [True, False]


def test_junk_before_the_hello_evades_a_box_that_reads_the_first_datagram_only():
    junk = b"\x40 junk"
    assert passes(make_engine(NamesQuicServer(names=(NAME,), first_only=True)), junk, HELLO) == [True, True]
    assert passes(make_engine(NamesQuicServer(names=(NAME,))), junk, HELLO) == [True, False]


def test_a_source_port_not_above_the_servers_is_spared():
    rule = NamesQuicServer(names=(NAME,), spares_low_source_ports=True)
    assert passes(make_engine(rule), HELLO, source_port=443) == [True]
    assert passes(make_engine(rule), HELLO, source_port=444) == [False]
    assert passes(make_engine(rule), HELLO, port=8443, source_port=8000) == [True]


def test_punishment_of_a_place_lasts_its_time_and_spares_tcp():
    engine = make_engine(NamesQuicServer(names=(NAME,)), residual_s=180.0)
    assert passes(engine, HELLO, now_s=1.0) == [False]
    assert passes(engine, NEUTRAL, source_port=50001, now_s=180.0) == [False]
    assert passes(engine, NEUTRAL, server=OTHER, source_port=50001, now_s=180.0) == [True]
    assert engine.inspect(syn(), outward=True, now_s=180.0).packet is not None
    assert passes(engine, NEUTRAL, source_port=50002, now_s=181.5) == [True]


def test_prefix_and_port_narrow_the_rule():
    assert passes(make_engine(NamesQuicServer(names=("*",), prefixes=("9.0.0.0/8",))), HELLO) == [True]
    assert passes(make_engine(NamesQuicServer(names=("*",), ports=(8443,))), HELLO) == [True]


def test_a_rule_for_quic_does_not_look_at_tcp():
    engine = make_engine(NamesQuicServer(names=("*",)))
    engine.inspect(syn(), outward=True, now_s=1.0)
    assert engine.inspect(tcp(HELLO), outward=True, now_s=1.0).packet is not None


def test_a_shape_is_looked_for_in_quic_where_the_rule_says_so():
    assert passes(make_engine(HelloShape(names=(NAME,))), HELLO) == [True]
    assert passes(make_engine(HelloShape(names=(NAME,), over_quic=True)), HELLO) == [False]
    assert passes(make_engine(HelloShape(extensions=(0xFE0D,), over_quic=True)), HELLO) == [True]


def test_udp_may_be_off_but_for_one_port():
    engine = make_engine(ToAddress(protocols=(17,), except_ports=(53,)))
    assert passes(engine, HELLO) == [False]
    assert passes(engine, b"question", port=53) == [True]
    assert engine.inspect(syn(SERVER), outward=True, now_s=1.0).packet is not None
