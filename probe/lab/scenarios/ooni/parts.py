"""What OONI's worlds are put together from in ours."""

from collections.abc import Callable

import msgspec

from probe.lab.censor.rules import (
    AsksFor,
    ForgeAnswer,
    Impair,
    NamesHost,
    NamesServer,
    Opening,
    Reset,
    Rule,
    Then,
    ToAddress,
)
from probe.lab.scenarios.model import Outcome, Scenario, Symptom, Truth
from probe.lab.scenarios.parts import (
    BLOCK_BODY,
    asks,
    greets,
    loads,
    rules,
    says,
    works,
)
from probe.lab.world.atlas import BOX_V4
from probe.lab.world.plan import Certificate, Lie, Page, Redirect, World

RESET = Reset(ip_ttl=62, both_ends=False)
IDN = "www.xn--80a1acny.example"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One of the fifty; most are a site, a few rules and a proof."""

    number: int
    name: str
    truth: Truth
    symptoms: Callable[[World], tuple[Symptom, ...]]
    censor: Callable[[World], tuple[Rule, ...]] = lambda world: ()
    world: Callable[[World], World] = lambda world: world
    key: str = "news"
    path: str = ""
    secure: bool = True
    target: str = ""

    def __call__(self, world: World) -> Scenario:
        """Return the scenario in this world."""
        changed = self.world(world)
        site = changed.sites[self.key]
        return Scenario(
            name=f"ooni-{self.number:02}-{self.name}",
            about=f"case {self.number} of OONI's suite",
            world=changed,
            target=self.target or (site.url if self.secure else site.cleartext_url) + self.path,
            rules=rules(*self.censor(changed)),
            truth=self.truth,
            symptoms=self.symptoms(changed),
        )


def spoof(*addresses: str, rcode: int = 0) -> Callable[[World], tuple[Rule, ...]]:
    """Return a censor that answers for the site in every resolver's name."""
    forged = ForgeAnswer(copies=(addresses,), rcode=rcode, in_path=True)
    return lambda world: (Rule(id="spoof", when=AsksFor(names=world.sites["news"].names), then=forged),)


def spoof_to(key: str, *more: Callable[[World], tuple[Rule, ...]]) -> Callable[[World], tuple[Rule, ...]]:
    """Return a censor that leads to another site, or to the box, and does more."""

    def censor(world: World) -> tuple[Rule, ...]:
        address = BOX_V4 if key == "box" else world.sites[key].v4[0]
        return (*spoof(address)(world), *(rule for one in more for rule in one(world)))

    return censor


def on_name(then: Then) -> Callable[[World], tuple[Rule, ...]]:
    """Return a censor that acts on the site's name in a hello."""
    return lambda world: (Rule(id="sni", when=NamesServer(names=world.sites["news"].names), then=then),)


def on_host(then: Then) -> Callable[[World], tuple[Rule, ...]]:
    """Return a censor that acts on the site's name in a cleartext request."""
    return lambda world: (Rule(id="host", when=NamesHost(names=world.sites["news"].names), then=then),)


def refuse(world: World) -> tuple[Rule, ...]:
    """Refuse connections to the site."""
    opening = Opening(prefixes=world.sites["news"].addresses, ports=(80, 443))
    return (Rule(id="refuse", when=opening, then=Reset(in_path=True)),)


def on_both(then: Then) -> Callable[[World], tuple[Rule, ...]]:
    """Return a censor that acts on the name in hellos and requests alike."""
    return lambda world: on_name(then)(world) + on_host(then)(world)


def meets_asking(outcome: Outcome = Outcome.OK, says: str = "") -> Callable[[World], tuple[Symptom, ...]]:
    """Return the proof of what a request in clear meets."""
    return lambda world: (asks(world.sites["news"], outcome, says=says),)


def meets_greeting(outcome: Outcome, key: str = "news") -> Callable[[World], tuple[Symptom, ...]]:
    """Return the proof of what a hello with the name of a site meets."""
    return lambda world: (greets(world.sites[key], outcome),)


def is_told(*addresses: str, outcome: Outcome = Outcome.OK) -> Callable[[World], tuple[Symptom, ...]]:
    """Return the proof that both the access network's and a foreign resolver seem to say so."""
    return lambda world: tuple(
        says(world.sites["news"], *addresses, outcome=outcome, resolver=r) for r in ("5.62.0.53", "8.8.8.8")
    )


