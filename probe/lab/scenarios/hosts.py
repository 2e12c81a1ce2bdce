"""Faults and oddities of the host that asks, and of what shares its address: none of them is anybody's blocking."""

import msgspec

from probe.lab.censor.rules import AsksFor, Drop, NamesServer, Pass, Reset, Rule, ToAddress
from probe.lab.censor.signatures import Signature
from probe.lab.scenarios.model import (
    Build,
    Client,
    Greet,
    LookUp,
    Neighbour,
    Outcome,
    Pile,
    Proxied,
    Reach,
    Scenario,
    Speak,
    Symptom,
    Truth,
)
from probe.lab.scenarios.parts import (
    FINE,
    asks,
    greets,
    named,
    partly,
    reaches,
    resolves,
    rules,
    says,
    seeming,
    works,
)
from probe.lab.scenarios.vantages import DAY_S, EVERY_BOX, PORTAL_PAGE, unfit
from probe.lab.world.atlas import BOX_V4, DOMESTIC
from probe.lab.world.box import PROXY_PORT
from probe.lab.world.plan import Lie, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

INSTRUMENT = Truth(status=Status.INSUFFICIENT, patterns=(Pattern.INSTRUMENT_FAULT,), cause=Cause.INSTRUMENT)
NEIGHBOUR_EVERY_S = 0.5
NEIGHBOUR_RESIDUAL_S = 2.0
NEIGHBOUR_SETTLES_S = 1.5
"""By then a neighbour has met the censor, on a slow machine too."""
SEARCHED = "lost.example"


def portal_in_the_middle(world: World) -> Scenario:
    """The portal closes while the target is being asked."""
    site = world.sites["news"]
    box = msgspec.structs.replace(world.box, page=PORTAL_PAGE, pages_for=("*",), forges_for=("*",))
    outside = ToAddress(except_prefixes=DOMESTIC, protocols=(1, 17, 58))
    web = ToAddress(ports=(80, 443), except_prefixes=(BOX_V4,))
    return Scenario(
        name="captive-portal-mid-round",
        about="a portal closes the network the moment the target's name is resolved; until then all works",
        world=msgspec.structs.replace(world, box=box),
        target=site.url,
        rules=rules(
            Rule(id="asked", when=AsksFor(names=(site.name,)), then=Pass()),
            Rule(id="portal", when=web, then=EVERY_BOX, after="asked"),
            Rule(id="closed", when=outside, then=Drop(), after="asked"),
        ),
        truth=unfit(Pattern.NET_CAPTIVE_PORTAL),
        symptoms=(
            *works(site, world.sites["anchor1"]),
            Symptom(trial=says(site, *site.v4).trial, at_s=1.0),
            Symptom(trial=asks(world.sites["portal"], says="Guest network").trial, at_s=2.0),
            greets(site, Outcome.BAD_CERTIFICATE, at_s=2.0),
            greets(world.sites["anchor1"], Outcome.BAD_CERTIFICATE, at_s=2.0),
        ),
    )


def out_of_descriptors(world: World) -> Scenario:
    """Our own limit of open files."""
    site, tunnel = world.sites["news"], world.sites["tunnel"]
    return Scenario(
        name="out-of-descriptors",
        about="nothing is wrong but that our host lets no program open another file once it has resolved a name",
        world=world,
        target=site.url,
        client=Client(denies_descriptors=True),
        truth=INSTRUMENT,
        symptoms=(
            *reaches(site),
            # Any datagram will do; it must be one that takes no further file to read.
            Symptom(trial=Speak(address=tunnel.v4[0], port=51820, signature=Signature.WIREGUARD), at_s=0.6),
            Symptom(trial=Pile(address=site.addresses[0], connections=1), outcome=Outcome.NO_ROOM, at_s=1.0),
        ),
    )


def out_of_ports(world: World) -> Scenario:
    """Our own ports are taken."""
    site = world.sites["news"]
    return Scenario(
        name="out-of-ports",
        about="nothing is wrong but that another program of ours has taken every port a connection could start from",
        world=world,
        target=site.url,
        client=Client(takes_ports=True),
        truth=INSTRUMENT,
        symptoms=(*reaches(site, Outcome.NO_ROOM), says(site, outcome=Outcome.NO_ROOM)),
    )


def slow_library(world: World) -> Scenario:
    """The C library searches for names where nobody answers."""
    site = world.sites["news"]
    silent = {f"*.{SEARCHED}": Lie(is_silent=True)}
    lines = (f"search {SEARCHED}", "options ndots:5 timeout:3 attempts:1")
    return Scenario(
        name="library-resolves-slowly",
        about="the C library looks for each name below a suffix first, for which no answer ever comes",
        world=world.lie("isp", silent),
        target=site.url,
        client=Client(resolver_lines=lines),
        truth=FINE,
        symptoms=(
            Symptom(trial=LookUp(name=site.name, min_s=2.5)),
            *resolves(site),
            *works(site),
        ),
    )


