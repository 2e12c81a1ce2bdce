"""Faults of the place we stand at: lines, resolvers, clocks, portals, and interception beside us."""

import msgspec

from probe.lab.censor.rules import Divert, Drop, NamesServer, Place, Prohibit, Reset, Rule, ToAddress
from probe.lab.line import Line
from probe.lab.scenarios.model import Build, Client, Greet, Outcome, Reach, Scenario, Symptom, Truth
from probe.lab.scenarios.parts import FINE, asks, greets, loads, partly, reaches, resolves, rules, says, works
from probe.lab.world.atlas import BOX_V4, BOX_V6, DOMESTIC, FAKE_ADDRESS, HOME_RESOLVER
from probe.lab.world.plan import Lie, Page, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

PORTAL_PAGE = Page(title="Guest network", body="<html><title>Guest network</title>Please accept the terms.</html>\n")
EVERY_BOX = Divert(to=BOX_V4, to_v6=BOX_V6)
DAY_S = 86_400.0
HOME_ROUTER = "192.168.1.1"
HOME_ROUTER_V6 = "fd00:1::1"


class _OnLine(msgspec.Struct, frozen=True, kw_only=True):
    """The line is otherwise than usual."""

    name: str
    about: str
    line: Line
    truth: Truth = FINE
    outcome: Outcome = Outcome.OK
    times: int = 1
    at_least: int | None = None

    def __call__(self, world: World) -> Scenario:
        site = world.sites["news"]
        met = Symptom(
            trial=Greet(address=site.addresses[0], server_name=site.name),
            outcome=self.outcome,
            times=self.times,
            at_least=self.at_least,
        )
        return Scenario(
            name=self.name,
            about=self.about,
            world=world,
            target=site.url,
            line=self.line,
            truth=self.truth,
            symptoms=(met,),
        )


def unfit(pattern: Pattern, status: Status = Status.INSUFFICIENT, cause: Cause = Cause.LOCAL, *seen: Pattern) -> Truth:
    """Return the truth that the fault is the vantage's; `seen` is what that looks like at a target."""
    return Truth(status=status, patterns=(pattern,), cause=cause, seen=seen)


def foreign_cut(world: World) -> Scenario:
    """Nothing crosses the border."""
    site, home = world.sites["news"], world.sites["home1"]
    return Scenario(
        name="foreign-cut",
        about="nothing crosses the border; domestic sites work",
        world=world,
        target=site.url,
        rules=rules(Rule(id="cut", when=ToAddress(), then=Drop(), place=Place.BORDER)),
        truth=unfit(Pattern.NET_FOREIGN_CUT, Status.IMPAIRED, Cause.UNKNOWN, Pattern.IP_DROP),
        symptoms=(*reaches(site, Outcome.SILENCE), *works(home), *resolves(site)),
    )


def allow_list_mode(world: World) -> Scenario:
    """Only a few foreign addresses can be reached."""
    site, allowed = world.sites["news"], world.sites["anchor1"]
    rule = Rule(id="allow", when=ToAddress(except_prefixes=allowed.addresses), then=Drop(), place=Place.BORDER)
    return Scenario(
        name="allow-list-mode",
        about="of all foreign addresses only a few can be reached",
        world=world,
        target=site.url,
        rules=rules(rule),
        truth=Truth(
            status=Status.BLOCKED,
            patterns=(Pattern.NET_ALLOWLIST_MODE,),
            cause=Cause.NETWORK,
            local=Status.LIKELY_BLOCKED,
            outside=Status.LIKELY_BLOCKED,  # a cut cable with a few survivors looks the same from everywhere
            seen=(Pattern.IP_DROP,),
        ),
        symptoms=(*reaches(site, Outcome.SILENCE), *works(world.sites["home1"], allowed)),
    )


def no_resolver(world: World) -> Scenario:
    """The configured resolver is dead."""
    site = world.sites["news"]
    return Scenario(
        name="no-resolver",
        about="the access network's resolver does not answer at all",
        world=world.silence("isp"),
        target=site.url,
        truth=Truth(
            status=Status.INSUFFICIENT,
            patterns=(Pattern.NET_DNS_BROKEN,),
            cause=Cause.LOCAL,
            seen=(Pattern.NET_OFFLINE,),
            local=Status.IMPAIRED,
        ),
        symptoms=(says(site, outcome=Outcome.SILENCE), *resolves(site, "9.9.9.9"), *works(site)),
    )


