"""A real server that is silent for a reason of its own, to our key alone: what must not be taken for a filter.

Source: the WireGuard paper, section 5.1 (a responder drops an initiation whose timestamp is not above the last one of
that peer).
"""

import sys

from probe.lab.scenarios.model import Build, Proven, Scenario
from probe.lab.scenarios.parts import own_doing
from probe.lab.scenarios.vpn.flows import WIREGUARD_PORT, wireguard_go, wireguard_go_link
from probe.lab.scenarios.vpn.parts import tunnel_scenario, untold
from probe.lab.world.plan import World
from probe.model.pattern import Pattern
from probe.model.verdict import Status


def late_stamp(world: World) -> Scenario:
    """A handshake from the future makes the server silent to the key."""
    address = world.sites["tunnel"].v4[0]
    spoiler = (sys.executable, "-m", "probe.lab.world.late_stamp", address, str(WIREGUARD_PORT))
    return tunnel_scenario(
        "wireguard-go-late-stamp",
        "somebody used our WireGuard key by a clock that was a year ahead: the server takes us for a replay",
        world,
        "links.txt",
        untold(own_doing(Pattern.VPN), Status.IMPAIRED),
        servers=(wireguard_go(*spoiler),),
        proven=Proven.BEFORE,
        proven_servers=(wireguard_go(),),
        file=wireguard_go_link(address).replace("&depth=volume", ""),
    )


VPN_TRAPS: tuple[Build, ...] = (late_stamp,)
"""They need wireguard-go installed."""
