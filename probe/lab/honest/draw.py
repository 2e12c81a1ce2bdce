"""Honest networks drawn by lot: links, resolvers, servers and hosts with the faults they really have, and no censor.

Nobody blocks anything here. Whatever a check says, it must not say `blocked` or `likely_blocked`, and must not give the
network as the cause; `degraded` or `impaired` with the cause unknown is right where something does not work.
"""

import random
from typing import NamedTuple

import msgspec

from probe.lab.honest.links import LINKS
from probe.lab.honest.resolvers import HOSTS, RESOLVERS
from probe.lab.honest.servers import SERVERS
from probe.lab.line import Line
from probe.lab.scenarios.model import Scenario, Truth
from probe.lab.world.plan import World
from probe.model.verdict import Cause, Status

TARGETS = ("news", "forum", "single", "shop", "files", "short", "plain")
GROUPS = (LINKS, SERVERS, RESOLVERS, HOSTS)
WEIGHTS = (0, 0, 0, 1, 1, 1, 2, 2, 3)
"""Numbers of the groups, as often as they come: hosts are mostly well."""


class Draw(NamedTuple):
    """A world by lot: what is wrong in it, and whether a control stands outside."""

    scenario: Scenario
    faults: tuple[str, ...]
    control: bool


def draw_honest(world: World, seed: int) -> Draw:
    """Return a world with one to three faults, the same for the same seed."""
    dice = random.Random(f"honest {seed}")
    key = dice.choice(TARGETS)
    site = world.sites[key]
    cleartext = not site.https_ports or dice.random() < 0.2
    scenario = Scenario(
        name=f"honest-{seed}",
        about="",
        world=world,
        target=site.cleartext_url if cleartext else site.url,
        truth=Truth(status=Status.OK),
        line=draw_line(dice),
        options=("--tries", "4") if dice.random() < 0.1 else (),
    )
    wanted = dice.choice((1, 1, 2, 2, 3))
    lots: list[int] = []
    while len(lots) < wanted:
        lots += {dice.choice(WEIGHTS)} - set(lots)
    faults = []
    for group in (GROUPS[number] for number in sorted(lots)):
        fault = dice.choice(group)
        scenario = fault(dice, scenario, key)
        faults.append(fault.__name__)
    words = f"{scenario.target}: {', '.join(faults)}"
    return Draw(msgspec.structs.replace(scenario, about=words), tuple(faults), dice.random() < 0.5)


def accuses(status: Status, cause: Cause) -> bool:
    """Tell whether an answer accuses a network: in a world without a censor that is wrong."""
    return status in (Status.BLOCKED, Status.LIKELY_BLOCKED) or cause is Cause.NETWORK


def draw_line(dice: random.Random) -> Line:
    """Return a line of which only the length is drawn."""
    rtt_s = 0.01 * 30.0 ** dice.random()
    return Line(access_delay_s=0.1 * rtt_s, transit_delay_s=0.4 * rtt_s)
