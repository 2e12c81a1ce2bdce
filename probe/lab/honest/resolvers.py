"""What resolvers do, and what hosts do by themselves."""

import random

import msgspec

from probe.lab.censor.rules import Drop, Rule, ToAddress
from probe.lab.honest.parts import Fault, says, with_client, with_rule
from probe.lab.scenarios.model import Configured, Scenario
from probe.lab.world.atlas import HOME_RESOLVER, ISP_RESOLVER
from probe.lab.world.plan import Lie

NULL = Lie(addresses=("0.0.0.0", "::"))
NO_SUCH_NAME, SERVFAIL, REFUSED = (Lie(rcode=code) for code in (3, 2, 5))
DEAD_RESOLVER = "5.62.0.99"
"""Nobody is there."""
CHOSEN_RESOLVERS = {"quad9": "9.9.9.9", "google": "8.8.8.8", "cloudflare": "1.1.1.1"}


def first_is_dead(dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """The first of two resolvers is dead."""
    lines = (dice.choice(("options timeout:1 attempts:1", "options rotate", "options edns0 trust-ad", "")),)
    servers = (DEAD_RESOLVER, dice.choice((ISP_RESOLVER, "9.9.9.9")))
    return with_client(scenario, nameservers=servers, resolver_lines=lines)


def home_filter(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """A resolver at home filters."""
    told = says(scenario, "home", key, dice.choice((NULL, NO_SUCH_NAME, REFUSED)))
    return with_client(told, nameservers=(HOME_RESOLVER,))


def chosen_filter(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The user has chosen a public resolver that filters, and it says the same in private."""
    chosen = dice.choice(tuple(CHOSEN_RESOLVERS))
    page = scenario.world.sites["wiki"].addresses
    told = says(scenario, chosen, key, dice.choice((NULL, NO_SUCH_NAME, REFUSED, Lie(addresses=page))))
    return with_client(told, nameservers=(CHOSEN_RESOLVERS[chosen],))


def invents_names(_dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """The provider's resolver leads names that do not exist to a page of its own."""
    home = scenario.world.sites["home1"].addresses
    resolvers = tuple(
        msgspec.structs.replace(one, invents=home) if one.key == "isp" else one for one in scenario.world.resolvers
    )
    return msgspec.structs.replace(scenario, world=msgspec.structs.replace(scenario.world, resolvers=resolvers))


def zone_refuses_resolver(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The name's own servers do not answer our provider's resolver."""
    return says(scenario, "isp", key, dice.choice((SERVFAIL, Lie(is_silent=True))))


def remembers_denial(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The name is new, and our resolver remembers when there was none."""
    return says(scenario, "isp", key, Lie(rcode=dice.choice((0, 3)), remembered_s=dice.randrange(30, 3600)))


def lossy_resolver(dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """Questions are lost."""
    drop = Rule(
        id="questions", when=ToAddress(ports=(53,), protocols=(17,)), then=Drop(), probability=dice.uniform(0.1, 0.7)
    )
    return with_rule(scenario, drop)


def split_horizon(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """Inside, the name has an address of its own."""
    told = says(scenario, dice.choice(("isp", "home")), key, Lie(addresses=("10.20.30.40",)))
    return with_client(told, nameservers=(HOME_RESOLVER,))


def no_resolver_file(_dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """The host names no resolver, so it asks itself, where nobody is."""
    return with_client(scenario, nameservers=("127.0.0.1",))


def answers_nearby(_dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """A CDN: our resolver is given other addresses than others are, all of them true."""
    world = scenario.world
    site, other = world.sites[key], world.sites["mail"]
    changed = world.change("mail", names=(*other.names, *site.names), answer=site.answer)
    lied = changed.lie("isp", dict.fromkeys(site.names, Lie(addresses=other.addresses)))
    return msgspec.structs.replace(scenario, world=lied)


def answers_nearby_dead(_dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The same, and the node that our resolver is given is down."""
    world = scenario.world.change("mail", is_up=False)
    lied = world.lie("isp", dict.fromkeys(world.sites[key].names, Lie(addresses=world.sites["mail"].addresses)))
    return msgspec.structs.replace(scenario, world=lied)


RESOLVERS: tuple[Fault, ...] = (
    first_is_dead, home_filter, chosen_filter, chosen_filter, invents_names, zone_refuses_resolver,
    remembers_denial, lossy_resolver, split_horizon, no_resolver_file, answers_nearby, answers_nearby_dead,
)  # fmt: skip


def wrong_clock(dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """Our clock is wrong."""
    days = dice.choice((-300, -1, 2, 300))
    return msgspec.structs.replace(
        scenario, world=msgspec.structs.replace(scenario.world, clock_offset_s=days * 86_400.0)
    )


def refused_here(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """Our own routing refuses the site."""
    kind = dice.choice(("prohibit", "unreachable", "blackhole"))
    return with_client(scenario, refused=scenario.world.sites[key].addresses, refusal=kind)


def in_hosts_file(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """Our own list of hosts puts the name nowhere."""
    address = dice.choice(("0.0.0.0", "127.0.0.1", "::1"))
    return with_client(scenario, hosts=tuple(f"{address} {name}" for name in scenario.world.sites[key].names))


def short_patience(_dice: random.Random, scenario: Scenario, _key: str) -> Scenario:
    """The agent was told to wait two seconds for a step."""
    return msgspec.structs.replace(scenario, configured=Configured(timeout="2s"))


HOSTS: tuple[Fault, ...] = (wrong_clock, refused_here, refused_here, in_hosts_file, short_patience)
