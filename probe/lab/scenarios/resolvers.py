"""Interference with names: what resolvers and boxes say instead of the truth."""

import msgspec

from probe.lab.censor.rules import AsksFor, Divert, Drop, ForgeAnswer, NamesServer, Reset, Rule, Then, ToAddress
from probe.lab.scenarios.model import Build, Client, Configured, Greet, Outcome, Reach, Scenario, Symptom, Truth
from probe.lab.scenarios.parts import (
    BLOCK_BODY,
    BOGON,
    FINE,
    POOL,
    TEREDO,
    asks,
    blocked,
    gone,
    hidden,
    likely,
    named,
    refusable,
    resolves,
    rules,
    says,
    seeming,
    works,
)
from probe.lab.world.atlas import BOX_V4, HOME_RESOLVER, ISP_RESOLVER
from probe.lab.world.plan import Lie, Page, World
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status


class _Lying(msgspec.Struct, frozen=True, kw_only=True):
    """The access network's resolver lies about a name; everybody else tells the truth."""

    name: str
    about: str
    lie: Lie
    truth: Truth
    outcome: Outcome
    key: str = "news"

    def __call__(self, world: World) -> Scenario:
        site = world.sites[self.key]
        return Scenario(
            name=self.name,
            about=self.about,
            world=world.lie("isp", dict.fromkeys(site.names, self.lie)),
            target=site.url,
            truth=self.truth,
            symptoms=(
                says(site, *self.lie.addresses, outcome=self.outcome),
                *resolves(site, "9.9.9.9"),
                *resolves(world.sites["forum"]),
                *works(site),
            ),
        )


class _OnTheWay(msgspec.Struct, frozen=True, kw_only=True):
    """A box answers, or swallows, questions for a name, whichever resolver they go to."""

    name: str
    about: str
    then: Then
    truth: Truth
    meets: tuple[str, ...] = ()
    outcome: Outcome = Outcome.OK
    replies: int = 1

    def __call__(self, world: World) -> Scenario:
        site = world.sites["news"]
        seen = [
            says(site, *self.meets, outcome=self.outcome, resolver=resolver, replies=self.replies)
            for resolver in (ISP_RESOLVER, "8.8.8.8")
        ]
        return Scenario(
            name=self.name,
            about=self.about,
            world=world,
            target=site.url,
            rules=rules(Rule(id="answer", when=AsksFor(names=(site.names[1],)), then=self.then)),
            truth=self.truth,
            symptoms=(*seen, *resolves(world.sites["forum"]), *works(site)),
        )


def dns_block_page(world: World) -> Scenario:
    """The resolver sends the visitor to a page of the censor's."""
    site = world.sites["plain"]
    page = Page(status=200, title="Access restricted", body=BLOCK_BODY)
    box = msgspec.structs.replace(world.box, page=page, pages_for=("*",))
    changed = msgspec.structs.replace(world, box=box).lie("isp", {site.name: Lie(addresses=(BOX_V4,))})
    return Scenario(
        name="dns-block-page",
        about="the access network's resolver gives the address of a block page",
        world=changed,
        target=site.cleartext_url,
        truth=blocked(Pattern.DNS_RESOLVER_MANIPULATED, Pattern.HTTP_BLOCKPAGE),
        symptoms=(says(site, BOX_V4), *resolves(site, "9.9.9.9"), asks(site)),
    )


def dns_teredo(world: World) -> Scenario:
    """Both families are forged, IPv6 with Teredo addresses."""
    site = world.sites["news"]
    forged = ForgeAnswer(copies=((POOL[1], TEREDO[0]),), in_path=True, mirrors_ttl=True)
    return Scenario(
        name="dns-teredo",
        about="a box answers in the resolver's name, AAAA with Teredo addresses",
        world=world,
        target=site.url,
        rules=rules(Rule(id="answer", when=AsksFor(names=(site.names[1],)), then=forged)),
        truth=blocked(Pattern.DNS_INJECTION_TEREDO),
        symptoms=(says(site, POOL[1]), says(site, TEREDO[0], kind="AAAA"), *works(site)),
    )


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


