"""The rule engine: what passes, what is dropped, what is injected."""

import ipaddress

import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.lab.censor.engine import Engine
from probe.lab.censor.packet import Flag, parse_packet
from probe.lab.censor.rules import (
    AsksFor,
    Crowds,
    Divert,
    Drop,
    Finish,
    FirstBytes,
    ForgeAnswer,
    HelloShape,
    Impair,
    LargePackets,
    NamesHost,
    NamesServer,
    Opening,
    Pass,
    Place,
    Prohibit,
    Reset,
    ResetForm,
    Rule,
    RuleSet,
    SaysKeyword,
    Throttle,
    ToAddress,
    Volume,
)
from probe.lab.proofs.first_packets import build_hello
from tests.unit.lab.packets import (
    CLIENT,
    CLIENT_SEQ,
    OTHER,
    SERVER,
    SERVER_SEQ,
    query,
    read_dns,
    read_tcp,
    syn,
    tcp,
)

HELLO = build_hello("www.news.example")
NEUTRAL = build_hello("www.other.example")
REQUEST = b"GET /secret HTTP/1.1\r\nHost: www.news.example\r\n\r\n"


def make_engine(when, then, **fields):
    return Engine(RuleSet(rules=(Rule(id="rule", when=when, then=then, **fields),), domestic=("5.62.0.0/16",)), 0.0)


def out(engine, raw, now_s=1.0):
    return engine.inspect(raw, outward=True, now_s=now_s)


def back(engine, raw, now_s=1.0):
    return engine.inspect(raw, outward=False, now_s=now_s)


def say(engine, data, now_s=1.0, **fields):
    out(engine, syn(**{k: v for k, v in fields.items() if k != "offset"}), now_s)
    return out(engine, tcp(data, **fields), now_s)


def test_without_rules_everything_passes_unchanged():
    engine = Engine(RuleSet(), 0.0)
    assert engine.idle
    assert out(engine, syn()).packet == syn()


@given(st.binary(max_size=120), st.booleans())
def test_any_bytes_get_a_decision(data, outward):
    engine = make_engine(NamesServer(names=("*",)), Drop())
    for raw in (data, syn()[:20] + data, query("a.example")[:30] + data):
        engine.inspect(raw, outward=outward, now_s=1.0)


def test_dropping_an_address_works_both_ways_and_spares_others():
    engine = make_engine(ToAddress(prefixes=("45.90.0.0/16",), ports=(443,)), Drop())
    assert out(engine, syn()).packet is None
    assert back(engine, tcp(outward=False)).packet is None
    assert out(engine, syn(port=80)).packet is not None
    assert out(engine, syn(server=OTHER)).packet is not None


def test_an_excepted_prefix_passes():
    engine = make_engine(ToAddress(except_prefixes=("64.225.0.0/16",)), Drop())
    assert out(engine, syn()).packet is None
    assert out(engine, syn(server=OTHER)).packet is not None


def test_a_box_at_the_border_does_not_see_domestic_traffic():
    domestic = ipaddress.ip_address("5.62.7.7").packed
    engine = make_engine(ToAddress(), Drop(), place=Place.BORDER)
    assert out(engine, syn(server=domestic)).packet is not None
    assert out(engine, syn()).packet is None


def test_an_on_path_injector_lets_the_question_pass_and_answers_first():
    rule = ForgeAnswer(copies=(("31.13.94.37",), ("157.240.2.14",)), ip_ttl=91, authoritative=True)
    decision = out(make_engine(AsksFor(names=("news.example",)), rule), query("www.news.example"))
    assert decision.packet == query("www.news.example")
    assert [injection.to_client for injection in decision.injections] == [True, True]
    packet, message = read_dns(decision.injections[0].raw)
    assert packet.ttl == 91
    assert (packet.source, packet.destination) == (ipaddress.ip_address("8.8.8.8").packed, CLIENT)
    assert [str(r) for rrset in message.answer for r in rrset] == ["31.13.94.37"]


