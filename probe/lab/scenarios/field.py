"""Censors as they are met in the field: several ways at once, and lists of what passes instead of what does not.

Source: Anonymous et al. (FOCI 2020) and Niere et al. 2025 (DNS over UDP forged, over TCP reset, names of DoH and DoT
reset), Tai et al. 2025 (Iran), Nourin et al. 2023 (Turkmenistan), net4people/bbs #579 (names that pass, in Russia).
"""

from probe.lab.censor.rules import AsksFor, Drop, ForgeAnswer, NamesServer, Reset, ResetForm, Rule
from probe.lab.scenarios.model import Build, Greet, Outcome, Scenario, Symptom, Truth
from probe.lab.scenarios.parts import BOGON, POOL, blocked, greets, likely, resolves, rules, says, works
from probe.lab.world.plan import Site, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

DOH_NAMES = ("dns.google", "cloudflare-dns.com", "dns.quad9.net")
ANCHORS = tuple(f"anchor{n}" for n in range(1, 6))


def every_question(world: World) -> Scenario:
    """Whoever is asked for the name, and however, is kept from answering."""
    site = world.sites["news"]
    asked = (site.names[1],)
    return Scenario(
        name="dns-race-tcp-reset",
        about="injectors race the true answer over UDP; questions over TCP, and the names of DoH providers, are reset",
        world=world,
        target=site.url,
        rules=rules(
            Rule(id="udp", when=AsksFor(names=asked), then=ForgeAnswer(copies=((POOL[0],), (POOL[1],)))),
            Rule(id="tcp", when=AsksFor(names=asked, over_tcp=True), then=Reset(form=ResetForm.TRIPLE)),
            Rule(id="doh", when=NamesServer(names=DOH_NAMES), then=Reset(form=ResetForm.RST_ACK)),
        ),
        truth=blocked(Pattern.DNS_INJECTION_RACE),
        symptoms=(
            says(site, POOL[0], replies=3),
            Symptom(trial=Greet(address="9.9.9.9", server_name=DOH_NAMES[2], port=853), outcome=Outcome.RESET),
            *resolves(world.sites["forum"]),
            *works(site),
        ),
    )


def answer_and_name(world: World) -> Scenario:
    """The answer is forged, and whoever knows the right address is stopped at the name."""
    site = world.sites["news"]
    return Scenario(
        name="dns-bogon-and-sni-reset",
        about="a box answers for the name with a private address, and at its true addresses the name is reset",
        world=world,
        target=site.url,
        rules=rules(
            Rule(
                id="dns",
                when=AsksFor(names=(site.names[1],)),
                then=ForgeAnswer(copies=((BOGON,),), in_path=True, mirrors_ttl=True),
            ),
            Rule(id="sni", when=NamesServer(names=site.names), then=Reset(form=ResetForm.RST_ACK)),
        ),
        truth=blocked(Pattern.DNS_INJECTION_BOGON, Pattern.TLS_RESET_SNI),
        symptoms=(says(site, BOGON), greets(site, Outcome.RESET), *works(world.sites["forum"])),
    )


def localhost_and_name(world: World) -> Scenario:
    """The same with an answer that leads nowhere, and a box that ends both sides of a connection."""
    site = world.sites["forum"]
    return Scenario(
        name="dns-localhost-and-sni-reset",
        about="a box answers for the name with 127.0.0.1; at its true addresses it resets both ends and drops the rest",
        world=world,
        target=site.url,
        rules=rules(
            Rule(
                id="dns",
                when=AsksFor(names=(site.names[1],)),
                then=ForgeAnswer(copies=(("127.0.0.1",),), in_path=True),
            ),
            Rule(id="sni", when=NamesServer(names=site.names), then=Reset(form=ResetForm.RST_ACK, in_path=True)),
        ),
        truth=blocked(Pattern.DNS_INJECTION_BOGON, Pattern.TLS_RESET_SNI),
        symptoms=(says(site, "127.0.0.1"), greets(site, Outcome.RESET), *works(world.sites["news"])),
    )


def listed_names_pass(world: World) -> Scenario:
    """Of all names only well-known ones pass, wherever they go."""
    site = world.sites["news"]
    rule = NamesServer(names=("*",), except_names=_names(world, *ANCHORS, "home1", "home2"))
    return Scenario(
        name="sni-allow-list",
        about="hellos are dropped unless their name is on a list, on which well-known sites are",
        world=world,
        target=site.url,
        rules=rules(Rule(id="list", when=rule, then=Drop())),
        # A control without a name is not on the list either, and cannot be asked.
        truth=likely(Pattern.TLS_TIMEOUT_SNI),
        symptoms=(
            greets(site, Outcome.SILENCE),
            greets(world.sites["forum"], Outcome.SILENCE),
            Symptom(
                trial=Greet(address=site.addresses[0], server_name=world.sites["anchor1"].name),
                outcome=Outcome.BAD_CERTIFICATE,
            ),
            *works(world.sites["anchor1"], world.sites["home1"]),
        ),
    )


def few_names_pass(world: World) -> Scenario:
    """The list is short: of the neutral places abroad only one is on it."""
    site, allowed = world.sites["news"], world.sites["anchor1"]
    rule = NamesServer(names=("*",), except_names=_names(world, "anchor1", "home1", "home2"))
    return Scenario(
        name="sni-allow-list-short",
        about="hellos are dropped unless their name is on a list, on which hardly any foreign site is",
        world=world,
        target=site.url,
        rules=rules(Rule(id="list", when=rule, then=Drop())),
        truth=Truth(
            status=Status.BLOCKED,
            patterns=(Pattern.NET_ALLOWLIST_MODE,),
            cause=Cause.NETWORK,
            local=Status.LIKELY_BLOCKED,
            outside=Status.LIKELY_BLOCKED,
            seen=(Pattern.TLS_TIMEOUT_SNI,),
        ),
        symptoms=(
            greets(site, Outcome.SILENCE),
            greets(world.sites["anchor2"], Outcome.SILENCE),
            *works(allowed, world.sites["home1"]),
        ),
    )


def _names(world: World, *keys: str) -> tuple[str, ...]:
    sites: list[Site] = [world.sites[key] for key in keys]
    return tuple(name for site in sites for name in site.names)


FIELD: tuple[Build, ...] = (
    every_question,
    answer_and_name,
    localhost_and_name,
    listed_names_pass,
    few_names_pass,
)
