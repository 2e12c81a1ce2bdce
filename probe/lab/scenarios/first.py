"""The eight conditions that everything else is a variation of."""

from probe.lab.censor.rules import (
    AsksFor,
    Drop,
    Finish,
    ForgeAnswer,
    NamesHost,
    NamesServer,
    Reset,
    Rule,
    ToAddress,
)
from probe.lab.scenarios.model import (
    Ask,
    Build,
    Greet,
    Outcome,
    Reach,
    Resolve,
    Scenario,
    Symptom,
    Truth,
    rules,
)
from probe.lab.world.atlas import ISP_RESOLVER
from probe.lab.world.plan import Lie, Site, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

POOL = ("31.13.94.37", "108.160.167.174", "157.240.2.14")
"""Addresses that injectors of the field answer with; they belong to uninvolved companies, and nobody is there here."""
BLOCK_PAGE = (
    "HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
)
BLOCK_BODY = (
    "<html><head><title>Access restricted</title></head><body><h1>Access to this site has been restricted by order "
    "of the competent authority.</h1></body></html>\n"
)


def render_block_page() -> str:
    """Return the response that boxes put in place of a page."""
    return BLOCK_PAGE.format(length=len(BLOCK_BODY), body=BLOCK_BODY)


def works(site: Site) -> tuple[Symptom, ...]:
    """Return the proof that a site is served from its first address."""
    return (Symptom(trial=Greet(address=site.addresses[0], server_name=site.name)),)


def resolves(site: Site, resolver: str = ISP_RESOLVER) -> tuple[Symptom, ...]:
    """Return the proof that a resolver tells the truth about a site."""
    return (Symptom(trial=Resolve(name=site.name, resolver=resolver, addresses=site.v4)),)


def clean(world: World) -> Scenario:
    """Nothing is wrong."""
    site = world.sites["news"]
    return Scenario(
        name="clean",
        about="nothing is wrong",
        world=world,
        target=site.url,
        truth=Truth(status=Status.OK),
        symptoms=(*resolves(site), *works(site), *works(world.sites["anchor1"])),
    )


def dns_nxdomain(world: World) -> Scenario:
    """The access network's resolver says that the name does not exist."""
    site = world.sites["news"]
    return Scenario(
        name="dns-nxdomain",
        about="the access network's resolver denies the name; other resolvers know it",
        world=world.lie("isp", {name: Lie(rcode=3) for name in site.names}),
        target=site.url,
        truth=Truth(
            status=Status.BLOCKED,
            patterns=(Pattern.DNS_NXDOMAIN,),
            cause=Cause.NETWORK,
            careful=(Status.LIKELY_BLOCKED, Status.IMPAIRED),
        ),
        symptoms=(
            Symptom(trial=Resolve(name=site.name, resolver=ISP_RESOLVER), outcome=Outcome.NXDOMAIN),
            *resolves(site, "8.8.8.8"),
            *resolves(world.sites["forum"]),
            *works(site),
        ),
    )


def dns_race(world: World) -> Scenario:
    """A forged answer arrives before the true one, whoever is asked."""
    site = world.sites["news"]
    rule = Rule(
        id="race",
        when=AsksFor(names=(site.names[1],)),
        then=ForgeAnswer(copies=((POOL[0],), (POOL[1],)), ip_ttl=91, answer_ttl_s=180),
    )
    return Scenario(
        name="dns-race",
        about="an on-path box answers first with false addresses; the true answer follows",
        world=world,
        target=site.url,
        rules=rules(rule),
        truth=Truth(
            status=Status.BLOCKED,
            patterns=(Pattern.DNS_INJECTION_RACE,),
            cause=Cause.NETWORK,
            careful=(Status.LIKELY_BLOCKED, Status.IMPAIRED),
        ),
        symptoms=(
            Symptom(trial=Resolve(name=site.name, resolver=ISP_RESOLVER, addresses=(POOL[0],), replies=3)),
            Symptom(trial=Resolve(name=site.name, resolver="8.8.8.8", addresses=(POOL[0],), replies=3)),
            *resolves(world.sites["forum"], "8.8.8.8"),
            *works(site),
        ),
    )


