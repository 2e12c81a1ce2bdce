"""Honest networks with a tunnel in them: what lines, guards and servers do to one whose keys were good before.

Nobody filters anything, as in `draw.py`. What differs is what is known: a handshake from here, from another network
just now, or both; reference servers and a control stand outside.
"""

import random

import msgspec

from probe.lab.censor.signatures import Signature
from probe.lab.honest.draw import Draw, draw_line
from probe.lab.honest.links import TUNNEL_LINKS
from probe.lab.honest.parts import Fault
from probe.lab.honest.servers import guard_bans
from probe.lab.scenarios.model import Build, Proven, Scenario, Tunnel
from probe.lab.scenarios.vpn.parts import mute, without
from probe.lab.scenarios.vpn.table import VPN
from probe.lab.world.plan import Service, World

KEY = "tunnel"
_SOUND = ("-works", "-carries")
"""How scenarios are called in which nothing is wrong."""


def is_down(_dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """The host is gone."""
    gone = msgspec.structs.replace(scenario, world=scenario.world.change(key, is_up=False))
    return _without_servers(gone)


def is_closed(_dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """Nobody listens any more."""
    world = scenario.world
    for service in world.sites[key].services:
        world = without(world, service.port, over_tcp=service.over_tcp)
    return _without_servers(msgspec.structs.replace(scenario, world=world))


def is_mute(dice: random.Random, scenario: Scenario, key: str) -> Scenario:
    """What listens has nothing to say to us: other keys, stamps that it takes for old, too many sessions half open."""
    world = scenario.world
    for service in world.sites[key].services:
        other = dice.choice([s for s in (Signature.OPENVPN, Signature.WIREGUARD) if s is not service.speaks])
        deaf = Service(port=service.port, speaks=other, over_tcp=service.over_tcp)
        world = mute(world, service.port, over_tcp=service.over_tcp, service=deaf)
    return _without_servers(msgspec.structs.replace(scenario, world=world))


OVER: tuple[Fault, ...] = (is_down, is_closed, is_mute, is_mute)
"""What ends for everybody: had it worked elsewhere a moment before, nobody could tell it from a filter."""
GROUPS = (TUNNEL_LINKS, (*OVER, guard_bans))


def draw_honest_tunnel(world: World, seed: int) -> Draw:
    """Return a world with a tunnel and one or two faults, the same for the same seed."""
    dice = random.Random(f"honest tunnel {seed}")
    sound = _sound(world)
    scenario = sound[dice.choice(list(sound))](world)
    assert scenario.tunnel is not None
    faults = [dice.choice(group) for group in dice.choice(((GROUPS[0],), (GROUPS[1],), GROUPS))]
    proven = dice.choice((Proven.BEFORE, Proven.ELSEWHERE, Proven.BOTH))
    if not set(OVER).isdisjoint(faults):
        proven = Proven.BEFORE
    tunnel = msgspec.structs.replace(
        scenario.tunnel,
        proven=proven,
        proven_world=scenario.world,
        proven_servers=scenario.tunnel.servers,
    )
    words = f"{scenario.name}, proven {proven.value}"
    scenario = msgspec.structs.replace(scenario, name=f"honest-tunnel-{seed}", tunnel=tunnel, line=draw_line(dice))
    for fault in faults:
        scenario = fault(dice, scenario, KEY)
    names = tuple(fault.__name__ for fault in faults)
    about = f"{words}: {', '.join(names)}"
    return Draw(msgspec.structs.replace(scenario, about=about), names, dice.random() < 0.7)


def _sound(world: World) -> dict[str, Build]:
    """Return the scenarios that a draw may begin from."""
    named = ((build(world).name, build) for build in VPN)
    return {name: build for name, build in named if name.endswith(_SOUND)}


def _without_servers(scenario: Scenario) -> Scenario:
    """Return the scenario without real servers now; those of before stay in its history."""
    tunnel = msgspec.structs.replace(scenario.tunnel or Tunnel(), servers=())
    return msgspec.structs.replace(scenario, tunnel=tunnel)