def is_led_to(key: str, *more: Callable[[World], tuple[Symptom, ...]]) -> Callable[[World], tuple[Symptom, ...]]:
    """Return the proof that every resolver seems to lead to another site, or to the box."""

    def symptoms(world: World) -> tuple[Symptom, ...]:
        address = BOX_V4 if key == "box" else world.sites[key].v4[0]
        return (*is_told(address)(world), *(symptom for one in more for symptom in one(world)))

    return symptoms


def isp_says(lie: Lie) -> Callable[[World], World]:
    """Return a world whose access network's resolver lies about the site."""
    return lambda world: world.lie("isp", dict.fromkeys(world.sites["news"].names, lie))


def change(key: str, **fields: object) -> Callable[[World], World]:
    """Return a world in which a site has other properties."""
    return lambda world: world.change(key, **fields)


def make_local(world: World) -> World:
    """Have every resolver say 127.0.0.1, as the owner wants it."""
    lies = dict.fromkeys(world.sites["news"].names, Lie(addresses=("127.0.0.1",)))
    for resolver in world.resolvers:
        world = world.lie(resolver.key, lies)
    return world


def make_ghost(world: World) -> World:
    """Have the site's names exist nowhere, and a block page wait on `plain`."""
    page = Page(status=200, title="Access restricted", body=BLOCK_BODY)
    lies = dict.fromkeys(world.sites["news"].names, Lie(rcode=3))
    for resolver in world.resolvers:
        world = world.lie(resolver.key, lies)
    return world.change("plain", answer=page)


def make_alias_only(world: World) -> World:
    """Have the site's name be an alias of one without addresses."""
    alias = "edge.nowhere.example"
    aliases = dict.fromkeys(world.sites["news"].names, alias)
    return msgspec.structs.replace(world, aliases=aliases, records={alias: Lie()})


def make_international(world: World) -> World:
    """Have an internationalised name redirect to the site's http, and that to its https."""
    first = Redirect(location=world.sites["news"].cleartext_url)
    second = Redirect(location=world.sites["news"].url)
    wiki = world.sites["wiki"]
    return world.change("wiki", names=(IDN, *wiki.names), cleartext=first).change("news", cleartext=second)


def distrust_wiki(world: World) -> World:
    """Have `wiki` show a certificate of an authority that nobody trusts."""
    return world.change("wiki", certificate=Certificate.UNKNOWN_AUTHORITY)


def break_location(world: World) -> World:
    """Have `short` redirect to nowhere."""
    return world.change("short", paths={"/": Redirect(location="http://")})


def reset_control(world: World) -> tuple[Rule, ...]:
    """Reset the name of a third site, as of a control server."""
    return (Rule(id="control", when=NamesServer(names=world.sites["mail"].names), then=RESET),)


def control_is_reset(world: World) -> tuple[Symptom, ...]:
    """Prove it."""
    return (greets(world.sites["mail"], Outcome.RESET), *works(world.sites["news"]))


def is_led_to_box(world: World) -> tuple[Symptom, ...]:
    """Prove that every resolver seems to lead to the box."""
    return is_told(BOX_V4)(world)


def slow_down(world: World) -> tuple[Rule, ...]:
    """Delay and lose what goes to `files` in clear."""
    slow = Impair(delay_s=0.3, loss_ratio=0.1)
    return (Rule(id="slow", when=ToAddress(prefixes=world.sites["files"].addresses, ports=(80,)), then=slow),)


def slow_name_down(world: World) -> tuple[Rule, ...]:
    """Delay and lose what names `files` in a hello."""
    slow = Impair(delay_s=0.3, loss_ratio=0.1)
    return (Rule(id="slow", when=NamesServer(names=world.sites["files"].names), then=slow),)


def is_slow(world: World) -> tuple[Symptom, ...]:
    """Prove that its large page does not arrive in time."""
    return (loads(world.sites["files"], path="/big", max_bytes=1_500_000),)


def is_slow_in_clear(world: World) -> tuple[Symptom, ...]:
    """Prove that it answers at all."""
    return (asks(world.sites["files"], path="/big"),)