def blackhole(world: World) -> Scenario:
    """Nothing reaches the addresses."""
    site = world.sites["news"]
    prefixes = tuple(site.addresses)
    return Scenario(
        name="blackhole",
        about="packets to the site's addresses are dropped",
        world=world,
        target=site.url,
        rules=rules(Rule(id="drop", when=ToAddress(prefixes=prefixes), then=Drop())),
        truth=Truth(
            status=Status.IMPAIRED, patterns=(Pattern.IP_DROP,), cause=Cause.UNKNOWN, careful=(Status.IMPAIRED,)
        ),
        symptoms=(
            *(Symptom(trial=Reach(address=a), outcome=Outcome.SILENCE) for a in prefixes),
            Symptom(trial=Reach(address=prefixes[0], port=80), outcome=Outcome.SILENCE),
            *resolves(site),
            *works(world.sites["forum"]),
        ),
    )


def sni_reset(world: World) -> Scenario:
    """A reset follows the name in the hello."""
    site = world.sites["news"]
    neutral = world.sites["anchor1"]
    rule = Rule(id="reset", when=NamesServer(names=(site.names[1],)), then=Reset(ip_ttl=57, ip_id=0x3C1B), residual_s=0)
    return Scenario(
        name="sni-reset",
        about="a forged reset follows the server name; other names pass at the same address",
        world=world,
        target=site.url,
        rules=rules(rule),
        truth=Truth(
            status=Status.LIKELY_BLOCKED,
            patterns=(Pattern.TLS_RESET_SNI,),
            cause=Cause.NETWORK,
            careful=(Status.IMPAIRED,),
        ),
        symptoms=(
            Symptom(trial=Greet(address=site.addresses[0], server_name=site.name), outcome=Outcome.RESET, times=3),
            Symptom(trial=Greet(address=neutral.addresses[0], server_name=site.name), outcome=Outcome.RESET),
            *(Symptom(trial=Reach(address=address)) for address in site.addresses),
            Symptom(trial=Greet(address=site.addresses[0], server_name=neutral.name), outcome=Outcome.BAD_CERTIFICATE),
            *works(neutral),
        ),
    )


def sni_drop(world: World) -> Scenario:
    """Silence follows the name in the hello."""
    site = world.sites["news"]
    neutral = world.sites["anchor1"]
    return Scenario(
        name="sni-drop",
        about="what follows the server name is dropped; other names pass at the same address",
        world=world,
        target=site.url,
        rules=rules(Rule(id="drop", when=NamesServer(names=(site.names[1],)), then=Drop())),
        truth=Truth(
            status=Status.LIKELY_BLOCKED,
            patterns=(Pattern.TLS_TIMEOUT_SNI,),
            cause=Cause.NETWORK,
            careful=(Status.IMPAIRED,),
        ),
        symptoms=(
            Symptom(trial=Greet(address=site.addresses[0], server_name=site.name), outcome=Outcome.SILENCE),
            Symptom(trial=Greet(address=site.addresses[0], server_name=neutral.name), outcome=Outcome.BAD_CERTIFICATE),
            *works(neutral),
        ),
    )


def block_page(world: World) -> Scenario:
    """A page of the censor's comes in place of the site's."""
    site = world.sites["news"]
    return Scenario(
        name="block-page",
        about="a request in clear with the site's name is answered by a box on the way",
        world=world,
        target=site.cleartext_url,
        rules=rules(
            Rule(id="page", when=NamesHost(names=(site.names[1],)), then=Finish(payload=render_block_page(), ip_ttl=60))
        ),
        truth=Truth(
            status=Status.BLOCKED,
            patterns=(Pattern.HTTP_BLOCKPAGE,),
            cause=Cause.NETWORK,
            careful=(Status.LIKELY_BLOCKED, Status.IMPAIRED),
        ),
        symptoms=(
            Symptom(trial=Ask(address=site.addresses[0], host=site.name, says="restricted")),
            Symptom(trial=Ask(address=site.addresses[0], host=world.sites["anchor1"].name, says="Front Page")),
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
        truth=Truth(
            status=Status.DOWN,
            patterns=(Pattern.SRV_DOWN,),
            cause=Cause.SERVER,
            careful=(Status.IMPAIRED, Status.INSUFFICIENT),
        ),
        symptoms=(
            *(Symptom(trial=Reach(address=a), outcome=Outcome.SILENCE) for a in site.addresses),
            *resolves(site),
            *works(world.sites["forum"]),
        ),
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
