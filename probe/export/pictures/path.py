"""The way of one measurement as a drawing: this machine, resolver, hops, server, a line for each step, and the break.

A step that worked is a line all the way; one that failed ends where it is known to end: at the hop that a trace found,
at the server where the server spoke, else in the open middle with a question mark.
"""

import re
from enum import StrEnum

import msgspec

from probe.export.pictures.svg import element, percent, text
from probe.export.text.ladder import step_text
from probe.export.text.stages import failed_stage
from probe.model.measurement import Measurement
from probe.model.observation import (
    DialogueExchange,
    DNSLookup,
    ICMPEcho,
    Observation,
    Role,
)
from probe.model.path_trace import HopAnswer, PathTrace
from probe.model.verdict import Cause, Verdict

_LEFT, _RESOLVER, _RIGHT = 0.03, 0.34, 0.97
_LANES_SHOWN = 14
_LANE_PX, _HEAD_PX = 38, 46
_HOP = re.compile(r"hop (\d+)")
_USUAL_HOPS = 12
"""Where no trace says how many there are, a located break is drawn on a way of so many."""


class Mark(StrEnum):
    """How a step ended."""

    OK = "ok"
    BROKEN = "broken"
    ODD = "odd"
    """It was answered, and the verdict does not believe the answer."""


class Lane(msgspec.Struct, frozen=True, kw_only=True):
    """One step."""

    words: str
    mark: Mark
    to_resolver: bool = False
    ends: float = 1.0
    """How far the line goes, as a share of the way to where it was meant to go."""
    guessed: bool = False
    """Nobody knows where on the way it ended."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The lanes that lead to one server."""

    server: str
    """Empty for the lanes that lead to a resolver."""
    lanes: tuple[Lane, ...]


class Path(msgspec.Struct, frozen=True, kw_only=True):
    """All that the drawing shows."""

    resolver: str
    ways: tuple[Way, ...]
    hops: tuple[tuple[int, str], ...] = ()
    """TTL and router of each hop that answered a trace."""
    last_hop: int = 0
    break_at: float | None = None
    """The located break as a share of the way from here to the server."""
    locus: str = ""
    left_out: int = 0


def build_path(measurement: Measurement) -> Path:
    """Return what is known of the way, in the order in which it was tried."""
    own = [o for o in measurement.observations if o.role is Role.TARGET and not isinstance(o, PathTrace)]
    verdict = measurement.verdict
    hops, last_hop = _find_hops(measurement)
    break_at = _find_break(verdict, last_hop)
    ways: dict[str, list[Lane]] = {}
    resolvers: dict[str, None] = {}
    left_out = shown = 0
    for observation in own:
        lanes = _build_lanes(observation, verdict, break_at)
        shown += len(lanes)
        if shown > _LANES_SHOWN:
            left_out += len(lanes)
            continue
        if isinstance(observation, DNSLookup):
            resolvers[str(observation.resolver)] = None
        ways.setdefault(_server_of(observation), []).extend(lanes)
    return Path(
        resolver=", ".join(resolvers) or "no resolver asked",
        ways=tuple(Way(server=server, lanes=tuple(lanes)) for server, lanes in ways.items()),
        hops=hops,
        last_hop=last_hop,
        break_at=break_at,
        locus="" if verdict.locus == "unknown" else verdict.locus,
        left_out=left_out,
    )


def _server_of(observation: Observation) -> str:
    prefix = f"redirect {observation.hop}: " if observation.hop else ""
    match observation:
        case DNSLookup():
            return ""
        case ICMPEcho():
            return prefix + observation.address
        case _:
            return prefix + str(observation.endpoint)


def _find_hops(measurement: Measurement) -> tuple[tuple[tuple[int, str], ...], int]:
    routers: dict[int, str] = {}
    last = 0
    for trace in measurement.observations:
        if not isinstance(trace, PathTrace) or trace.kind.is_floor:
            continue
        for hop in trace.hops:
            if hop.answer is HopAnswer.EXPIRED and hop.router:
                routers[hop.ttl] = hop.router + (f", AS{hop.asn}" if hop.asn else "")
            if hop.answer is HopAnswer.ANSWERED:
                last = min(last or hop.ttl, hop.ttl)
    highest = max([last, *(ttl + 1 for ttl in routers)])
    return tuple(sorted(routers.items())), highest


def _find_break(verdict: Verdict, last_hop: int) -> float | None:
    found = _HOP.search(verdict.locus)
    if found is None:
        return None
    hop = int(found.group(1))
    return min(0.97, hop / max(last_hop or _USUAL_HOPS, hop + 1))


def _build_lanes(observation: Observation, verdict: Verdict, break_at: float | None) -> list[Lane]:
    if isinstance(observation, DNSLookup):
        return [_build_lookup(observation, verdict)]
    if isinstance(observation, DialogueExchange) and observation.stages:
        took = [(stage, (stage.t_s - observation.t0_s) * 1000) for stage in observation.stages]
        lanes = [Lane(words=f"{stage.depth.value} ok {ms:.0f} ms", mark=Mark.OK) for stage, ms in took]
        if observation.failure is not None:
            words = f"{failed_stage(observation).value} ✗ {observation.failure.code.value}"
            lanes.append(_broken(words, verdict, break_at))
        return lanes
    words = step_text(observation)
    return [Lane(words=words, mark=Mark.OK) if observation.failure is None else _broken(words, verdict, break_at)]


