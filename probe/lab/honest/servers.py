"""What servers, and what stands before them, do."""

import random

import msgspec

from probe.lab.censor.rules import Crowds, Drop, HelloShape, Reset, Rule, ToAddress
from probe.lab.honest.parts import MANY_TO, Fault, at_site, with_rule
from probe.lab.scenarios.model import Scenario
from probe.lab.world.plan import Certificate, Demand, HangUp, Mute, Page, Site, StrangeName, Trickle, Turn


def one_machine_broken(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """Behind a balancer one machine is broken, and connections go round."""
    bad = dice.choice((Turn.RESETS, Turn.CLOSES, Turn.HANGS))
    turns = [bad] * dice.choice((1, 1, 2)) + [Turn.SERVES] * dice.choice((1, 1, 2, 3))
    dice.shuffle(turns)
    return at_site(scenario, key, turns=tuple(turns))


def machines_by_lot(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """Behind a balancer some machines are broken, and connections go by lot."""
    bad = dice.choice((Turn.RESETS, Turn.CLOSES, Turn.HANGS))
    share = dice.choice((0.2, 0.5, 0.8))
    turns = tuple(bad if dice.random() < share else Turn.SERVES for _ in range(997))
    return at_site(scenario, key, turns=turns)


def guard_bans(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The server's own guard shuts out who comes too often."""
    many = Crowds(
        at_most=dice.randrange(1, MANY_TO),
        within_s=dice.uniform(3.0, 60.0),
        prefixes=scenario.world.sites[key].addresses,
    )
    then = dice.choice((Drop(), Reset(in_path=True, both_ends=False)))
    ban_s = dice.choice((0.0, 3.0, 30.0))
    return with_rule(scenario, Rule(id="guard", when=many, then=then, residual_s=ban_s, residual=then))


def takes_no_large_hello(_dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """An old server resets hellos that take two segments."""
    return at_site(scenario, key, longest_hello_bytes=1200)


def large_hello_lost(_dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """A firewall before the server loses hellos that take two segments."""
    prefixes = scenario.world.sites[key].addresses
    return with_rule(scenario, Rule(id="old", when=HelloShape(min_bytes=1200, prefixes=prefixes), then=Drop()))


def particular_about_names(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The server does not serve strange names, each in its way."""
    return at_site(scenario, key, strange_name=dice.choice(tuple(StrangeName)))


def own_page_breaks(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The program behind the page hangs, or ends."""
    return at_site(scenario, key, answer=dice.choice((HangUp(), HangUp(reset=True), Mute())))


def slow_page(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The page comes slowly, to everybody."""
    size = dice.choice((6_000, 60_000, 400_000))
    return at_site(scenario, key, answer=Trickle(body_bytes=size, bytes_per_s=dice.choice((500, 3_000, 20_000))))


def one_page_breaks(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """Of several sites at one address, the program behind this one hangs, or ends."""
    world = scenario.world
    broken = msgspec.structs.replace(world.sites[key], answer=dice.choice((HangUp(), HangUp(reset=True), Mute())))
    beside = Site(names=("www.house-beside.example",), addresses=broken.addresses)
    sites = {"beside": beside, **world.sites, key: broken}  # the first at an address answers strange names
    return msgspec.structs.replace(scenario, world=msgspec.structs.replace(world, sites=sites))


def own_firewall_reads(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The server's own firewall cuts off whoever asks for a certain page."""
    changed = at_site(scenario, key, paths={"/search": dice.choice((HangUp(), HangUp(reset=True)))})
    return msgspec.structs.replace(changed, target=scenario.target + "search?q=word")


def name_unserved(_dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """A balancer that goes by names has nobody behind this one: it takes the hello, and nothing comes.

    One that resets or closes cannot be told from a filter without an outside view (CONTRACT section 2, family A).
    """
    return at_site(scenario, key, own_name=StrangeName.SILENCE)


def refuses(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The server answers with a refusal or a fault."""
    return at_site(scenario, key, answer=Page(status=dice.choice((401, 403, 404, 429, 451, 500, 502, 503))))


def demanding(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The server speaks one old or new protocol only, or wants a certificate."""
    return at_site(scenario, key, demands=(dice.choice(tuple(Demand)),))


def bad_certificate(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The server's certificate is not as it should be."""
    return at_site(scenario, key, certificate=dice.choice(tuple(Certificate)))


def some_addresses_dead(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """Some of the site's addresses are dead."""
    return at_site(scenario, key, dead_addresses=dice.randrange(1, 3))


def is_down(_dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """Nobody is there."""
    return at_site(scenario, key, is_up=False)


def no_port(_dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """Nothing listens."""
    return at_site(scenario, key, https_ports=(), http_ports=())


def loses_quic(_dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """It says that it has HTTP/3, and its firewall lets none in."""
    changed = at_site(scenario, key, h3_ports=(443,))
    drop = ToAddress(prefixes=scenario.world.sites[key].addresses, ports=(443,), protocols=(17,))
    return with_rule(changed, Rule(id="no-quic", when=drop, then=Drop()))


SERVERS: tuple[Fault, ...] = (
    one_machine_broken, one_machine_broken, machines_by_lot, machines_by_lot, guard_bans, guard_bans,
    takes_no_large_hello, large_hello_lost, particular_about_names, own_page_breaks, own_page_breaks, slow_page,
    one_page_breaks, one_page_breaks, own_firewall_reads, name_unserved, refuses, demanding, bad_certificate,
    some_addresses_dead, is_down, no_port, loses_quic,
)  # fmt: skip
