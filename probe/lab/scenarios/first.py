"""The eight conditions that everything else is a variation of."""

from probe.lab.censor.rules import AsksFor, Drop, Finish, ForgeAnswer, NamesHost, NamesServer, Reset, Rule, ToAddress
from probe.lab.scenarios.model import Build, Outcome, Scenario
from probe.lab.scenarios.parts import (
    FINE,
    POOL,
    asks,
    blocked,
    gone,
    greets,
    hidden,
    named,
    passes_neutral,
    reaches,
    render_block_page,
    resolves,
    rules,
    says,
    works,
)
from probe.lab.world.plan import Lie, World
from probe.model.pattern import Pattern


def clean(world: World) -> Scenario:
    """Nothing is wrong."""
    site = world.sites["news"]
    return Scenario(
        name="clean",
        about="nothing is wrong",
        world=world,
        target=site.url,
        truth=FINE,
        symptoms=(*resolves(site), *works(site, world.sites["anchor1"])),
    )


def dns_nxdomain(world: World) -> Scenario:
    """The access network's resolver says that the name does not exist."""
    site = world.sites["news"]
    return Scenario(
        name="dns-nxdomain",
        about="the access network's resolver denies the name; other resolvers know it",
        world=world.lie("isp", {name: Lie(rcode=3) for name in site.names}),
        target=site.url,
        truth=blocked(Pattern.DNS_NXDOMAIN),
        symptoms=(
            says(site, outcome=Outcome.NXDOMAIN),
            *resolves(site, "8.8.8.8"),
            *resolves(world.sites["forum"]),
            *works(site),
        ),
    )


def dns_race(world: World) -> Scenario:
    """Forged answers arrive before the true one, whoever is asked."""
    site = world.sites["news"]
    forged = ForgeAnswer(copies=((POOL[0],), (POOL[1],)), ip_ttl=91, answer_ttl_s=180)
    return Scenario(
        name="dns-race",
        about="an on-path box answers first with false addresses; the true answer follows",
        world=world,
        target=site.url,
        rules=rules(Rule(id="race", when=AsksFor(names=(site.names[1],)), then=forged)),
        truth=blocked(Pattern.DNS_INJECTION_RACE),
        symptoms=(
            says(site, POOL[0], replies=3),
            says(site, POOL[0], resolver="8.8.8.8", replies=3),
            *resolves(world.sites["forum"], "8.8.8.8"),
            *works(site),
        ),
    )


def blackhole(world: World) -> Scenario:
    """Nothing reaches the addresses."""
    site = world.sites["news"]
    return Scenario(
        name="blackhole",
        about="packets to the site's addresses are dropped",
        world=world,
        target=site.url,
        rules=rules(Rule(id="drop", when=ToAddress(prefixes=site.addresses), then=Drop())),
        truth=hidden(Pattern.IP_DROP),
        symptoms=(
            *reaches(site, Outcome.SILENCE),
            *reaches(site, Outcome.SILENCE, port=80),
            *resolves(site),
            *works(world.sites["forum"]),
        ),
    )


def sni_reset(world: World) -> Scenario:
    """A reset follows the name in the hello."""
    site, neutral = world.sites["news"], world.sites["anchor1"]
    return Scenario(
        name="sni-reset",
        about="a forged reset follows the server name; other names pass at the same address",
        world=world,
        target=site.url,
        rules=rules(
            Rule(id="reset", when=NamesServer(names=(site.names[1],)), then=Reset(ip_ttl=57, ip_id=0x3C1B)),
        ),
        truth=named(Pattern.TLS_RESET_SNI),
        symptoms=(
            greets(site, Outcome.RESET, times=3),
            greets(site, Outcome.RESET, at=neutral),
            *reaches(site),
            passes_neutral(site, neutral),
            *works(neutral),
        ),
    )


def sni_drop(world: World) -> Scenario:
    """Silence follows the name in the hello."""
    site, neutral = world.sites["news"], world.sites["anchor1"]
    return Scenario(
        name="sni-drop",
        about="what follows the server name is dropped; other names pass at the same address",
        world=world,
        target=site.url,
        rules=rules(Rule(id="drop", when=NamesServer(names=(site.names[1],)), then=Drop())),
        truth=named(Pattern.TLS_TIMEOUT_SNI),
        symptoms=(greets(site, Outcome.SILENCE), passes_neutral(site, neutral), *works(neutral)),
    )


def block_page(world: World) -> Scenario:
    """A page of the censor's comes in place of the site's."""
    site = world.sites["news"]
    page = Finish(payload=render_block_page(), ip_ttl=60)
    return Scenario(
        name="block-page",
        about="a request in clear with the site's name is answered by a box on the way",
        world=world,
        target=site.cleartext_url,
        rules=rules(Rule(id="page", when=NamesHost(names=(site.names[1],)), then=page)),
        truth=named(Pattern.HTTP_BLOCKPAGE),
        symptoms=(
            asks(site, says="restricted"),
            asks(world.sites["anchor1"], says="Front Page", at=site),
            *works(site),
        ),
    )


def site_down(world: World) -> Scenario:
    """Nobody is at the addresses."""
    site = world.sites["news"]
    return Scenario(
        name="site-down",
        about="nobody is at the site's addresses, for anybody",
        world=world.change("news", is_up=False),
        target=site.url,
        truth=gone(Pattern.SRV_DOWN, seen=(Pattern.IP_DROP,)),
        symptoms=(*reaches(site, Outcome.SILENCE), *resolves(site), *works(world.sites["forum"])),
    )


FIRST: tuple[Build, ...] = (
    clean,
    dns_nxdomain,
    dns_race,
    blackhole,
    sni_reset,
    sni_drop,
    block_page,
    site_down,
)
