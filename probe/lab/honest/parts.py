"""What faults are put together from."""

import random
from collections.abc import Callable

import msgspec

from probe.lab.censor.rules import Rule
from probe.lab.scenarios.model import Scenario
from probe.lab.world.plan import Lie

Fault = Callable[[random.Random, Scenario, str], Scenario]
"""Gives a scenario a fault; the word is the key of the site in question."""
MANY_FROM, MANY_TO = 4, 12
"""Connections that a guard lets through in a while: less than our own comparisons open."""


def on_line(scenario: Scenario, **fields: object) -> Scenario:
    """Change the line."""
    return msgspec.structs.replace(scenario, line=msgspec.structs.replace(scenario.line, **fields))


def at_site(scenario: Scenario, key: str, **fields: object) -> Scenario:
    """Change one site."""
    return msgspec.structs.replace(scenario, world=scenario.world.change(key, **fields))


def with_rule(scenario: Scenario, rule: Rule) -> Scenario:
    """Add something that stands on the way."""
    rules = msgspec.structs.replace(scenario.rules, rules=(*scenario.rules.rules, rule))
    return msgspec.structs.replace(scenario, rules=rules)


def with_client(scenario: Scenario, **fields: object) -> Scenario:
    """Change the host that asks."""
    return msgspec.structs.replace(scenario, client=msgspec.structs.replace(scenario.client, **fields))


def says(scenario: Scenario, resolver: str, key: str, lie: Lie) -> Scenario:
    """Have a resolver say this of a site's names."""
    lies = dict.fromkeys(scenario.world.sites[key].names, lie)
    return msgspec.structs.replace(scenario, world=scenario.world.lie(resolver, lies))
