"""Rules that know tunnels by their first packet, hellos by their shape, and resets by their form."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.lab.censor.engine import Engine
from probe.lab.censor.hello import Unfinished, parse_hello
from probe.lab.censor.packet import build_packet, parse_packet
from probe.lab.censor.rules import Drop, HelloShape, NamesServer, Reset, ResetForm, Rule, RuleSet, Speaks
from probe.lab.censor.signatures import Signature, read_signature
from probe.lab.proofs.first_packets import (
    add_extensions,
    build_hello,
    build_ike_init,
    build_openvpn_reset,
    build_wireguard_initiation,
)
from tests.unit.lab.packets import read_tcp, syn, tcp, udp, udp_back

OPENVPN = build_openvpn_reset(b"8bytesid")
FRAMED = struct.pack("!H", len(OPENVPN)) + OPENVPN
WIREGUARD = build_wireguard_initiation(bytes(range(144)))
IKE = build_ike_init(b"initiatr")
NEWS = "www.news.example"


def make_engine(when, then=None, **fields):
    rule = Rule(id="rule", when=when, then=Drop() if then is None else then, **fields)
    return Engine(RuleSet(rules=(rule,)), 0.0)


def out(engine, raw):
    return engine.inspect(raw, outward=True, now_s=1.0)


def back(engine, raw):
    return engine.inspect(raw, outward=False, now_s=1.0)


def say(engine, data):
    out(engine, syn())
    return out(engine, tcp(data))


@pytest.mark.parametrize(
    ("first", "is_stream", "known"),
    [
        (OPENVPN, False, Signature.OPENVPN),
        (FRAMED, True, Signature.OPENVPN),
        (b"\x50" + OPENVPN[1:] + bytes(339), False, Signature.OPENVPN),
        (WIREGUARD, False, Signature.WIREGUARD),
        (IKE, False, Signature.IKEV2),
        (bytes(4) + IKE, False, Signature.IKEV2),
        (OPENVPN, True, None),
        (FRAMED, False, None),
        (OPENVPN[:13], False, None),
        (b"\x40" + OPENVPN[1:], False, None),
        (WIREGUARD[:-1], False, None),
        (WIREGUARD + b"\0", False, None),
        (b"\x01\0\0\x01" + WIREGUARD[4:], False, None),
        (IKE[:-1], False, None),
        (bytes(8) + IKE[8:], False, None),
        (IKE[:18] + b"\x23" + IKE[19:], False, None),
        (b"", False, None),
        (b"", True, None),
    ],
)
def test_a_first_packet_is_known_by_its_fixed_bytes_and_length(first, is_stream, known):
    assert read_signature(first, is_stream=is_stream) is known


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_have_a_signature_or_none(data, is_stream):
    assert read_signature(data, is_stream=is_stream) in (None, *Signature)


@pytest.mark.parametrize(
    ("first", "signature"),
    [(OPENVPN, Signature.OPENVPN), (WIREGUARD, Signature.WIREGUARD), (IKE, Signature.IKEV2)],
)
def test_a_tunnel_is_dropped_from_its_first_packet_on(first, signature):
    engine = make_engine(Speaks(signatures=(signature,)))
    assert out(engine, udp(b"something else", source_port=50001)).packet is not None
    assert out(engine, udp(first)).packet is None
    assert out(engine, udp(b"more")).packet is None
    assert back(engine, udp_back(b"answer")).packet is None


def test_the_data_phase_is_dropped_after_so_many_packets():
    engine = make_engine(Speaks(signatures=(Signature.WIREGUARD,), after_packets=3))
    assert out(engine, udp(WIREGUARD)).packet is not None
    assert back(engine, udp_back(b"\x02" + bytes(91))).packet is not None
    assert out(engine, udp(b"\x04 first")).packet is not None
    assert out(engine, udp(b"\x04 second")).packet is None
    assert back(engine, udp_back(b"\x04 answer")).packet is None


def test_over_tcp_a_tunnel_is_reset_both_ways():
    decision = say(make_engine(Speaks(signatures=(Signature.OPENVPN,)), Reset()), FRAMED)
    assert decision.packet is not None
    assert [one.to_client for one in decision.injections] == [True, False]


def test_a_rule_may_know_one_transport_alone():
    only_tcp = Speaks(signatures=(Signature.OPENVPN,), over_tcp=True)
    assert out(make_engine(only_tcp), udp(OPENVPN)).packet is not None
    assert say(make_engine(only_tcp), FRAMED).packet is None
    only_udp = Speaks(signatures=(Signature.OPENVPN,), over_tcp=False, ports=(1194,))
    assert say(make_engine(only_udp), FRAMED).packet is not None
    assert out(make_engine(only_udp), udp(OPENVPN)).packet is not None
    assert out(make_engine(only_udp), udp(OPENVPN, port=1194)).packet is None


def test_a_triple_reset_continues_at_three_places():
    decision = say(make_engine(NamesServer(names=(NEWS,)), Reset(form=ResetForm.TRIPLE)), build_hello(NEWS))
    to_client = [read_tcp(one.raw)[1] for one in decision.injections if one.to_client]
    assert [segment.flags for segment in to_client] == [0x14] * 3
    assert [segment.seq - to_client[0].seq for segment in to_client] == [0, 1460, 4380]


def test_a_reset_may_copy_the_ipid_of_what_provoked_it():
    engine = make_engine(NamesServer(names=(NEWS,)), Reset(copies_ip_id=True, ip_id=1))
    out(engine, syn())
    hello = parse_packet(tcp(build_hello(NEWS)))
    numbered = build_packet(hello.source, hello.destination, hello.protocol, hello.body, ip_id=0xBEEF)
    decision = out(engine, numbered)
    assert {parse_packet(one.raw).ip_id for one in decision.injections} == {0xBEEF}


@pytest.mark.parametrize(
    ("when", "hits"),
    [
        (HelloShape(extensions=(0xFE0D,)), True),
        (HelloShape(extensions=(0xFE0D,), names=("cloudflare-ech.com",)), True),
        (HelloShape(extensions=(0xFE0D,), names=("other.example",)), False),
        (HelloShape(extensions=(0xFE0D, 0xFFCE)), False),
        (HelloShape(max_bytes=10), False),
        (HelloShape(max_bytes=5000), True),
    ],
)
def test_a_shape_needs_all_that_the_rule_says(when, hits):
    hello = add_extensions(build_hello("cloudflare-ech.com"), (0xFE0D,))
    assert (say(make_engine(when), hello).packet is None) is hits


def test_a_hello_is_told_apart_from_the_same_without_the_extension():
    rule = HelloShape(extensions=(0xFE0D,), names=("cloudflare-ech.com",))
    assert say(make_engine(rule), build_hello("cloudflare-ech.com")).packet is not None
    assert say(make_engine(HelloShape(extensions=(0xFFCE,))), add_extensions(build_hello(""), (0xFFCE,))).packet is None


@given(st.lists(st.integers(0x4000, 0xF000), max_size=5), st.integers(0, 2000))
def test_a_hello_with_added_extensions_is_still_one(kinds, padding):
    hello = add_extensions(build_hello(NEWS), tuple(kinds), padding=padding)
    parsed = parse_hello(hello)
    assert parsed.server_name == NEWS
    assert set(kinds) <= set(parsed.extensions)
    assert parsed.size == len(hello) - 9
    for cut in (6, 40, len(hello) - 1):
        with pytest.raises(Unfinished):
            parse_hello(hello[:cut])
