"""Faults of servers, lines and hosts that a comparison takes for a filter's work if it looks at less than all it sees.

Found by the hunt in honest worlds (`probe.lab.exam.hunt`); who adds one says here what was read into it too quickly.
"""

import msgspec

from probe.lab.censor.rules import Drop, LargePackets, Rule
from probe.lab.line import Line
from probe.lab.scenarios.model import Build, Client, Configured, Greet, Outcome, Reach, Scenario, Symptom, Truth
from probe.lab.scenarios.parts import FINE, asks, gone, greets, passes_neutral, resolves, rules, says, works
from probe.lab.world.atlas import ISP_RESOLVER_V6
from probe.lab.world.plan import Certificate, HangUp, Lie, Site, StrangeName, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

NARROW_BYTES = 1400
"""What a line inside a tunnel carries at most."""
QUICK = Configured(timeout="3s")
"""Many silences are waited for."""


def hangs_on_its_name(world: World) -> Scenario:
    """The name alone gets no answer, and it is the server that took the hello."""
    changed = world.change("single", own_name=StrangeName.SILENCE)
    site = changed.sites["single"]
    return Scenario(
        name="server-hangs-on-its-name",
        about="behind a balancer that goes by names the machine for this one hangs; other names are answered",
        world=changed,
        target=site.url,
        truth=gone(Pattern.SRV_DOWN, seen=(Pattern.TLS_TIMEOUT,)),
        symptoms=(greets(site, Outcome.SILENCE), passes_neutral(world.sites["anchor2"], site), *resolves(site)),
        configured=QUICK,
    )


def one_page_breaks(world: World) -> Scenario:
    """The host alone is cut off, and so it is over https, where nobody on the way can read it."""
    site = msgspec.structs.replace(world.sites["single"], answer=HangUp(reset=True))
    beside = Site(names=("www.house-beside.example",), addresses=site.addresses)
    sites = {"beside": beside, **world.sites, "single": site}  # the first at an address answers strange names
    return Scenario(
        name="page-breaks-beside-others",
        about="of two sites at one address the program behind this one breaks off; strange hosts get the other's page",
        world=msgspec.structs.replace(world, sites=sites),
        target=site.cleartext_url,
        truth=gone(Pattern.SRV_DOWN, seen=(Pattern.HTTP,)),
        symptoms=(asks(site, Outcome.RESET), asks(world.sites["forum"], at=site), *works(site)),
    )


def own_firewall(world: World) -> Scenario:
    """A word in the path brings a reset, whatever the host; the server's own firewall reads it."""
    changed = world.change("single", paths={"/search": HangUp(reset=True)})
    site = changed.sites["single"]
    return Scenario(
        name="server-cuts-off-a-word",
        about="the server's own firewall cuts off requests for a page, in the clear and over https; other pages come",
        world=changed,
        target=site.cleartext_url + "search?q=word",
        truth=gone(Pattern.SRV_DOWN, seen=(Pattern.HTTP,)),
        symptoms=(asks(site, Outcome.RESET, path="/search?q=word"), asks(site), *works(site)),
    )


def large_answers_lost(world: World) -> Scenario:
    """The name is silent here and answered elsewhere; it is the certificate that does not fit."""
    changed = world.change("single", certificate=Certificate.LARGE)
    site = changed.sites["single"]
    narrow = LargePackets(above_bytes=NARROW_BYTES, prefixes=site.addresses)
    return Scenario(
        name="large-answers-lost",
        about="packets above 1,400 bytes from this site alone are lost without a word: it does not hear how narrow"
        " our line is",
        world=changed,
        target=site.url,
        rules=rules(Rule(id="narrow", when=narrow, then=Drop())),
        truth=Truth(
            status=Status.IMPAIRED,
            patterns=(Pattern.NET_MTU,),
            cause=Cause.UNKNOWN,
            seen=(Pattern.TLS_TIMEOUT, Pattern.TLS),
        ),
        symptoms=(*(Symptom(trial=Reach(address=a)) for a in site.addresses), greets(site, Outcome.SILENCE)),
        configured=QUICK,
    )


