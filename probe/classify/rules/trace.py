"""Rules that rest on where packets end on the way: they come before those that only know that a step failed.

Source: CONTRACT section 2: `ip.*` is blocked only with the hop located before the target's AS while a neighbour passes;
an injected packet settles the matter. Whose the hop is, is known only with AS data; without it the place is named and
nobody accused.
"""

from collections.abc import Callable

from probe.classify.facts.boundary import Boundary
from probe.classify.facts.path_facts import PathFacts
from probe.classify.pairs import PAIRS, TWICE
from probe.classify.rules.rule import C1, C2, C3, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.experiment import Design
from probe.model.path_trace import HopAnswer, TraceKind
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, EvidenceFamily

TCP, TLS, HTTP = Layer.TCP, Layer.TLS, Layer.HTTP
_DEAD = frozenset({HopAnswer.SILENT, HopAnswer.FORBIDDEN})


def syn_boundary(facts: PathFacts) -> Boundary | None:
    """Return where SYNs to this place end while those to a neighbour go on, when enough of them agree."""
    boundary = facts.boundary(TraceKind.SYN) if facts.failed(TCP) else None
    return boundary if boundary is not None and boundary.is_shown else None


def name_boundary(facts: PathFacts, layer: Layer) -> Boundary | None:
    """Return where the name ends while a neutral one goes on, at this place or the name's other addresses.

    That the name is the trigger is shown by the design of names, five against five; this only says where.
    """
    if not facts.has_traces or not facts.failed(layer):
        return None
    pairs = facts.pairs(layer)
    if min(pairs.tests, pairs.controls) < PAIRS:
        return None
    boundary = facts.boundary(TraceKind.HELLO if layer is TLS else TraceKind.REQUEST, siblings=True)
    enough = boundary is not None and boundary.ttls >= TWICE and min(boundary.tests, boundary.controls) >= TWICE
    return boundary if enough else None


def located_boundary(facts: PathFacts) -> Boundary | None:
    """Return where this path breaks, whatever broke it."""
    broken = facts.failing
    if broken is None:
        return None
    return syn_boundary(facts) if broken.layer is TCP else name_boundary(facts, broken.layer)


def _is_outside(boundary: Boundary | None, *meets: HopAnswer) -> bool:
    return boundary is not None and boundary.is_outside and not boundary.is_local and boundary.meets in meets


def _other_port(facts: PathFacts, *outcomes: Outcome) -> bool:
    return bool(facts.seen(TCP, *outcomes, design=Design.PORTS))


def _located(pattern: Pattern, what: str, when: Callable[[PathFacts, Boundary], bool]) -> tuple[Rule[PathFacts], ...]:
    def ends(facts: PathFacts, *, outside: bool) -> bool:
        boundary = syn_boundary(facts)
        if boundary is None or boundary.is_local or boundary.is_outside is not outside:
            return False
        return boundary.meets in _DEAD and when(facts, boundary)

    return (
        Rule(
            id=f"{pattern.value}.located",
            when=lambda f: ends(f, outside=True),
            pattern=pattern,
            cause=Cause.NETWORK,
            family=EvidenceFamily.DIFFERENTIAL,
            level=C3,
            reason=f"{what} before they reach the target's network, where packets to a neighbour pass.",
        ),
        Rule(
            id=f"{pattern.value}.traced",
            when=lambda f: ends(f, outside=False),
            pattern=pattern,
            cause=Cause.UNKNOWN,
            family=EvidenceFamily.DIFFERENTIAL,
            level=C1,
            reason=f"{what} on the way, where packets to a neighbour pass; whose device does it is not known.",
        ),
    )


TRACED_TCP_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="local.firewall.located",
        when=lambda f: (boundary := syn_boundary(f)) is not None and boundary.is_local,
        pattern=Pattern.LOCAL_FIREWALL,
        cause=Cause.LOCAL,
        family=EvidenceFamily.DIFFERENTIAL,
        level=C2,
        reason="Packets to this address end at a device in one's own network, those to a neighbour pass.",
    ),
    *_located(
        Pattern.IP_UNREACHABLE,
        "A router refuses packets to this address",
        lambda f, b: b.meets is HopAnswer.FORBIDDEN,
    ),
    *_located(
        Pattern.IP_PORT_DROP,
        "Packets to this port end",
        lambda f, b: _other_port(f, Outcome.OK, Outcome.REFUSED),
    ),
    *_located(
        Pattern.IP_DROP,
        "Packets to this address end",
        lambda f, b: _other_port(f, Outcome.SILENT),
    ),
    *_located(Pattern.IP, "Packets to this address end", lambda f, b: True),
    Rule(
        id="tcp.rst_syn.injected",
        when=lambda f: f.failed(TCP, Outcome.REFUSED) and _is_outside(syn_boundary(f), HopAnswer.RESET),
        pattern=Pattern.TCP_RST_SYN,
        cause=Cause.NETWORK,
        family=EvidenceFamily.ARTEFACT,
        level=C3,
        reason="A reset answers SYNs that die before they reach the target's network: somebody on the way sends it.",
    ),
)


def _injected(layer: Layer, meets: HopAnswer, pattern: Pattern, what: str) -> Rule[PathFacts]:
    return Rule(
        id=f"{pattern.value}.injected",
        when=lambda f: _is_outside(name_boundary(f, layer), meets),
        pattern=pattern,
        cause=Cause.NETWORK,
        family=EvidenceFamily.ARTEFACT,
        level=C3,
        reason=f"A {what} answers the name in packets that die before they reach the target's network.",
    )


TRACED_TLS_RULES: tuple[Rule[PathFacts], ...] = (
    _injected(TLS, HopAnswer.RESET, Pattern.TLS_RESET_SNI, "reset"),
    _injected(TLS, HopAnswer.FIN, Pattern.TLS_FIN_SNI, "FIN"),
)
TRACED_HTTP_RULES: tuple[Rule[PathFacts], ...] = (
    _injected(HTTP, HopAnswer.RESET, Pattern.HTTP_RESET_HOST, "reset"),
    _injected(HTTP, HopAnswer.FIN, Pattern.HTTP_FIN_HOST, "FIN"),
)
