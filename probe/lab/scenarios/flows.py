"""Interference with the flow of bytes, and with the clock: slowed, frozen, switched on and off."""

from probe.lab.censor.rules import Drop, NamesServer, Reset, Rule, Throttle, ToAddress, Volume
from probe.lab.scenarios.model import Build, Outcome, Scenario
from probe.lab.scenarios.parts import (
    FINE,
    greets,
    hidden,
    loads,
    partly,
    passes_neutral,
    rules,
    works,
)
from probe.lab.world.plan import World
from probe.model.pattern import Pattern

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


FLOWS: tuple[Build, ...] = (throttled_by_name, throttled_by_address, frozen, big_file, lifted)
