"""Encrypted resolvers that are kept out, and names whose own zone is why they lead nowhere, or elsewhere."""

import msgspec

from probe.lab.censor.rules import Drop, NamesServer, Reset, Rule, ToAddress
from probe.lab.scenarios.model import Build, Greet, Outcome, Reach, Scenario, Symptom
from probe.lab.scenarios.parts import (
    FINE,
    gone,
    hidden,
    named,
    resolves,
    rules,
    says,
    works,
)
from probe.lab.world.plan import Lie, World
from probe.model.pattern import Pattern
from probe.model.verdict import Status


def dot_blocked(world: World) -> Scenario:
    """Port 853 is closed to all."""
    return Scenario(
        name="dot-blocked",
        about="port 853 is dropped everywhere",
        world=world,
        target="dot://9.9.9.9#dns.quad9.net",
        rules=rules(Rule(id="drop", when=ToAddress(ports=(853,)), then=Drop())),
        truth=hidden(Pattern.DNS_ENCRYPTED_BLOCKED, Pattern.IP_PORT_DROP),
        symptoms=(
            Symptom(trial=Reach(address="9.9.9.9", port=853), outcome=Outcome.SILENCE),
            Symptom(trial=Reach(address="9.9.9.9", port=443)),
            *works(world.sites["news"]),
        ),
    )


def doh_reset(world: World) -> Scenario:
    """The names of DoH providers are reset."""
    providers = ("dns.google", "cloudflare-dns.com", "dns.quad9.net")
    return Scenario(
        name="doh-reset",
        about="the server names of DoH providers are reset",
        world=world,
        target="doh+https://1.1.1.1/dns-query#cloudflare-dns.com",
        rules=rules(Rule(id="reset", when=NamesServer(names=providers), then=Reset(ip_ttl=70))),
        truth=named(Pattern.DNS_ENCRYPTED_BLOCKED, Pattern.TLS_RESET_SNI),
        symptoms=(
            Symptom(trial=Greet(address="1.1.1.1", server_name="cloudflare-dns.com"), outcome=Outcome.RESET),
            Symptom(trial=Reach(address="1.1.1.1")),
            *works(world.sites["news"]),
        ),
    )


def no_such_name(world: World) -> Scenario:
    """The name has been given up by its owner."""
    name = "www.long-gone-gazette.example"
    site = msgspec.structs.replace(world.sites["news"], names=(name,))
    return Scenario(
        name="no-such-name",
        about="the name does not exist anywhere",
        world=world,
        target=site.url,
        truth=gone(Pattern.SRV_NO_SUCH_NAME, local=Status.DOWN),
        symptoms=(
            says(site, outcome=Outcome.NXDOMAIN),
            says(site, outcome=Outcome.NXDOMAIN, resolver="9.9.9.9"),
            *works(world.sites["news"]),
        ),
    )


def zone_broken(world: World) -> Scenario:
    """The name's own servers are broken."""
    site = world.sites["single"]
    broken = {site.name: Lie(rcode=2)}
    changed = world
    for resolver in world.resolvers:
        changed = changed.lie(resolver.key, broken)
    return Scenario(
        name="zone-broken",
        about="every resolver gets a failure for the name: its own servers are broken",
        world=changed,
        target=site.url,
        truth=gone(Pattern.SRV_DOWN, local=Status.DOWN, seen=(Pattern.DNS_SERVFAIL,)),
        symptoms=(
            says(site, outcome=Outcome.DNS_ERROR),
            says(site, outcome=Outcome.DNS_ERROR, resolver="1.1.1.1"),
            *works(world.sites["news"]),
        ),
    )


def geo_answers(world: World) -> Scenario:
    """Resolvers give different addresses of one CDN, all of them true."""
    site, other = world.sites["news"], world.sites["forum"]
    twin = msgspec.structs.replace(site, names=(site.name, *other.names, site.names[1]))
    changed = world.change("forum", names=(*other.names, *site.names)).lie(
        "isp", {name: Lie(addresses=other.addresses) for name in site.names}
    )
    return Scenario(
        name="cdn-geo-answers",
        about="the resolvers give different addresses, and all of them serve the site",
        world=changed,
        target=site.url,
        truth=FINE,
        symptoms=(says(site, *other.v4), *resolves(twin, "9.9.9.9"), *works(site)),
    )


ZONES: tuple[Build, ...] = (
    dot_blocked,
    doh_reset,
    no_such_name,
    zone_broken,
    geo_answers,
)
