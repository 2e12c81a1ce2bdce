"""Routers, line and censor between the two ends: what arrives, and when."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.lab.censor.packet import Protocol, build_packet, lower_ttl, parse_packet
from probe.lab.censor.rules import Drop, NamesServer, Reset, Rule, RuleSet, ToAddress
from probe.lab.forwarder import Path
from probe.lab.line import Lane, Line
from probe.lab.messages import Forward
from probe.lab.proofs.first_packets import build_hello
from probe.lab.world.atlas import ROUTERS_V4
from tests.unit.lab.packets import CLIENT, SERVER, syn, tcp

scapy_inet = pytest.importorskip("scapy.layers.inet")
LINE = Line(access_delay_s=0.005, transit_delay_s=0.02)
HOME = ipaddress.ip_address("5.62.7.7").packed


def make_path(line=LINE, rules=(), **fields):
    return Path(Forward(line=line, rules=RuleSet(rules=rules), **fields), 0.0)


def test_a_packet_arrives_after_its_delay_with_its_ttl_lowered():
    ((at_s, outward, raw),) = make_path().carry(syn(), outward=True, now_s=1.0)
    assert (at_s, outward) == (pytest.approx(1.025), True)
    assert parse_packet(raw).ttl == 64 - len(ROUTERS_V4)


def test_a_domestic_host_is_nearer_in_time_and_hops():
    ((at_s, _, raw),) = make_path().carry(syn(server=HOME), outward=True, now_s=1.0)
    assert at_s == pytest.approx(1.01)
    assert parse_packet(raw).ttl == 61


@pytest.mark.parametrize("ttl", range(1, 8))
def test_each_router_says_when_a_ttl_ran_out_there(ttl):
    raw = lower_ttl(syn(), 64 - ttl)
    ((_, outward, error),) = make_path().carry(raw, outward=True, now_s=1.0)
    assert outward is False
    assert str(ipaddress.ip_address(parse_packet(error).source)) == ROUTERS_V4[ttl - 1]


def test_the_censor_sees_only_what_reaches_it():
    rule = Rule(id="reset", when=NamesServer(names=("*",)), then=Reset(both_ends=False))
    for ttl, struck in ((2, False), (3, True)):
        path = make_path(rules=(rule,))
        path.carry(syn(), outward=True, now_s=1.0)
        moves = path.carry(lower_ttl(tcp(build_hello("a.example")), 64 - ttl), outward=True, now_s=1.0)
        assert any(parse_packet(raw).protocol == Protocol.TCP for _, _, raw in moves) is struck


def test_a_forged_packet_is_back_before_the_true_answer_can_be():
    rule = Rule(id="reset", when=NamesServer(names=("*",)), then=Reset(ip_ttl=57))
    path = make_path(rules=(rule,))
    path.carry(syn(), outward=True, now_s=1.0)
    moves = path.carry(tcp(build_hello("a.example")), outward=True, now_s=1.0)
    to_client = [(at_s, parse_packet(raw).ttl) for at_s, outward, raw in moves if not outward]
    assert to_client == [(pytest.approx(1.010), 55)]


def test_nobody_answers_at_an_empty_address():
    path = make_path(empty_addresses=("45.90.1.1",))
    assert path.carry(syn(), outward=True, now_s=1.0) == []
    assert path.dropped == 1


def test_the_gateway_answers_a_ping_unless_the_line_is_cut():
    ping = bytes(scapy_inet.IP(src="5.62.10.2", dst="5.62.10.1") / scapy_inet.ICMP())
    ((_, outward, raw),) = make_path().carry(ping, outward=True, now_s=1.0)
    assert (outward, parse_packet(raw).destination) == (False, CLIENT)
    assert make_path(Line(is_cut=True)).carry(ping, outward=True, now_s=1.0) == []


def test_no_error_answers_an_error():
    error = build_packet(CLIENT, SERVER, Protocol.ICMP, b"\x03\x01" + bytes(40), ttl=2)
    assert make_path().carry(error, outward=True, now_s=1.0) == []


@given(st.binary(max_size=80), st.booleans())
def test_any_bytes_are_carried_or_lost(data, outward):
    path = make_path(rules=(Rule(id="drop", when=ToAddress(ports=(443,)), then=Drop()),))
    for raw in (b"\0" + data, syn()[:20] + data, bytes(data) or b"\0"):
        path.carry(raw, outward=outward, now_s=1.0)


def test_loss_is_as_told():
    lane = Lane(Line(loss_ratio=0.2), seed=1)
    lost = sum(lane.admit(100, 4, 0.0) is None for _ in range(5000))
    assert 0.18 < lost / 5000 < 0.22


def test_a_rate_makes_packets_wait_and_a_full_queue_loses_them():
    lane = Lane(Line(bytes_per_s=10_000, queue_s=0.25), seed=1)
    times = [lane.admit(1000, 4, 0.0) for _ in range(5)]
    assert times == [pytest.approx(0.1), pytest.approx(0.2), pytest.approx(0.3), None, None]


def test_a_black_hole_swallows_large_packets_and_a_line_may_lose_ipv6():
    assert Lane(Line(lost_above_bytes=1280), 0).admit(1400, 4, 0.0) is None
    assert Lane(Line(lost_above_bytes=1280), 0).admit(1280, 4, 0.0) == 0.0
    assert Lane(Line(loses_ipv6=True), 0).admit(100, 6, 0.0) is None


def test_where_nobody_is_routers_before_it_still_answer_a_short_ttl():
    path = make_path(empty_addresses=(str(ipaddress.ip_address(SERVER)),))
    assert path.carry(syn(), outward=True, now_s=1.0) == []
    ((_, outward, error),) = path.carry(lower_ttl(syn(), 60), outward=True, now_s=1.0)
    assert outward is False
    assert str(ipaddress.ip_address(parse_packet(error).source)) == ROUTERS_V4[3]


def test_nothing_passes_in_a_gap_of_the_line_and_all_does_before_and_after():
    lane = Lane(Line(gaps_s=((1.0, 3.0), (5.0, 6.0))), seed=1, laid_s=100.0)
    met = {at_s: lane.admit(100, 4, 100.0 + at_s) is not None for at_s in (0.9, 1.0, 2.9, 3.0, 5.5, 6.0)}
    assert met == {0.9: True, 1.0: False, 2.9: False, 3.0: True, 5.5: False, 6.0: True}


def test_packets_overtake_each_other_where_some_are_held():
    lane = Lane(Line(jitter_s=0.1), seed=1)
    times = [lane.admit(100, 4, n * 0.001) for n in range(100)]
    assert all(n * 0.001 <= at_s <= n * 0.001 + 0.1 for n, at_s in enumerate(times))
    assert times != sorted(times)


def test_some_packets_arrive_twice():
    path = make_path(line=Line(doubled_ratio=0.3))
    copies = [len(path.carry(syn(), outward=True, now_s=1.0)) for _ in range(500)]
    assert set(copies) == {1, 2}
    assert 100 < copies.count(2) < 200
    assert {len(make_path().carry(syn(), outward=True, now_s=1.0)) for _ in range(50)} == {1}


def test_a_line_may_lose_either_family():
    assert Lane(Line(loses_ipv4=True), 0).admit(100, 4, 0.0) is None
    assert Lane(Line(loses_ipv4=True), 0).admit(100, 6, 0.0) == 0.0