def _build_lookup(lookup: DNSLookup, verdict: Verdict) -> Lane:
    took = f"{(lookup.t_s - lookup.t0_s) * 1000:.0f} ms"
    if lookup.failure is not None:
        words = f"{lookup.query_type} {lookup.name} ✗ {lookup.failure.code.value} {took}"
        return Lane(words=words, mark=Mark.BROKEN, to_resolver=True, ends=0.5 if not lookup.replies else 1.0)
    more = f" +{len(lookup.addresses) - 1}" if len(lookup.addresses) > 1 else ""
    first = lookup.addresses[0] if lookup.addresses else "no address"
    words = f"{lookup.query_type} {lookup.name}: {first}{more} {took}"
    forged = next((pattern for pattern in verdict.patterns if pattern.value.startswith("dns.")), None)
    if forged is None:
        return Lane(words=words, mark=Mark.OK, to_resolver=True)
    on_the_way = forged.value.startswith("dns.injection")
    return Lane(words=words, mark=Mark.ODD, to_resolver=True, ends=0.5 if on_the_way else 1.0)


def _broken(words: str, verdict: Verdict, break_at: float | None) -> Lane:
    if verdict.cause in (Cause.SERVER, Cause.OUTAGE):
        return Lane(words=words, mark=Mark.BROKEN)
    if verdict.cause in (Cause.LOCAL, Cause.INSTRUMENT):
        return Lane(words=words, mark=Mark.BROKEN, ends=0.06)
    if break_at is not None:
        return Lane(words=words, mark=Mark.BROKEN, ends=break_at)
    return Lane(words=words, mark=Mark.BROKEN, ends=0.62, guessed=True)


def render_path(path: Path) -> str:
    """Return the drawing."""
    parts: list[str] = []
    y = _HEAD_PX
    for way in path.ways:
        if way.server:
            parts.append(element("text", text(way.server), x=percent(_LEFT + 0.012), y=y + 6, class_="server"))
            y += 16
        for lane in way.lanes:
            parts += _render_lane(lane, y + 24)
            y += _LANE_PX
        y += 6
    height = y + (26 if path.break_at is not None else 8)
    return element(
        "svg", *_render_frame(path, height), *parts,
        class_="path", height=height, role="img", aria_label=_describe(path),
    )  # fmt: skip


def _render_frame(path: Path, height: int) -> list[str]:
    columns = ((_LEFT, "this machine", "start"), (_RESOLVER, path.resolver, "middle"), (_RIGHT, "server", "end"))
    parts = []
    for share, words, anchor in columns:
        parts.append(element("line", x1=percent(share), x2=percent(share), y1=28, y2=height - 4, class_="life"))
        parts.append(element("circle", cx=percent(share), cy=24, r=5, class_="node"))
        at = {"start": _LEFT - 0.02, "middle": share, "end": _RIGHT + 0.02}[anchor]
        parts.append(element("text", text(words), x=percent(at), y=12, text_anchor=anchor, class_=f"name {anchor}"))
    parts.append(element("line", x1=percent(_LEFT), x2=percent(_RIGHT), y1=24, y2=24, class_="wire"))
    for ttl, router in path.hops:
        share = _LEFT + (_RIGHT - _LEFT) * ttl / max(path.last_hop, ttl + 1)
        title = element("title", text(f"hop {ttl}: {router}"))
        parts.append(element("circle", title, cx=percent(share), cy=24, r=3.5, class_="hop"))
    if path.break_at is not None:
        share = _LEFT + (_RIGHT - _LEFT) * path.break_at
        parts.append(element("line", x1=percent(share), x2=percent(share), y1=18, y2=height - 18, class_="break"))
        words, anchor = text(f"the break: {path.locus}"), "start" if share < 0.2 else "middle"
        parts.append(element("text", words, x=percent(share), y=height - 5, text_anchor=anchor, class_="locus"))
    return parts


def _render_lane(lane: Lane, y: int) -> list[str]:
    goal = _RESOLVER if lane.to_resolver else _RIGHT
    end = _LEFT + (goal - _LEFT) * lane.ends
    parts = [
        element("text", text(lane.words), x=percent(_LEFT + 0.012), y=y - 6, class_=f"words {lane.mark.value}"),
        element("line", x1=percent(_LEFT), x2=percent(end), y1=y, y2=y, class_=f"lane {lane.mark.value}"),
    ]
    if end < goal - 0.005:
        parts.append(element("line", x1=percent(end), x2=percent(goal), y1=y, y2=y, class_="beyond"))
    if lane.mark is Mark.OK:
        parts.append(element("circle", cx=percent(goal), cy=y, r=4, class_="ok"))
        return parts
    sign = "?" if lane.mark is Mark.ODD else "✗"
    parts.append(element("circle", cx=percent(end), cy=y, r=8, class_=f"sign {lane.mark.value}"))
    parts.append(element("text", sign, x=percent(end), y=y + 4, text_anchor="middle", class_="cross"))
    if lane.guessed:
        words = text("somewhere on the way")
        parts.append(element("text", words, x=percent(end), y=y + 20, text_anchor="middle", class_="guess"))
    return parts


def _describe(path: Path) -> str:
    """Return the drawing in words, for who cannot see it."""
    steps = [f"{way.server} {'; '.join(lane.words for lane in way.lanes)}".strip() for way in path.ways]
    place = f" The break is at {path.locus}." if path.locus else ""
    return f"The way from this machine. {'. '.join(steps)}.{place}"