def test_an_in_path_liar_takes_the_question_out():
    rule = ForgeAnswer(copies=((),), rcode=3, in_path=True)
    decision = out(make_engine(AsksFor(names=("news.example",)), rule), query("news.example"))
    assert decision.packet is None
    assert read_dns(decision.injections[0].raw)[1].rcode() == dns.rcode.NXDOMAIN


def test_each_question_of_a_socket_is_answered():
    engine = make_engine(AsksFor(names=("news.example",)), ForgeAnswer(copies=(("1.2.3.4",),)))
    assert all(out(engine, query("news.example"), now_s).injections for now_s in (1.0, 2.0))


def test_a_question_of_another_type_resolver_or_name_is_left_alone():
    when = AsksFor(names=("news.example",), query_types=("A",), resolvers=("9.9.9.9",))
    engine = make_engine(when, ForgeAnswer(copies=(("1.2.3.4",),)))
    quad9 = ipaddress.ip_address("9.9.9.9").packed
    assert not out(engine, query("news.example")).injections
    assert not out(engine, query("news.example", "AAAA", quad9)).injections
    assert not out(engine, query("news.org", "A", quad9)).injections
    assert out(engine, query("news.example", "A", quad9)).injections


def test_a_mirrored_ttl_is_that_of_the_question():
    engine = make_engine(AsksFor(names=("*",)), ForgeAnswer(copies=(("1.2.3.4",),), mirrors_ttl=True))
    assert read_dns(out(engine, query("a.example")).injections[0].raw)[0].ttl == 64


def test_a_reset_follows_the_server_name_to_both_ends():
    engine = make_engine(NamesServer(names=("news.example",)), Reset(ip_ttl=57, ip_id=7))
    decision = say(engine, HELLO)
    assert decision.packet is not None
    packet, to_client = read_tcp(decision.injections[0].raw)
    assert (packet.ttl, packet.ip_id, to_client.flags, to_client.seq) == (57, 7, Flag.RST, SERVER_SEQ + 1)
    _, to_server = read_tcp(decision.injections[1].raw)
    assert to_server.seq == CLIENT_SEQ + 1 + len(HELLO)
    assert not decision.injections[1].to_client


def test_another_name_passes():
    assert not say(make_engine(NamesServer(names=("news.example",)), Reset()), NEUTRAL).injections


def test_in_path_the_flow_is_dead_after_the_reset():
    engine = make_engine(NamesServer(names=("news.example",)), Reset(in_path=True))
    assert say(engine, HELLO).packet is None
    again = out(engine, tcp(HELLO))
    assert again.packet is None
    assert not again.injections
    assert back(engine, tcp(b"server hello", outward=False)).packet is None


def test_a_triple_reset_is_spaced_as_the_field_shows():
    decision = say(make_engine(NamesServer(names=("*",)), Reset(form=ResetForm.TRIPLE, both_ends=False)), HELLO)
    segments = [read_tcp(injection.raw)[1] for injection in decision.injections]
    assert [s.seq - SERVER_SEQ - 1 for s in segments] == [0, 1460, 4380]
    assert all(s.flags == Flag.RST | Flag.ACK for s in segments)


def test_a_payload_rides_on_the_reset():
    decision = say(make_engine(NamesServer(names=("*",)), Reset(payload_hex="0102", both_ends=False)), HELLO)
    assert read_tcp(decision.injections[0].raw)[1].data == b"\x01\x02"


def test_a_split_hello_is_seen_by_a_box_that_reassembles_only():
    for reassembles, struck in ((True, True), (False, False)):
        engine = make_engine(NamesServer(names=("news.example",), reassembles=reassembles), Drop())
        out(engine, syn())
        for at, piece in ((0, HELLO[:40]), (40, HELLO[40:])):
            decision = out(engine, tcp(piece, offset=at))
        assert (decision.packet is None) is struck


def test_a_syn_is_answered_by_a_reset_that_acknowledges_it():
    engine = make_engine(Opening(prefixes=("45.90.1.1",), ports=(443,)), Reset(in_path=True))
    for _ in range(2):
        decision = out(engine, syn())
        assert decision.packet is None
        (injection,) = decision.injections
        segment = read_tcp(injection.raw)[1]
        assert (segment.flags, segment.ack) == (Flag.RST | Flag.ACK, CLIENT_SEQ + 1)