def proxy_beside(world: World) -> Scenario:
    """The environment names a proxy, and the direct way works too."""
    site = world.sites["news"]
    return Scenario(
        name="proxy-in-environment",
        about="the environment names a proxy that works, and so does the direct way",
        world=world,
        target=site.url,
        client=Client(environment=_proxy()),
        truth=FINE,
        symptoms=(Symptom(trial=Proxied(server_name=site.name)), *works(site)),
    )


def proxy_only(world: World) -> Scenario:
    """The proxy is the only way out."""
    site = world.sites["news"]
    outside = ToAddress(except_prefixes=DOMESTIC)
    return Scenario(
        name="proxy-only",
        about="the environment names a proxy, and all that does not go through it is dropped",
        world=world,
        target=site.url,
        client=Client(environment=_proxy()),
        rules=rules(Rule(id="closed", when=outside, then=Drop())),
        truth=Truth(
            status=Status.INSUFFICIENT,
            patterns=(Pattern.LOCAL_PROXY,),
            cause=Cause.LOCAL,
            seen=(Pattern.NET_FOREIGN_CUT, Pattern.NET_OFFLINE),
            local=Status.IMPAIRED,
            outside=Status.IMPAIRED,  # what is closed to us is closed to our questions as well
        ),
        symptoms=(
            Symptom(trial=Proxied(server_name=site.name)),
            *reaches(site, Outcome.SILENCE),
            *reaches(world.sites["anchor1"], Outcome.SILENCE),
        ),
    )


def _proxy() -> dict[str, str]:
    return dict.fromkeys(("http_proxy", "https_proxy"), f"http://{BOX_V4}:{PROXY_PORT}")


def clock_ahead(world: World) -> Scenario:
    """Our clock runs ahead: all the world's certificates have expired by it."""
    site = world.sites["news"]
    return Scenario(
        name="clock-ahead",
        about="the client's clock is 300 days ahead: the world's certificates have all expired",
        world=msgspec.structs.replace(world, clock_offset_s=-300 * DAY_S),
        target=site.url,
        truth=unfit(Pattern.NET_CLOCK, Status.IMPAIRED),
        symptoms=(
            greets(site, Outcome.BAD_CERTIFICATE),
            greets(world.sites["anchor1"], Outcome.BAD_CERTIFICATE),
            asks(site),
        ),
    )


def neighbour_at_shared_host(world: World) -> Scenario:
    """A neighbour's requests for one site close the address that another one shares."""
    site, hated, neutral = world.sites["shop"], world.sites["video"], world.sites["anchor2"]
    rule = Rule(
        id="name",
        when=NamesServer(names=(hated.name,)),
        then=Reset(ip_ttl=57),
        residual_s=NEIGHBOUR_RESIDUAL_S,
    )
    return Scenario(
        name="neighbour-closes-shared-host",
        about="somebody behind our address keeps asking for a blocked site, which closes the host it shares with ours",
        world=world,
        target=site.url,
        client=Client(neighbour=_neighbour(world, "video")),
        rules=rules(rule),
        # From here it looks as a port does that is dropped for seconds at a time: who asked for it is not seen. A hello
        # or a request under way, and sent again in closed moments only, meets silence and no more.
        truth=seeming(
            partly(Pattern.FLOW_RESIDUAL, Pattern.IP), Pattern.IP_PORT_DROP, Pattern.TLS_TIMEOUT, Pattern.HTTP_TIMEOUT
        ),
        options=("--tries", "10"),  # a run may come between two closures and see nothing by itself
        symptoms=(
            Symptom(trial=Reach(address=site.v4[0]), outcome=Outcome.SILENCE, at_s=NEIGHBOUR_SETTLES_S),
            *reaches(site, port=80),
            *works(neutral),
        ),
        settles_s=NEIGHBOUR_SETTLES_S,
    )


def neighbour_at_same_site(world: World) -> Scenario:
    """A neighbour triggers the very block that we examine."""
    site, neutral = world.sites["news"], world.sites["anchor2"]
    rule = Rule(
        id="name",
        when=NamesServer(names=(site.name,)),
        then=Reset(ip_ttl=57),
        residual_s=NEIGHBOUR_RESIDUAL_S,
    )
    punished = Greet(address=site.v4[0], server_name=neutral.name)
    return Scenario(
        name="neighbour-triggers-same-block",
        about="two agents behind one address ask for the same site, and each meets what the other's request left",
        world=world,
        target=site.url,
        client=Client(neighbour=_neighbour(world, "news")),
        rules=rules(rule),
        truth=named(Pattern.TLS_RESET_SNI),
        symptoms=(
            Symptom(trial=punished, outcome=Outcome.SILENCE, at_s=NEIGHBOUR_SETTLES_S),
            *works(neutral, world.sites["forum"]),
        ),
    )


def _neighbour(world: World, key: str) -> Neighbour:
    site = world.sites[key]
    return Neighbour(address=site.v4[0], server_name=site.name, every_s=NEIGHBOUR_EVERY_S)


HOSTS: tuple[Build, ...] = (
    portal_in_the_middle,
    out_of_descriptors,
    out_of_ports,
    slow_library,
    proxy_beside,
    proxy_only,
    clock_ahead,
    neighbour_at_shared_host,
    neighbour_at_same_site,
)
