"""Interference with the flow of bytes, and with the clock: slowed, frozen, switched on and off."""

from probe.lab.censor.rules import Drop, NamesServer, Reset, Rule, Throttle, ToAddress, Volume
from probe.lab.scenarios.model import Build, Greet, Outcome, Scenario, Symptom, Truth
from probe.lab.scenarios.parts import (
    FINE,
    blocked,
    greets,
    hidden,
    loads,
    partly,
    passes_neutral,
    rules,
    works,
)
from probe.lab.world.plan import StrangeName, Trickle, World
from probe.model.pattern import Pattern
from probe.model.verdict import Status

BIG = "/big"
SLOW_BYTES_PER_S = 17_000
"""The 130 to 150 kbit/s that were seen in the field."""

POLICED_S = 4.0
"""A policer drops some of the certificate too; what is sent again after it comes later than two seconds at times."""
LIFTED_S = 5.0
"""Long enough for a busy machine to have met the block, and short enough to wait for."""


def throttled_by_name(world: World) -> Scenario:
    """A name slows its flows down."""
    site = world.sites["files"]
    slow = Throttle(bytes_per_s=SLOW_BYTES_PER_S)
    return Scenario(
        name="throttled-by-name",
        about="flows with the server name are policed to 136 kbit/s",
        world=world,
        target=site.url + BIG[1:],
        rules=rules(Rule(id="slow", when=NamesServer(names=(site.name,)), then=slow)),
        truth=partly(Pattern.FLOW_THROTTLE),
        symptoms=(
            loads(site, path=BIG, max_bytes=120_000, min_bytes=2_000, within_s=POLICED_S),
            *works(world.sites["news"]),
        ),
    )


def throttled_by_address(world: World) -> Scenario:
    """An address slows its flows down."""
    site = world.sites["files"]
    slow = Throttle(bytes_per_s=SLOW_BYTES_PER_S)
    return Scenario(
        name="throttled-by-address",
        about="flows to the site's addresses are policed to 136 kbit/s",
        world=world,
        target=site.url + BIG[1:],
        rules=rules(Rule(id="slow", when=ToAddress(prefixes=site.addresses), then=slow)),
        truth=partly(Pattern.FLOW_THROTTLE),
        symptoms=(
            loads(site, path=BIG, max_bytes=120_000, min_bytes=2_000, within_s=POLICED_S),
            *works(world.sites["news"]),
        ),
    )


def throttled_where_picky(world: World) -> Scenario:
    """A name slows its flows down, and its server can be compared with nothing: it serves no other name."""
    changed = world.change("files", strange_name=StrangeName.RESET)
    site = changed.sites["files"]
    slow = Throttle(bytes_per_s=SLOW_BYTES_PER_S)
    return Scenario(
        name="throttled-by-name-picky-server",
        about="flows with the server name are policed to 136 kbit/s; the server resets hellos with other names",
        world=changed,
        target=site.url + BIG[1:],
        rules=rules(Rule(id="slow", when=NamesServer(names=(site.name,)), then=slow)),
        truth=partly(Pattern.FLOW_THROTTLE),
        symptoms=(
            loads(site, path=BIG, max_bytes=120_000, min_bytes=2_000, within_s=POLICED_S),
            Symptom(
                trial=Greet(address=site.addresses[0], server_name=world.sites["anchor1"].name), outcome=Outcome.RESET
            ),
            *works(world.sites["news"]),
        ),
    )


def frozen_by_name(world: World) -> Scenario:
    """Nothing comes after the first 20 KB of a flow with the name; its server serves no other."""
    changed = world.change("files", strange_name=StrangeName.RESET)
    site = changed.sites["files"]
    freeze = Volume(after_bytes=20_000, names=(site.name,))
    return Scenario(
        name="frozen-by-name-picky-server",
        about="flows with the server name freeze after 20 KB; the server resets hellos with other names",
        world=changed,
        target=site.url + BIG[1:],
        rules=rules(Rule(id="freeze", when=freeze, then=Drop())),
        truth=blocked(Pattern.FLOW_FREEZE, local=Status.IMPAIRED),
        symptoms=(
            loads(site, path=BIG, max_bytes=20_000, min_bytes=8_000),
            Symptom(
                trial=Greet(address=site.addresses[0], server_name=world.sites["anchor1"].name), outcome=Outcome.RESET
            ),
            *works(world.sites["news"]),
        ),
    )


def slow_server(world: World) -> Scenario:
    """The server itself sends slowly, to everybody."""
    changed = world.change(
        "files",
        strange_name=StrangeName.RESET,
        paths={BIG: Trickle(body_bytes=400_000, bytes_per_s=SLOW_BYTES_PER_S)},
    )
    site = changed.sites["files"]
    return Scenario(
        name="slow-picky-server",
        about="the server sends the page slowly to everybody, and resets hellos with other names",
        world=changed,
        target=site.url + BIG[1:],
        truth=Truth(status=Status.OK, local=Status.DEGRADED),
        symptoms=(loads(site, path=BIG, max_bytes=80_000, min_bytes=2_000), *works(world.sites["news"])),
    )


def frozen(world: World) -> Scenario:
    """Nothing comes after the first 20 KB."""
    site = world.sites["files"]
    return Scenario(
        name="frozen-after-20k",
        about="connections to the site's network freeze after 20 KB",
        world=world,
        target=site.url + BIG[1:],
        rules=rules(Rule(id="freeze", when=Volume(after_bytes=20_000, prefixes=site.addresses), then=Drop())),
        truth=hidden(Pattern.FLOW_FREEZE),
        symptoms=(loads(site, path=BIG, max_bytes=20_000, min_bytes=8_000), *works(world.sites["news"])),
    )


def big_file(world: World) -> Scenario:
    """A large page arrives at full speed."""
    site = world.sites["files"]
    return Scenario(
        name="big-file",
        about="nothing is wrong; the page is 2 MB",
        world=world,
        target=site.url + BIG[1:],
        truth=FINE,
        symptoms=(loads(site, path=BIG, min_bytes=1_000_000),),
    )


def lifted(world: World) -> Scenario:
    """A block that ends by itself."""
    site, neutral = world.sites["news"], world.sites["anchor1"]
    rule = Rule(id="reset", when=NamesServer(names=(site.name,)), then=Reset(), starts_s=0.0, ends_s=LIFTED_S)
    return Scenario(
        name="lifted",
        about="the name is reset until the block is lifted, five seconds on",
        world=world,
        target=site.url,
        rules=rules(rule),
        truth=FINE,
        symptoms=(
            greets(site, Outcome.RESET),
            greets(site, Outcome.OK, at_s=LIFTED_S),
            passes_neutral(site, neutral),
        ),
        settles_s=LIFTED_S,
    )


FLOWS: tuple[Build, ...] = (
    throttled_by_name,
    throttled_by_address,
    throttled_where_picky,
    frozen,
    frozen_by_name,
    slow_server,
    big_file,
    lifted,
)