def test_a_block_page_comes_in_the_servers_name_and_ends_the_stream():
    decision = say(make_engine(NamesHost(names=("news.example",)), Finish(payload="PAGE")), REQUEST, port=80)
    segment = read_tcp(decision.injections[0].raw)[1]
    assert segment.data == b"PAGE"
    assert segment.flags & Flag.FIN
    assert decision.packet is None


def test_a_keyword_in_the_head_is_found_even_over_two_segments():
    engine = make_engine(SaysKeyword(text="/secret"), Reset())
    out(engine, syn(port=80))
    assert not out(engine, tcp(REQUEST[:8], port=80)).injections
    assert out(engine, tcp(REQUEST[8:], offset=8, port=80)).injections


def test_a_prohibition_comes_from_the_router():
    engine = make_engine(ToAddress(prefixes=("45.90.0.0/16",)), Prohibit(router="5.62.255.9"))
    decision = out(engine, syn())
    assert decision.packet is None
    assert parse_packet(decision.injections[0].raw).source == ipaddress.ip_address("5.62.255.9").packed


def test_a_diverted_flow_comes_back_in_the_true_name():
    engine = make_engine(ToAddress(prefixes=("45.90.1.1",), ports=(443,)), Divert(to="64.225.3.4"))
    assert parse_packet(out(engine, syn()).packet).destination == OTHER
    assert parse_packet(out(engine, tcp(b"data")).packet).destination == OTHER
    answer = back(engine, tcp(b"answer", outward=False, server=OTHER))
    assert parse_packet(answer.packet).source == SERVER


def test_a_diverted_flow_is_still_read():
    rules = RuleSet(
        rules=(
            Rule(id="divert", when=ToAddress(prefixes=("45.90.1.1",)), then=Divert(to="64.225.3.4")),
            Rule(id="drop", when=NamesServer(names=("news.example",)), then=Drop()),
        )
    )
    assert say(Engine(rules, 0.0), HELLO).packet is None


def test_the_punishment_lasts_for_the_residual_time_only():
    engine = make_engine(NamesServer(names=("news.example",)), Reset(), residual_s=2.0)
    say(engine, HELLO, now_s=1.0)
    assert out(engine, syn(source_port=50000), now_s=2.0).packet is None
    assert out(engine, syn(source_port=50000, port=444), now_s=2.0).packet is not None
    assert out(engine, syn(source_port=50001), now_s=3.1).packet is not None


def test_a_residual_reset_tears_other_names_too():
    engine = make_engine(NamesServer(names=("news.example",)), Reset(), residual_s=9.0, residual=Reset(both_ends=False))
    say(engine, HELLO)
    decision = say(engine, NEUTRAL, source_port=50000)
    assert len(decision.injections) == 1


def test_a_rule_holds_from_its_start_to_its_end():
    engine = make_engine(ToAddress(), Drop(), starts_s=5.0, ends_s=10.0)
    seen = [out(engine, syn(source_port=port), now_s).packet is None for port, now_s in ((1, 4.9), (2, 5.0), (3, 10.0))]
    assert seen == [False, True, False]


def test_chance_is_rolled_once_for_each_flow():
    engine = make_engine(ToAddress(), Drop(), probability=0.26)
    ports = range(1000, 3000)
    first = [out(engine, syn(source_port=port)).packet is None for port in ports]
    assert [out(engine, syn(source_port=port)).packet is None for port in ports] == first
    assert 0.22 < sum(first) / len(first) < 0.30


def test_throttling_drops_what_exceeds_the_rate():
    engine = make_engine(ToAddress(), Throttle(bytes_per_s=10_000, burst_bytes=3000))
    passed = sum(
        back(engine, tcp(b"x" * 960, outward=False, offset=n), 1 + n / 100).packet is not None for n in range(300)
    )
    assert 25 <= passed <= 40


