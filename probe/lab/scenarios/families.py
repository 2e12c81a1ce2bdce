"""One family of addresses is interfered with, the other is not: the target works, by the other (degraded)."""

from probe.lab.censor.rules import AsksFor, Drop, ForgeAnswer, NamesServer, Reset, Rule, ToAddress
from probe.lab.scenarios.model import Build, Greet, Outcome, Reach, Scenario, Symptom
from probe.lab.scenarios.parts import BOGON, TEREDO, hidden, partly, rules, says, works
from probe.lab.world.plan import Site, World
from probe.model.pattern import Pattern


def v6_dropped(world: World) -> Scenario:
    """The IPv6 address is dropped, the others are not."""
    site = world.sites["news"]
    return Scenario(
        name="ipv6-address-dropped",
        about="packets to the site's IPv6 address are dropped; IPv4 works",
        world=world,
        target=site.url,
        rules=rules(Rule(id="drop", when=ToAddress(prefixes=site.v6), then=Drop())),
        truth=partly(Pattern.IP_DROP),
        symptoms=(Symptom(trial=Reach(address=site.v6[0]), outcome=Outcome.SILENCE), *works(site)),
    )


def v4_dropped(world: World) -> Scenario:
    """Both IPv4 addresses are dropped, the IPv6 one is not."""
    site = world.sites["news"]
    return Scenario(
        name="ipv4-addresses-dropped",
        about="packets to the site's IPv4 addresses are dropped; IPv6 works",
        world=world,
        target=site.url,
        rules=rules(Rule(id="drop", when=ToAddress(prefixes=site.v4), then=Drop())),
        truth=partly(Pattern.IP_DROP),
        symptoms=(
            *(Symptom(trial=Reach(address=address), outcome=Outcome.SILENCE) for address in site.v4),
            _greets(site, site.v6[0]),
        ),
    )


def v6_name_reset(world: World) -> Scenario:
    """The name is reset over IPv6 alone."""
    site, neutral = world.sites["news"], world.sites["anchor2"]
    rule = NamesServer(names=(site.name,), prefixes=site.v6)
    return Scenario(
        name="ipv6-name-reset",
        about="hellos with the name are reset over IPv6; over IPv4 they pass",
        world=world,
        target=site.url,
        rules=rules(Rule(id="reset", when=rule, then=Reset(in_path=True))),
        truth=partly(Pattern.TLS_RESET_SNI),
        symptoms=(
            _greets(site, site.v6[0], Outcome.RESET),
            Symptom(trial=Greet(address=site.v6[0], server_name=neutral.name), outcome=Outcome.BAD_CERTIFICATE),
            *works(site),
        ),
    )


def v4_name_reset(world: World) -> Scenario:
    """The name is reset over IPv4 alone."""
    site, neutral = world.sites["news"], world.sites["anchor2"]
    rule = NamesServer(names=(site.name,), prefixes=site.v4)
    return Scenario(
        name="ipv4-name-reset",
        about="hellos with the name are reset over IPv4; over IPv6 they pass",
        world=world,
        target=site.url,
        rules=rules(Rule(id="reset", when=rule, then=Reset(in_path=True))),
        truth=partly(Pattern.TLS_RESET_SNI),
        symptoms=(
            _greets(site, site.v4[0], Outcome.RESET),
            Symptom(trial=Greet(address=site.v4[0], server_name=neutral.name), outcome=Outcome.BAD_CERTIFICATE),
            _greets(site, site.v6[0]),
        ),
    )


def v4_name_v6_address(world: World) -> Scenario:
    """The name is reset over IPv4, and whatever is said over IPv6: each family has a reason of its own."""
    site, neutral = world.sites["news"], world.sites["anchor2"]
    by_name = NamesServer(names=(site.name,), prefixes=site.v4)
    any_name = NamesServer(names=("*",), prefixes=site.v6)
    return Scenario(
        name="ipv4-name-ipv6-address-reset",
        about="over IPv4 hellos with the name are reset, over IPv6 all hellos to the site",
        world=world,
        target=site.url,
        rules=rules(
            Rule(id="name", when=by_name, then=Reset(in_path=True)),
            Rule(id="address", when=any_name, then=Reset(in_path=True)),
        ),
        truth=hidden(Pattern.TLS_RESET),
        symptoms=(
            _greets(site, site.v4[0], Outcome.RESET),
            _greets(neutral, site.v4[0], Outcome.BAD_CERTIFICATE),
            _greets(neutral, site.v6[0], Outcome.RESET),
        ),
    )


def a_forged(world: World) -> Scenario:
    """Questions for IPv4 addresses get a forged answer, those for IPv6 addresses the true one."""
    return _forged(world, "A", BOGON)


def aaaa_forged(world: World) -> Scenario:
    """Questions for IPv6 addresses get a forged answer, those for IPv4 addresses the true one."""
    return _forged(world, "AAAA", TEREDO[0])


def _forged(world: World, kind: str, lie: str) -> Scenario:
    site = world.sites["news"]
    forged = ForgeAnswer(copies=((lie,),), in_path=True)
    question = AsksFor(names=(site.names[1],), query_types=(kind,))
    pattern = Pattern.DNS_INJECTION_BOGON if kind == "A" else Pattern.DNS_INJECTION_TEREDO
    return Scenario(
        name=f"dns-{kind.lower()}-forged",
        about=f"a box answers {kind} questions in the resolver's name; those for the other family get the truth",
        world=world,
        target=site.url,
        rules=rules(Rule(id="answer", when=question, then=forged)),
        truth=partly(pattern),
        symptoms=(says(site, lie, kind=kind), *works(site)),
    )


def _greets(site: Site, address: str, outcome: Outcome = Outcome.OK) -> Symptom:
    return Symptom(trial=Greet(address=address, server_name=site.name), outcome=outcome)


FAMILIES: tuple[Build, ...] = (
    v6_dropped,
    v4_dropped,
    v6_name_reset,
    v4_name_reset,
    v4_name_v6_address,
    a_forged,
    aaaa_forged,
)