RESOLVERS: tuple[Build, ...] = (
    _Lying(
        name="dns-bogon",
        about="the access network's resolver gives a private address",
        lie=Lie(addresses=(BOGON,)),
        truth=blocked(Pattern.DNS_RESOLVER_MANIPULATED),
        outcome=Outcome.OK,
    ),
    _Lying(
        name="dns-localhost",
        about="the access network's resolver gives 127.0.0.1",
        lie=Lie(addresses=("127.0.0.1",)),
        truth=blocked(Pattern.DNS_RESOLVER_MANIPULATED),
        outcome=Outcome.OK,
    ),
    _Lying(
        name="dns-poisoned",
        about="the access network's resolver gives an address of the injectors' pool",
        lie=Lie(addresses=(POOL[0],)),
        truth=blocked(Pattern.DNS_RESOLVER_MANIPULATED),
        outcome=Outcome.OK,
    ),
    _Lying(
        name="dns-refused",
        about="the access network's resolver refuses the question",
        lie=Lie(rcode=5),
        truth=blocked(Pattern.DNS_REFUSED, local=Status.LIKELY_BLOCKED),
        outcome=Outcome.DNS_ERROR,
    ),
    _Lying(
        name="dns-servfail",
        about="the access network's resolver reports a failure for the name",
        lie=Lie(rcode=2),
        truth=refusable(Pattern.DNS_SERVFAIL),
        outcome=Outcome.DNS_ERROR,
    ),
    _Lying(
        name="dns-no-answer",
        about="the access network's resolver gives no address",
        lie=Lie(),
        truth=likely(Pattern.DNS_NO_ANSWER),
        outcome=Outcome.NO_ADDRESS,
    ),
    _Lying(
        name="dns-silent",
        about="the access network's resolver does not answer for the name",
        lie=Lie(is_silent=True),
        truth=refusable(Pattern.DNS_TIMEOUT),
        outcome=Outcome.SILENCE,
    ),
    _OnTheWay(
        name="dns-bogon-in-path",
        about="a box answers in every resolver's name with a private address; no true answer follows",
        then=ForgeAnswer(copies=((BOGON,),), in_path=True, mirrors_ttl=True),
        truth=blocked(Pattern.DNS_INJECTION_BOGON, Pattern.DNS_INJECTION_POOL),
        meets=(BOGON,),
    ),
    _OnTheWay(
        name="dns-pool-in-path",
        about="a box answers in every resolver's name with an address of the injectors' pool",
        then=ForgeAnswer(copies=((POOL[2],),), in_path=True),
        # No list names this one: that all resolvers give it, and whence, is what tells.
        truth=seeming(blocked(Pattern.DNS_INJECTION_OTHER), Pattern.DNS_INJECTION_POOL),
        meets=(POOL[2],),
    ),
    _OnTheWay(
        name="dns-nxdomain-in-path",
        about="a box denies the name in every resolver's name",
        then=ForgeAnswer(copies=((),), rcode=3, in_path=True),
        truth=blocked(Pattern.DNS_NXDOMAIN),
        outcome=Outcome.NXDOMAIN,
    ),
    _OnTheWay(
        name="dns-race-three",
        about="three injectors race the true answer, one of them with the question's own TTL and trailing bytes",
        then=ForgeAnswer(
            copies=((POOL[0],), (POOL[1],), (POOL[2],)), mirrors_ttl=True, authoritative=True, trailing_hex="00" * 20
        ),
        truth=blocked(Pattern.DNS_INJECTION_RACE),
        meets=(POOL[0],),
        replies=4,
    ),
    _OnTheWay(
        name="dns-dropped",
        about="questions for the name are dropped, whoever is asked",
        then=Drop(),
        truth=blocked(Pattern.DNS_TIMEOUT, local=Status.LIKELY_BLOCKED),
        outcome=Outcome.SILENCE,
    ),
    dns_block_page,
    dns_teredo,
    dns_intercepted,
    dns_intercepted_nowhere,
    dns_forged_behind_home,
    dns_home_answers_all,
    dot_blocked,
    doh_reset,
    no_such_name,
    zone_broken,
    geo_answers,
)
