"""Whether what ends a name's connections comes from the server that answers there: by the TTLs with which packets come.

Source: CONTRACT section 2; RFC 5082 for what a TTL tells of the sender. A reset that disappears under a floor that the
server's own packets pass, or passes one that they do not, is another host's. Ways of different length move a TTL by a
hop or two, so `net/ttl_floor.py` leaves a margin.
"""

from probe.classify.facts.path_facts import PathFacts
from probe.classify.pairs import TWICE
from probe.classify.tries import Layer, Try
from probe.model.experiment import Design, NameKind
from probe.model.path_trace import HopAnswer, HopSeen, PathTrace, TraceKind

_OPENS, _DROPPED = HopAnswer.ANSWERED, HopAnswer.SILENT


def comes_from_elsewhere(facts: PathFacts, ended: HopAnswer) -> bool:
    """Tell whether the name's connections were ended so by packets with another TTL than the server's, at one place."""
    swept: dict[str, list[tuple[NameKind, PathTrace]]] = {}
    for row in facts.rows.by_layer.get(Layer.TRACE, ()):
        floored = _find_floored(row)
        if floored is not None and row.spot in {facts.spot, *facts.siblings}:
            swept.setdefault(row.spot, []).append(floored)
    return any(_differs(traces, ended) for traces in swept.values())


def _find_floored(row: Try) -> tuple[NameKind, PathTrace] | None:
    """Return a look under a floor and whose name it sent: the plan tells the name in question, the others are neutral.

    Not what is configured as neutral: that may be another today, and is not stored with a measurement.
    """
    planned, trace = row.experiment, row.observation
    if planned is None or planned.design is not Design.MIN_TTL or not isinstance(trace, PathTrace):
        return None
    return NameKind.TEST if trace.server_name == planned.name else NameKind.NEUTRAL, trace


def _differs(traces: list[tuple[NameKind, PathTrace]], ended: HopAnswer) -> bool:
    hellos = [(kind, trace) for kind, trace in traces if trace.kind is not TraceKind.FLOOR_SYN]
    server = _server_ttl([hop for _, trace in traces if trace.kind is TraceKind.FLOOR_SYN for hop in trace.hops])
    if server is None:
        return False
    neutral = [hop for kind, trace in hellos if kind is NameKind.NEUTRAL for hop in trace.hops]
    tests = [hop for kind, trace in hellos if kind is not NameKind.NEUTRAL for hop in trace.hops]
    if any((hop.answer is _OPENS) is not (hop.ttl <= server) for hop in neutral):
        return False  # the server's own packets do not all come alike
    below = [hop.answer for hop in tests if 0 < hop.ttl <= server]
    above = [hop.answer for hop in tests if hop.ttl > server]
    free = [hop.answer for hop in tests if not hop.ttl]
    if len([hop for hop in neutral if hop.ttl <= server]) < len(tests):
        return False  # each must have found the place cold
    if len(above) >= TWICE:
        return all(answer is ended for answer in above) and any(hop.ttl > server for hop in neutral)
    passed = len(below) >= TWICE and all(answer in (_OPENS, _DROPPED) for answer in below)
    return passed and bool(free) and all(answer is ended for answer in free)


def _server_ttl(hops: list[HopSeen]) -> int | None:
    """Return the TTL of the server's first packets: the highest floor that they pass; `None` = they contradict."""
    opened = [hop.ttl for hop in hops if hop.answer is _OPENS]
    dropped = [hop.ttl for hop in hops if hop.answer is _DROPPED]
    highest = max(opened, default=0)
    if not highest or (dropped and min(dropped) <= highest):
        return None
    return highest
