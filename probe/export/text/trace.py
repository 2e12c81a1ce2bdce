"""A path trace in a few words: `1-2 expired, 3-6 silent`."""

import itertools

from probe.model.path_trace import HopAnswer, HopSeen, PathTrace

_WORDS = {
    HopAnswer.EXPIRED: "passed on",
    HopAnswer.ANSWERED: "answered",
    HopAnswer.RESET: "reset",
    HopAnswer.FIN: "closed",
    HopAnswer.FORBIDDEN: "refused by a router",
    HopAnswer.SILENT: "silent",
    HopAnswer.UNOPENED: "not connected",
    HopAnswer.INSTRUMENT: "not sent",
}


def write_trace(trace: PathTrace) -> str:
    """Return what came back at which TTL, neighbours that met the same as one group; over floors, what came at each."""
    if not trace.hops:
        return "not possible here"
    if trace.kind.is_floor:
        return ", ".join(f"from TTL {hop.ttl} {_WORDS[hop.answer]}" for hop in trace.hops)
    groups = itertools.groupby(trace.hops, key=lambda hop: hop.answer)
    return "hops " + ", ".join(_write_group(tuple(hops), answer) for answer, hops in groups)


def _write_group(hops: tuple[HopSeen, ...], answer: HopAnswer) -> str:
    first, last = hops[0].ttl, hops[-1].ttl
    span = str(first) if first == last else f"{first}-{last}"
    return f"{span} {_WORDS[answer]}"