def captive_portal(world: World) -> Scenario:
    """A portal wants its terms accepted first."""
    site = world.sites["news"]
    box = msgspec.structs.replace(world.box, page=PORTAL_PAGE, pages_for=("*",), forges_for=("*",))
    outside = ToAddress(except_prefixes=DOMESTIC, protocols=(1, 17, 58))
    web = ToAddress(ports=(80, 443), except_prefixes=(BOX_V4,))
    return Scenario(
        name="captive-portal",
        about="a portal answers every request until its terms are accepted",
        world=msgspec.structs.replace(world, box=box),
        target=site.url,
        rules=rules(Rule(id="portal", when=web, then=EVERY_BOX), Rule(id="closed", when=outside, then=Drop())),
        truth=unfit(Pattern.NET_CAPTIVE_PORTAL),
        symptoms=(
            asks(world.sites["portal"], says="Guest network"),
            greets(site, Outcome.BAD_CERTIFICATE),
            *resolves(site),
            says(site, outcome=Outcome.SILENCE, resolver="9.9.9.9"),
        ),
    )


def wrong_clock(world: World) -> Scenario:
    """Our clock is off: all the world's certificates are out of date, and its Date headers disagree."""
    site = world.sites["news"]
    return Scenario(
        name="wrong-clock",
        about="the client's clock is 300 days slow: the world's certificates are not valid yet",
        world=msgspec.structs.replace(world, clock_offset_s=300 * DAY_S),
        target=site.url,
        truth=unfit(Pattern.NET_CLOCK, Status.IMPAIRED),
        symptoms=(
            greets(site, Outcome.BAD_CERTIFICATE),
            greets(world.sites["anchor1"], Outcome.BAD_CERTIFICATE),
            asks(site),
        ),
    )


def tls_inspection(world: World) -> Scenario:
    """Somebody beside us ends all TLS with one issuer."""
    site = world.sites["news"]
    box = msgspec.structs.replace(world.box, forges_for=("*",))
    return Scenario(
        name="tls-inspection",
        about="a box beside the client shows certificates of one private issuer for every name",
        world=msgspec.structs.replace(world, box=box),
        target=site.url,
        rules=rules(Rule(id="inspect", when=ToAddress(ports=(443,)), then=EVERY_BOX)),
        truth=unfit(Pattern.LOCAL_TLS_INSPECTION, Status.IMPAIRED),
        symptoms=(
            greets(site, Outcome.BAD_CERTIFICATE),
            greets(world.sites["anchor1"], Outcome.BAD_CERTIFICATE),
            greets(world.sites["home1"], Outcome.BAD_CERTIFICATE),
            asks(site, says="Front Page"),
        ),
    )


def fake_ip(world: World) -> Scenario:
    """A proxy on the router answers every name with an address of its own, and carries the connections."""
    site = world.sites["news"]
    return Scenario(
        name="fake-ip-proxy",
        about="a proxy on the router answers every name from 198.18.0.0/15 and carries the connections on",
        world=world.lie("isp", {"*": Lie(addresses=(FAKE_ADDRESS,))}),
        target=site.url,
        truth=partly(Pattern.LOCAL_FAKE_IP, cause=Cause.LOCAL),
        symptoms=(
            says(site, FAKE_ADDRESS),
            says(world.sites["anchor1"], FAKE_ADDRESS),
            Symptom(trial=Greet(address=FAKE_ADDRESS, server_name=site.name)),
        ),
    )


def home_filter(world: World) -> Scenario:
    """A resolver at home filters the name."""
    site = world.sites["news"]
    return Scenario(
        name="home-filter",
        about="a resolver in the own network answers the name with the null address",
        world=world.lie("home", dict.fromkeys(site.names, Lie(addresses=("0.0.0.0", "::")))),
        target=site.url,
        client=Client(nameservers=(HOME_RESOLVER,)),
        truth=unfit(Pattern.LOCAL_RESOLVER, Status.IMPAIRED),
        symptoms=(says(site, "0.0.0.0", resolver=HOME_RESOLVER), *resolves(site), *works(site)),
    )


