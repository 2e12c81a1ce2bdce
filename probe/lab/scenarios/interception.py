"""Questions that somebody else answers than was asked: port 53 led elsewhere, or a router at home in between."""

import msgspec

from probe.lab.censor.rules import AsksFor, Divert, ForgeAnswer, Rule, ToAddress
from probe.lab.scenarios.model import Build, Client, Configured, Outcome, Scenario, Truth
from probe.lab.scenarios.parts import (
    BOGON,
    blocked,
    resolves,
    rules,
    says,
    seeming,
    works,
)
from probe.lab.world.atlas import HOME_RESOLVER, ISP_RESOLVER
from probe.lab.world.plan import Lie, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status


def dns_intercepted(world: World) -> Scenario:
    """Whoever is asked on port 53, the access network's resolver answers, and lies."""
    site = world.sites["news"]
    everything = ToAddress(ports=(53,), except_prefixes=("5.62.0.53/32", "2a02:2d8::53/128"))
    return Scenario(
        name="dns-intercepted",
        about="port 53 is carried to the access network's resolver, which denies the name",
        world=world.lie("isp", {name: Lie(rcode=3) for name in site.names}),
        target=site.url,
        rules=rules(Rule(id="divert", when=everything, then=Divert(to=ISP_RESOLVER, to_v6="2a02:2d8::53"))),
        truth=seeming(blocked(Pattern.DNS_RESOLVER_INTERCEPTED), Pattern.DNS_NXDOMAIN),
        symptoms=(
            says(site, outcome=Outcome.NXDOMAIN),
            says(site, outcome=Outcome.NXDOMAIN, resolver="9.9.9.9"),
            *resolves(world.sites["forum"], "9.9.9.9"),
            *works(site),
        ),
    )


def dns_intercepted_nowhere(world: World) -> Scenario:
    """The same, and the user has an address at which nobody answers questions."""
    scenario = dns_intercepted(world)
    return msgspec.structs.replace(
        scenario,
        name="dns-intercepted-nowhere",
        about="port 53 is carried to the access network's resolver, which denies the name; one place has none",
        truth=scenario.truth,  # that port 53 is hijacked shows where the kernel tells how far replies came
        symptoms=(*scenario.symptoms, *resolves(world.sites["forum"], _nobody(world))),
        configured=Configured(nowhere=(_nobody(world),)),
    )


def dns_forged_behind_home(world: World) -> Scenario:
    """The host asks a resolver at home, which is asked the same and told the same."""
    site = world.sites["news"]
    forged = ForgeAnswer(copies=((BOGON,),), in_path=True)
    return Scenario(
        name="dns-forged-behind-home",
        about="a box answers for the name with a private address; the resolver asked is the home's, which passes it on",
        world=world.lie("home", dict.fromkeys(site.names, Lie(addresses=(BOGON,)))),
        target=site.url,
        client=Client(nameservers=(HOME_RESOLVER,)),
        rules=rules(Rule(id="answer", when=AsksFor(names=(site.names[1],)), then=forged)),
        truth=blocked(Pattern.DNS_INJECTION_BOGON),
        symptoms=(
            says(site, BOGON, resolver=HOME_RESOLVER),
            says(site, BOGON, resolver=_nobody(world)),
            says(world.sites["forum"], outcome=Outcome.REFUSED, resolver=_nobody(world)),
            *works(site),
        ),
        configured=Configured(nowhere=(_nobody(world),)),
    )


def dns_home_answers_all(world: World) -> Scenario:
    """A filter at home answers whatever is asked of anybody, and denies the name."""
    scenario = dns_intercepted(world)
    site = world.sites["news"]
    everything = ToAddress(ports=(53,), except_prefixes=(f"{HOME_RESOLVER}/32",))
    return msgspec.structs.replace(
        scenario,
        name="dns-home-answers-all",
        about="the router at home answers every question on port 53 itself, and denies the name",
        world=world.lie("home", {name: Lie(rcode=3) for name in site.names}),
        rules=rules(Rule(id="divert", when=everything, then=Divert(to=HOME_RESOLVER))),
        client=Client(nameservers=(HOME_RESOLVER,)),
        truth=Truth(
            status=Status.IMPAIRED,
            patterns=(Pattern.LOCAL_RESOLVER,),
            cause=Cause.LOCAL,
            seen=(Pattern.DNS_NXDOMAIN,),
        ),
        symptoms=(
            says(site, outcome=Outcome.NXDOMAIN, resolver=HOME_RESOLVER),
            says(site, outcome=Outcome.NXDOMAIN, resolver=_nobody(world)),
            *works(site),
        ),
        configured=Configured(nowhere=(_nobody(world),)),
    )


def _nobody(world: World) -> str:
    """Return an address at which a site is, and no resolver."""
    return world.sites["forum"].v4[0]


INTERCEPTION: tuple[Build, ...] = (
    dns_intercepted,
    dns_intercepted_nowhere,
    dns_forged_behind_home,
    dns_home_answers_all,
)