def test_a_flow_freezes_after_its_volume_and_only_if_it_named_the_site():
    when = Volume(after_bytes=3000, names=("news.example",))
    for hello, frozen in ((HELLO, True), (NEUTRAL, False)):
        engine = make_engine(when, Drop())
        say(engine, hello)
        last = [back(engine, tcp(b"x" * 1000, outward=False, offset=n * 1000)) for n in range(5)][-1]
        assert (last.packet is None) is frozen


def test_first_bytes_are_judged_and_later_ones_not():
    engine = make_engine(FirstBytes(fully_encrypted=False), Drop())
    assert say(engine, b"SSH-2.0-x\r\n", port=22).packet is None
    engine = make_engine(FirstBytes(fully_encrypted=False), Drop())
    assert say(engine, HELLO).packet is not None
    assert out(engine, tcp(b"\x99" * 40, offset=len(HELLO))).packet is not None


@pytest.mark.parametrize(
    ("when", "struck"),
    [
        (HelloShape(min_bytes=100), True),
        (HelloShape(min_bytes=5000), False),
        (HelloShape(extensions=(0xFE0D,)), False),
        (HelloShape(nameless=True), False),
    ],
)
def test_a_hello_is_told_by_its_shape(when, struck):
    assert (say(make_engine(when, Drop()), HELLO).packet is None) is struck


def test_an_impaired_flow_is_delayed():
    decision = out(make_engine(ToAddress(), Impair(delay_s=0.3)), syn())
    assert (decision.delay_s, decision.packet) == (0.3, syn())


def test_a_reused_port_is_a_new_flow():
    engine = make_engine(NamesServer(names=("news.example",)), Drop())
    assert say(engine, HELLO).packet is None
    reopened = bytearray(syn())
    reopened[24:28] = (999_999).to_bytes(4, "big")
    assert out(engine, bytes(reopened)).packet is not None


def test_old_flows_are_forgotten():
    engine = make_engine(ToAddress(ports=(1,)), Drop())
    for port in range(100):
        out(engine, syn(source_port=1000 + port), 1.0)
    out(engine, syn(), 500.0)
    out(engine, syn(), 1000.0)
    assert len(engine._flows) <= 2


def test_a_rule_that_waits_for_another_sleeps_until_that_has_struck():
    rules = (
        Rule(id="asked", when=AsksFor(names=("news.example",)), then=Pass()),
        Rule(id="closed", when=ToAddress(), then=Drop(), after="asked"),
    )
    engine = Engine(RuleSet(rules=rules), 0.0)
    assert out(engine, syn()).packet is not None
    assert out(engine, query("www.other.example")).packet is not None
    assert out(engine, syn()).packet is not None
    assert out(engine, query("www.news.example")).packet is not None
    assert out(engine, syn()).packet is None


def test_one_connection_too_many_in_a_while_is_dropped_and_later_ones_are_not():
    engine = make_engine(Crowds(at_most=2, within_s=10.0), Drop())
    met = [
        out(engine, syn(source_port=5000 + n), now_s=at_s).packet is not None
        for n, at_s in enumerate((1, 2, 3, 20, 21))
    ]
    assert met == [True, True, False, True, True]


def test_connections_elsewhere_are_not_counted():
    engine = make_engine(Crowds(at_most=1, within_s=10.0), Drop())
    assert all(out(engine, syn(server=server)).packet for server in (SERVER, OTHER))
    guard = make_engine(Crowds(at_most=0, within_s=10.0, ports=(80,)), Drop())
    assert out(guard, syn()).packet is not None


def test_large_packets_are_lost_one_by_one_and_small_ones_of_the_same_flow_pass():
    engine = make_engine(LargePackets(above_bytes=600), Drop())
    assert out(engine, syn()).packet is not None
    assert out(engine, tcp(bytes(600))).packet is None
    assert out(engine, tcp(bytes(500))).packet is not None
    assert out(make_engine(LargePackets(above_bytes=600, prefixes=("1.2.3.4/32",)), Drop()), tcp(bytes(900))).packet