def chosen_resolver(world: World) -> Scenario:
    """The name is denied in the clear and known elsewhere; the user's own resolver filters."""
    site = world.sites["news"]
    return Scenario(
        name="chosen-resolver-filters",
        about="the public resolver that the host asks denies the name, in private as well; others know it",
        world=world.lie("quad9", dict.fromkeys(site.names, Lie(rcode=3))),
        target=site.url,
        client=Client(nameservers=("9.9.9.9",)),
        truth=Truth(status=Status.IMPAIRED, patterns=(Pattern.LOCAL_RESOLVER,), cause=Cause.LOCAL),
        symptoms=(says(site, outcome=Outcome.NXDOMAIN, resolver="9.9.9.9"), *resolves(site, "8.8.8.8"), *works(site)),
    )


def remembered_denial(world: World) -> Scenario:
    """Our resolver denies a name that all others know; it remembers a time when there was none."""
    site = world.sites["news"]
    return Scenario(
        name="denial-remembered",
        about="the name is new: the provider's resolver remembers its zone's denial for some minutes more (RFC 2308)",
        world=world.lie("isp", dict.fromkeys(site.names, Lie(rcode=3, remembered_s=740))),
        target=site.url,
        truth=Truth(status=Status.IMPAIRED, patterns=(Pattern.DNS,), cause=Cause.UNKNOWN),
        symptoms=(says(site, outcome=Outcome.NXDOMAIN), *resolves(site, "9.9.9.9"), *works(site)),
    )


def own_routing_refuses(world: World) -> Scenario:
    """There is no way to the address, and a control connects; it is our own host that refuses."""
    site = world.sites["news"]
    return Scenario(
        name="own-routing-refuses",
        about="the host's own routing refuses the site's addresses, as a VPN client's emergency brake does",
        world=world,
        target=site.url,
        client=Client(refused=site.addresses, refusal="unreachable"),
        truth=Truth(status=Status.IMPAIRED, patterns=(Pattern.LOCAL_FIREWALL,), cause=Cause.LOCAL, seen=(Pattern.IP,)),
        symptoms=(
            *(Symptom(trial=Reach(address=a), outcome=Outcome.UNREACHABLE) for a in site.addresses),
            *resolves(site),
            *works(world.sites["forum"]),
        ),
    )


def only_nat64(world: World) -> Scenario:
    """Our resolver gives what no other does, for every name."""
    truth = world
    for key, site in truth.sites.items():
        made = tuple(f"64:ff9b::{address}" for address in site.v4)
        world = world.change(key, addresses=(*site.addresses, *made))
        world = world.lie("isp", dict.fromkeys(site.names, Lie(addresses=(*site.v4, *made))))
        for other in ("google", "cloudflare", "quad9"):
            world = world.lie(other, dict.fromkeys(site.names, Lie(addresses=site.addresses)))
    site = world.sites["single"]
    return Scenario(
        name="nat64-only",
        about="IPv6 alone, with a DNS64 and a NAT64 (RFC 6146, 6147): IPv4 sites are reached by made-up addresses",
        world=world,
        target=site.url,
        line=Line(loses_ipv4=True),
        client=Client(nameservers=(ISP_RESOLVER_V6,)),
        truth=FINE,
        symptoms=(
            Symptom(trial=Greet(address=f"64:ff9b::{truth.sites['single'].v4[0]}", server_name=site.name)),
            Symptom(trial=Reach(address=truth.sites["single"].v4[0]), outcome=Outcome.SILENCE),
        ),
    )


HONEST: tuple[Build, ...] = (
    hangs_on_its_name,
    one_page_breaks,
    own_firewall,
    large_answers_lost,
    chosen_resolver,
    remembered_denial,
    own_routing_refuses,
    only_nat64,
)
