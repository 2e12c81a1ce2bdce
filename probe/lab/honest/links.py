"""What lines and the routers on them do."""

import random

import msgspec

from probe.lab.censor.rules import Crowds, Drop, Impair, LargePackets, Rule, ToAddress
from probe.lab.honest.parts import MANY_FROM, MANY_TO, Fault, at_site, on_line, with_client, with_rule
from probe.lab.scenarios.model import Scenario
from probe.lab.world.plan import Certificate, Lie


def loss(dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """Packets are lost by accident."""
    return on_line(scenario, loss_ratio=dice.uniform(0.01, 0.15))


def far_away(dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """A satellite, or an old mobile network."""
    rtt_s = dice.uniform(0.3, 1.5)
    return on_line(scenario, access_delay_s=rtt_s * 0.4, transit_delay_s=rtt_s * 0.1)


def reordering(dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """Packets overtake each other, and some come twice."""
    return on_line(scenario, jitter_s=dice.uniform(0.01, 0.3), doubled_ratio=dice.choice((0.0, 0.02, 0.2)))


def bufferbloat(dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """A narrow line with a long queue."""
    return on_line(scenario, bytes_per_s=dice.choice((16_000, 32_000, 64_000)), queue_s=dice.uniform(0.5, 3.0))


def policed(dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """A narrow line with hardly any queue."""
    return on_line(scenario, bytes_per_s=32_000, queue_s=dice.uniform(0.05, 0.2))


def gap(dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """Nothing passes for some seconds."""
    start_s = dice.uniform(0.5, 12.0)
    return on_line(scenario, gaps_s=((start_s, start_s + dice.uniform(2.0, 20.0)),))


def flapping(dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """The line comes and goes."""
    period_s, up = dice.uniform(1.0, 12.0), dice.uniform(0.3, 0.8)
    first_s = dice.uniform(0.0, period_s)
    gaps = tuple((first_s + n * period_s, first_s + (n + 1 - up) * period_s) for n in range(int(180 / period_s)))
    return on_line(scenario, gaps_s=gaps)


def black_hole(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """Our line loses large packets without a word."""
    large = at_site(scenario, key, certificate=Certificate.LARGE)
    return on_line(large, lost_above_bytes=dice.randrange(1280, 1492))


def black_hole_at_site(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The site's own firewall eats what would have told it that our line is narrower than its own."""
    prefixes = scenario.world.sites[key].addresses
    return with_rule(
        at_site(scenario, key, certificate=Certificate.LARGE),
        Rule(id="mtu", when=LargePackets(above_bytes=dice.randrange(1280, 1492), prefixes=prefixes), then=Drop()),
    )


def congested_route(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The way to this site's network alone is bad."""
    prefixes = scenario.world.sites[key].addresses
    impair = Impair(loss_ratio=dice.choice((0.05, 0.2, 0.4, 0.6)), delay_s=dice.choice((0.0, 0.2)))
    return with_rule(scenario, Rule(id="route", when=ToAddress(prefixes=prefixes), then=impair))


def crowded_nat(dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """The router's table takes so many new connections to one place in a while."""
    many = Crowds(at_most=dice.randrange(MANY_FROM, MANY_TO), within_s=dice.uniform(3.0, 30.0))
    return with_rule(scenario, Rule(id="nat", when=many, then=Drop()))


def no_udp_443(_dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """A guest network that lets no QUIC pass."""
    return with_rule(scenario, Rule(id="udp", when=ToAddress(ports=(443,), protocols=(17,)), then=Drop()))


def only_web_ports(_dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """A company's network: the web and names, nothing else."""
    closed = ToAddress(except_ports=(53, 80, 443), protocols=(6, 17))
    return with_rule(scenario, Rule(id="ports", when=closed, then=Drop()))


def ipv6_lost(_dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """There are IPv6 addresses here, and nothing comes back over them."""
    return on_line(scenario, loses_ipv6=True)


def only_nat64(_dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """IPv6 alone, with a DNS64 that makes addresses of what has only IPv4 ones: of all, here."""
    world = scenario.world
    for name, site in world.sites.items():
        made = tuple(f"64:ff9b::{address}" for address in site.v4)
        world = world.change(name, addresses=(*site.addresses, *made))
        world = world.lie("isp", dict.fromkeys(site.names, Lie(addresses=(*site.v4, *made))))
        for other in ("home", "google", "cloudflare", "quad9"):
            world = world.lie(other, dict.fromkeys(site.names, Lie(addresses=site.addresses)))
    changed = msgspec.structs.replace(scenario, world=world)
    return with_client(on_line(changed, loses_ipv4=True), nameservers=("2a02:2d8::53",))


TUNNEL_LINKS: tuple[Fault, ...] = (
    loss, far_away, reordering, bufferbloat, policed, gap, flapping, black_hole, congested_route, congested_route,
    crowded_nat,
)  # fmt: skip
"""Those that leave UDP and every port open: what closes some is what a tunnel's filter does."""
LINKS: tuple[Fault, ...] = (
    loss, far_away, reordering, bufferbloat, policed, gap, gap, flapping, black_hole, black_hole_at_site,
    congested_route, congested_route, crowded_nat, no_udp_443, only_web_ports, ipv6_lost, only_nat64,
)  # fmt: skip
