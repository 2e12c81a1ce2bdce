"""Where on the way two packets part: the one under test ends, the other goes on.

Source: Sundara Raman et al., "Network Measurement Methods for Locating and Examining Censorship Devices" (CoNEXT 2022):
sweeps of the TTL with the packet under test and a control, on fresh connections. The neighbour is another port of the
same address, another address beside it, or another name at the same place.

What counts: a TTL at which a router said of the control that it passed, and of the packet under test nobody did. A
router that expires packets without a word, or for some only (ICMP is rate-limited), shows nothing, so several TTLs must
agree and none may contradict.
"""

import msgspec

from probe.classify.pairs import PAIRS
from probe.classify.tries import Try, is_private
from probe.model.experiment import NameKind
from probe.model.path_trace import HopAnswer, HopSeen, PathTrace, TraceKind

ENDED = frozenset({HopAnswer.SILENT, HopAnswer.RESET, HopAnswer.FIN, HopAnswer.FORBIDDEN})
"""What a packet meets that was stopped on the way."""
ANSWERS = frozenset({HopAnswer.ANSWERED})
"""What a request meets for which somebody on the way has a page."""
PASSED = frozenset({HopAnswer.EXPIRED, HopAnswer.ANSWERED})
TTLS_AT_LEAST = 2
"""So many different routers must have let the control pass after the other packet had ended."""


class Boundary(msgspec.Struct, frozen=True, kw_only=True):
    """The first hop that the packet under test was not seen to pass, and the control was."""

    ttl: int
    passed: int
    """The last hop that the packet under test passed; 0 = none."""
    meets: HopAnswer
    """What ends it: silence, a reset, a FIN, or a router's refusal."""
    tests: int
    """Packets under test that ended there or beyond."""
    controls: int
    """Controls that passed there or beyond."""
    ttls: int
    """Different TTLs at which one passed and the other ended."""
    router: str = ""
    """Who let the control pass at `ttl`, or refused the packet under test; empty = not known."""
    asn: int = 0
    """AS of the nearest router at the boundary or beyond that lies outside the target's; 0 = none is known to."""
    target_asn: int = 0

    @property
    def is_shown(self) -> bool:
        """Tell whether enough packets agree: five against five, with several routers beyond."""
        return self.tests >= PAIRS and self.controls >= PAIRS and self.ttls >= TTLS_AT_LEAST

    @property
    def is_outside(self) -> bool:
        """Tell whether it lies before the target's AS: a router beyond it still belongs to another."""
        return self.asn > 0 and self.target_asn > 0

    @property
    def is_local(self) -> bool:
        """Tell whether it lies in one's own network."""
        return bool(self.router) and is_private(self.router)

    @property
    def locus(self) -> str:
        """Return the place in few words."""
        return f"hop {self.ttl}, AS{self.asn}" if self.is_outside else f"hop {self.ttl}"


def traces_of(rows: tuple[Try, ...], kind: NameKind, sent: TraceKind) -> tuple[PathTrace, ...]:
    """Return the traces of the packet under test, or of its control."""
    traces = (row.observation for row in rows if row.kind is kind)
    return tuple(trace for trace in traces if isinstance(trace, PathTrace) and trace.kind is sent)


def find_boundary(rows: tuple[Try, ...], sent: TraceKind, ended_by: frozenset[HopAnswer] = ENDED) -> Boundary | None:
    """Return where the packets part; `None` = they do not, or nothing can be said.

    `ended_by` is what the packet under test meets there: `ENDED`, or `ANSWERS` for a page that comes from on the way.

    `rows` are the traces about one place. Of hellos the hops are counted only; traces of SYNs to the same place name
    the routers.
    """
    tests, controls = traces_of(rows, NameKind.TEST, sent), traces_of(rows, NameKind.NEUTRAL, sent)
    tried, passed = _by_ttl(tests), _by_ttl(controls)
    reached = max((ttl for ttl, seen in tried.items() if any(h.answer in PASSED - ended_by for h in seen)), default=0)
    apart = sorted(
        ttl
        for ttl, seen in tried.items()
        if ttl > reached
        and all(h.answer in ended_by for h in seen)
        and any(h.answer is HopAnswer.EXPIRED for h in passed.get(ttl, ()))
    )
    if not apart:
        return None
    first = apart[0]
    ended = [hop for ttl, seen in tried.items() if ttl >= first for hop in seen]
    went_on = [hop for ttl, seen in passed.items() if ttl >= first for hop in seen if hop.answer in PASSED]
    target_asn = next((trace.asn for trace in tests if trace.asn), 0)
    named = _by_ttl(traces_of(rows, NameKind.TEST, TraceKind.SYN)) if sent is not TraceKind.SYN else passed
    routers = [(ttl, hop) for ttl, seen in sorted(named.items()) for hop in seen if ttl >= first and hop.router]
    refused_by = next((hop.router for hop in tried[first] if hop.answer is HopAnswer.FORBIDDEN and hop.router), "")
    return Boundary(
        ttl=first,
        passed=reached,
        meets=tried[first][0].answer,
        tests=len(ended),
        controls=len(went_on),
        ttls=len(apart),
        router=refused_by or next((hop.router for ttl, hop in routers if ttl == first), ""),
        asn=next((hop.asn for _, hop in routers if hop.asn and hop.asn != target_asn), 0),
        target_asn=target_asn,
    )


def _by_ttl(traces: tuple[PathTrace, ...]) -> dict[int, list[HopSeen]]:
    """Return what was met at each TTL; packets that were never sent say nothing."""
    met: dict[int, list[HopSeen]] = {}
    for trace in traces:
        for hop in trace.hops:
            if hop.answer not in (HopAnswer.INSTRUMENT, HopAnswer.UNOPENED):
                met.setdefault(hop.ttl, []).append(hop)
    return met


def find_parting(
    rows: tuple[Try, ...], sent: TraceKind, ended_by: frozenset[HopAnswer] = ENDED
) -> tuple[int, int] | None:
    """Return the first TTL at which packets part, and the last with a router in the control's; `None` = they do not."""
    boundary = find_boundary(rows, sent, ended_by)
    if boundary is None:
        return None
    controls = _by_ttl(traces_of(rows, NameKind.NEUTRAL, sent))
    return boundary.ttl, max(t for t, seen in controls.items() if any(h.answer is HopAnswer.EXPIRED for h in seen))


def choose_ttls(rows: tuple[Try, ...], sent: TraceKind, count: int) -> tuple[int, ...]:
    """Return the TTLs that tell most next: those between the last hop passed and the first not, then those beyond.

    Empty = another round would show nothing: the packets did not part.
    """
    boundary, parting = find_boundary(rows, sent), find_parting(rows, sent)
    if boundary is None or parting is None:
        return ()
    first, furthest = parting
    tried = _by_ttl(traces_of(rows, NameKind.NEUTRAL, sent))
    between = list(range(first - 1, boundary.passed, -1))[: count // 2]
    beyond = [ttl for ttl in range(first + 1, furthest) if ttl not in tried]
    again = [first, *(ttl for ttl in range(furthest, first, -1) if ttl in tried)]
    return tuple(dict.fromkeys((*between, *beyond[: count // 2], *again, *beyond)))[:count]
