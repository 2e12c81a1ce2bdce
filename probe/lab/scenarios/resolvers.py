"""Interference with names: what resolvers and boxes say instead of the truth."""

import msgspec

from probe.lab.censor.rules import AsksFor, Drop, ForgeAnswer, Rule, Then
from probe.lab.scenarios.model import Build, Outcome, Scenario, Truth
from probe.lab.scenarios.parts import (
    BLOCK_BODY,
    BOGON,
    POOL,
    TEREDO,
    asks,
    blocked,
    likely,
    refusable,
    resolves,
    rules,
    says,
    seeming,
    works,
)
from probe.lab.world.atlas import BOX_V4, ISP_RESOLVER
from probe.lab.world.plan import Lie, Page, World
from probe.model.pattern import Pattern
from probe.model.verdict import Status


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
)
