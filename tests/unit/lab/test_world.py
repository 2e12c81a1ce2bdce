"""The world as data: names, addresses, lies, and what resolvers say."""

import ipaddress

import dns.message
import dns.rcode
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.lab.messages import Forward, Serve, Spawn, decode
from probe.lab.scenarios import build_scenarios
from probe.lab.world.atlas import DOMESTIC, build_world
from probe.lab.world.names import answer_query, find_truth
from probe.lab.world.plan import Lie, Page
from probe.lab.world.web import render_page

WORLD = build_world(0)
ISP = WORLD.resolvers[0]
NEWS = WORLD.sites["news"]


def ask(world, resolver, name, kind="A"):
    wire = answer_query(world, resolver, dns.message.make_query(name, kind).to_wire())
    return None if wire is None else dns.message.from_wire(wire)


def addresses_in(message):
    return {str(r) for rrset in message.answer for r in rrset}


@given(st.integers(0, 10_000))
def test_every_world_has_global_addresses_that_no_two_unrelated_sites_share(seed):
    world = build_world(seed)
    assert all(ipaddress.ip_address(a).is_global for s in world.sites.values() for a in s.addresses)
    owners = [a for key, s in world.sites.items() for a in s.addresses if key not in ("shop", "blog")]
    assert len(owners) == len(set(owners))
    assert len({name for s in world.sites.values() for name in s.names}) == sum(
        len(s.names) for s in world.sites.values()
    )


def test_another_seed_gives_other_names_and_addresses():
    other = build_world(1)
    assert other.sites["news"].names != NEWS.names
    assert other.sites["news"].addresses != NEWS.addresses


def test_domestic_sites_are_in_domestic_prefixes():
    for address in WORLD.sites["home1"].addresses:
        assert any(
            ipaddress.ip_address(address) in ipaddress.ip_network(p) for p in DOMESTIC if (":" in p) == (":" in address)
        )


def test_resolvers_tell_the_truth_and_nothing_of_names_nobody_has():
    assert addresses_in(ask(WORLD, ISP, NEWS.name)) == set(NEWS.v4)
    assert addresses_in(ask(WORLD, ISP, NEWS.name, "AAAA")) == set(NEWS.v6)
    assert ask(WORLD, ISP, "nobody.example").rcode() == dns.rcode.NXDOMAIN
    assert ask(WORLD, ISP, NEWS.name, "HTTPS").answer == []


def test_a_lie_is_one_resolvers_alone():
    world = WORLD.lie("isp", {NEWS.name: Lie(addresses=("10.10.34.35",))})
    assert addresses_in(ask(world, world.resolvers[0], NEWS.name)) == {"10.10.34.35"}
    assert addresses_in(ask(world, world.resolvers[1], NEWS.name)) == set(NEWS.v4)


def test_a_resolver_may_refuse_or_say_nothing():
    world = WORLD.lie("isp", {NEWS.name: Lie(rcode=5), "*": Lie(is_silent=True)})
    assert ask(world, world.resolvers[0], NEWS.name).rcode() == dns.rcode.REFUSED
    assert ask(world, world.resolvers[0], "any.example") is None


@given(st.binary(max_size=60))
def test_any_bytes_are_answered_or_ignored(data):
    answer_query(WORLD, ISP, data)


def test_a_site_that_is_off_leaves_its_addresses_empty_unless_others_live_there():
    assert set(WORLD.change("news", is_up=False).empty_addresses) == set(NEWS.addresses)
    assert WORLD.change("video", is_up=False).empty_addresses == ()
    assert "5.62.0.53" in WORLD.silence("isp").empty_addresses


def test_resolver_names_resolve():
    assert find_truth(WORLD, "dns.google").addresses == WORLD.resolvers[2].addresses


def test_a_page_has_its_length_and_differs_from_site_to_site():
    head, _, body = render_page(Page(), "www.a.example").partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert render_page(Page(), "www.b.example").partition(b"\r\n\r\n")[2] != body
    assert b"Content-Length" not in render_page(Page(status=204, body_bytes=0), "x.example")


@pytest.mark.parametrize("name", list(build_scenarios(WORLD)))
def test_a_scenario_is_complete_data(name):
    scenario = build_scenarios(WORLD)[name]
    assert scenario.name == name
    assert scenario.about
    assert scenario.symptoms
    assert "://" in scenario.target
    for message in (Serve(world=scenario.world), Forward(rules=scenario.rules, line=scenario.line)):
        assert decode(msgspec.json.encode(message)) == message


def test_scenarios_are_the_same_under_other_names():
    assert list(build_scenarios(build_world(7))) == list(build_scenarios(WORLD))


def test_an_order_to_start_a_program_reads_back():
    order = Spawn(id=1, argv=("a", "b"), environment={"K": "v"}, folder="/")
    assert decode(msgspec.json.encode(order)) == order


def test_a_resolver_may_be_silent_below_a_name_and_honest_of_all_others():
    world = WORLD.lie("isp", {"*.lost.example": Lie(is_silent=True)})
    isp = world.resolvers[0]
    assert ask(world, isp, f"{NEWS.name}.lost.example") is None
    assert ask(world, isp, "lost.example").rcode() == dns.rcode.NXDOMAIN
    assert addresses_in(ask(world, isp, NEWS.name)) == set(NEWS.v4)


def test_a_resolver_may_invent_addresses_for_names_nobody_has_and_for_no_others():
    liar = msgspec.structs.replace(ISP, invents=("5.62.7.7",))
    assert addresses_in(ask(WORLD, liar, "nobody.example")) == {"5.62.7.7"}
    assert addresses_in(ask(WORLD, liar, NEWS.name)) == set(NEWS.v4)


def test_a_denial_that_is_remembered_comes_with_its_zone_and_runs_out():
    world = WORLD.lie("isp", {NEWS.name: Lie(rcode=3, remembered_s=3600)})
    message = ask(world, world.resolvers[0], NEWS.name)
    (record,) = message.authority
    assert message.rcode() == dns.rcode.NXDOMAIN
    assert record.name.to_text() == NEWS.name.partition(".")[2] + "."
    assert 0 < record.ttl <= 3600
