"""The demo's story as data: what the censor does and when, and what the agent is told to watch. Pure."""

from typing import Any

import msgspec
import yaml

from probe.lab.censor.rules import AsksFor, Drop, ForgeAnswer, NamesServer, Reset, Rule, RuleSet, ToAddress
from probe.lab.client.agent import COOL_DOWN, render_config
from probe.lab.scenarios.model import Scenario
from probe.lab.scenarios.parts import FINE, POOL
from probe.lab.world.plan import World

FIRST_CHANGE_S = 6.0
"""Until then everything works, so that there is something to compare with."""
SHORTEST_S = 25.0
USUAL_S = 220.0
"""Two minutes of changes, and the time that confirming the last of them takes at most."""
VPN_PORT = 1194
TIMEOUT_S = 2
INTERVAL_S = 3
LONGEST_INTERVAL_S = 6
_STARTS = {"poisoned": 0.0, "reset": 0.08, "dropped": 0.16}
_WORDS = {
    "poisoned": ("false DNS answers: news site", "true DNS answers again"),
    "reset": ("resets by name: forum", "no more resets"),
    "dropped": ("packets dropped: VPN port", "VPN port open again"),
}
_LIFTED = 0.5
"""Moments as shares of the time after the first change."""
SHORTENED = (
    f"a run every {INTERVAL_S} s (else 5 min) to {LONGEST_INTERVAL_S} s (else 1 h), "
    f"time-out {TIMEOUT_S} s (else 10 s), cool-down {COOL_DOWN.removesuffix('s')} s (else 200 s)"
)


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A target and its part in the story."""

    key: str
    address: str
    title: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the censor begins or ends."""

    at_s: float
    """After the censor was switched on."""
    address: str
    """The target that meets it."""
    words: str
    lifted: bool = False


class Story(msgspec.Struct, frozen=True, kw_only=True):
    """All that happens."""

    scenario: Scenario
    watched: tuple[Watched, ...]
    changes: tuple[Change, ...]
    """In the order of time."""
    duration_s: float
    config: str
    """Of the agent, as YAML."""


def build_story(plain: World, duration_s: float = USUAL_S) -> Story:
    """Return the story told in so many seconds."""
    world = plain.change("mail", https_ports=(443, VPN_PORT))
    poisoned, reset, dropped, spared = (world.sites[key] for key in ("news", "forum", "mail", "shop"))
    watched = (
        Watched(key="spared", address=spared.url, title="a site that nobody minds"),
        Watched(key="poisoned", address=poisoned.url, title="a news site"),
        Watched(key="reset", address=reset.url, title="a forum"),
        Watched(key="dropped", address=f"tcp://{dropped.name}:{VPN_PORT}", title="a VPN server's port"),
    )
    stretch_s = duration_s - FIRST_CHANGE_S
    lifted_s = FIRST_CHANGE_S + _LIFTED * stretch_s
    starts_s = {key: FIRST_CHANGE_S + share * stretch_s for key, share in _STARTS.items()}

    def rule(key: str, when: AsksFor | NamesServer | ToAddress, then: ForgeAnswer | Reset | Drop) -> Rule:
        return Rule(id=key, when=when, then=then, starts_s=starts_s[key], ends_s=lifted_s)

    rules = (
        rule("poisoned", AsksFor(names=(poisoned.names[1],)), ForgeAnswer(copies=((POOL[0],), (POOL[1],)), ip_ttl=91)),
        rule("reset", NamesServer(names=(reset.names[1],)), Reset(ip_ttl=57, ip_id=0x3C1B)),
        rule("dropped", ToAddress(prefixes=dropped.addresses, ports=(VPN_PORT,)), Drop()),
    )
    address_of = {one.key: one.address for one in watched}
    begun = [Change(at_s=starts_s[key], address=address_of[key], words=_WORDS[key][0]) for key in _STARTS]
    ended = [Change(at_s=lifted_s, address=address_of[key], words=_WORDS[key][1], lifted=True) for key in _STARTS]
    return Story(
        scenario=Scenario(
            name="demo",
            about="a censor that changes its mind",
            world=world,
            target=poisoned.url,
            truth=FINE,
            rules=RuleSet(rules=rules),
        ),
        watched=watched,
        changes=(*begun, *ended),
        duration_s=duration_s,
        config=_render_config(world, watched),
    )


def _render_config(world: World, watched: tuple[Watched, ...]) -> str:
    """Return what a person would write, with times short enough to watch."""
    written: dict[str, Any] = yaml.safe_load(render_config(world))
    written["vantage"]["id"] = "demo"
    written["targets"] = [{"uri": one.address, "labels": {"part": one.key}} for one in watched]
    written["defaults"] = {"interval": f"{INTERVAL_S}s", "timeout": f"{TIMEOUT_S}s"}
    written["limits"]["longest_interval"] = f"{LONGEST_INTERVAL_S}s"
    return yaml.safe_dump(written, sort_keys=False)