def tunnel_route(world: World) -> Scenario:
    """All that the client sends goes through a tunnel, past the censor."""
    site = world.sites["news"]
    return Scenario(
        name="tunnel-default-route",
        about="a tunnel is the client's default route: the censor that resets the name sees nothing of it",
        world=world,
        target=site.url,
        client=Client(tunnel=True),
        rules=rules(
            Rule(id="reset", when=NamesServer(names=(site.name,)), then=Reset()),
            Rule(id="drop", when=ToAddress(prefixes=world.sites["forum"].addresses), then=Drop()),
        ),
        truth=FINE,
        symptoms=(*works(site, world.sites["forum"], world.sites["home1"]), *resolves(site)),
    )


def own_firewall(world: World) -> Scenario:
    """The router at home refuses the site."""
    site = world.sites["news"]
    router = Prohibit(router=HOME_ROUTER, router_v6=HOME_ROUTER_V6)
    return Scenario(
        name="own-firewall",
        about="a router in the own network refuses the site's addresses by ICMP",
        world=world,
        target=site.url,
        rules=rules(Rule(id="firewall", when=ToAddress(prefixes=site.addresses), then=router)),
        truth=unfit(Pattern.LOCAL_FIREWALL, Status.IMPAIRED),
        symptoms=(*reaches(site, Outcome.UNREACHABLE), *resolves(site), *works(world.sites["forum"])),
    )


def ipv6_broken(world: World) -> Scenario:
    """Nothing comes back over IPv6."""
    site = world.sites["news"]
    line = Line(loses_ipv6=True)
    return Scenario(
        name="ipv6-broken",
        about="the client has IPv6 addresses, and nothing comes back over IPv6",
        world=world,
        target=site.url,
        line=line,
        truth=FINE,
        symptoms=(
            Symptom(trial=Reach(address=site.v6[0]), outcome=Outcome.SILENCE),
            Symptom(trial=Reach(address=world.sites["anchor1"].v6[0]), outcome=Outcome.SILENCE),
            *works(site),
        ),
    )


def second_resolver(world: World) -> Scenario:
    """The first of two resolvers is dead."""
    site = world.sites["news"]
    return Scenario(
        name="first-resolver-dead",
        about="the first of two configured resolvers does not answer",
        world=world.silence("isp"),
        target=site.url,
        client=Client(nameservers=("5.62.0.53", "8.8.8.8")),
        truth=FINE,
        symptoms=(says(site, outcome=Outcome.SILENCE), *resolves(site, "8.8.8.8")),
    )


def slow_line(world: World) -> Scenario:
    """300 ms and 32 kB/s."""
    site = world.sites["news"]
    return Scenario(
        name="slow-line",
        about="300 ms each way, 32 kB/s",
        world=world,
        target=site.url,
        line=Line(access_delay_s=0.15, transit_delay_s=0.15, bytes_per_s=32_000, queue_s=2.0),
        truth=FINE,
        symptoms=(loads(site, min_bytes=100),),
    )


VANTAGES: tuple[Build, ...] = (
    _OnLine(
        name="outage",
        about="the access line is dead",
        line=Line(is_cut=True),
        truth=unfit(Pattern.NET_OFFLINE),
        outcome=Outcome.SILENCE,
    ),
    _OnLine(
        name="lossy-line",
        about="20 % of what is sent and answered is lost: 10.6 % each way",
        line=Line(loss_ratio=0.106),
        times=4,
        at_least=1,
    ),
    _OnLine(
        name="far-away",
        about="nothing is wrong; everything is 300 ms away",
        line=Line(access_delay_s=0.05, transit_delay_s=0.1),
    ),
    _OnLine(
        name="next-door",
        about="nothing is wrong; everything is 10 ms away",
        line=Line(access_delay_s=0.001, transit_delay_s=0.004),
    ),
    _OnLine(
        name="mtu-black-hole",
        about="packets above 700 bytes vanish without a word, for every site",
        line=Line(lost_above_bytes=700),
        truth=unfit(
            Pattern.NET_MTU, Status.INSUFFICIENT, Cause.UNKNOWN, Pattern.NET, Pattern.TLS_TIMEOUT, Pattern.NET_OFFLINE
        ),
        outcome=Outcome.SILENCE,
    ),
    ipv6_broken,
    slow_line,
    foreign_cut,
    allow_list_mode,
    no_resolver,
    second_resolver,
    captive_portal,
    wrong_clock,
    tls_inspection,
    fake_ip,
    home_filter,
    own_firewall,
    tunnel_route,
)
