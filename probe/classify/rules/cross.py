"""Rules about the name at an address that has nothing to do with it: who reacts there reacts to the name alone.

Source: CONTRACT section 2 (family A, name × address); before each test a neutral name must pass on that same port. The
server at that port answers for any name, so a server that is particular about names is no explanation.
"""

from probe.classify.facts.path_facts import NEUTRAL, TEST, PathFacts
from probe.classify.pairs import PAIRS, SPOKE
from probe.classify.rules.path import HTTP, NET, TLS, A
from probe.classify.rules.rule import C2, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.experiment import Design, Place
from probe.model.pattern import Pattern

_THERE = (Place.UNRELATED,)


def crossed(facts: PathFacts, layer: Layer, outcome: Outcome) -> bool:
    """Tell whether the name failed so at five echo ports, on each of which a neutral one had passed just before."""
    if not facts.failed(layer, outcome) or not facts.names_somebody:
        return False
    passed = {r.spot: r.ended_s for r in facts.seen(layer, *SPOKE, name=NEUTRAL, at=_THERE, design=Design.CROSS)}
    tests = [r for r in facts.seen(layer, name=TEST, at=_THERE, design=Design.CROSS) if r.spot in passed]
    failed = [r for r in tests if r.outcome is outcome and passed[r.spot] <= r.started_s]
    return len(failed) >= PAIRS and len(failed) == len(tests)


def _cross(layer: Layer, outcome: Outcome, pattern: Pattern, what: str) -> Rule[PathFacts]:
    return Rule(
        id=f"{pattern.value}.anywhere",
        when=lambda f: crossed(f, layer, outcome),
        pattern=pattern,
        cause=NET,
        family=A,
        level=C2,
        reason=f"{what} at a control's address too, which has nothing to do with it and answers any other name.",
    )


CROSS_TLS_RULES: tuple[Rule[PathFacts], ...] = (
    _cross(TLS, Outcome.RESET, Pattern.TLS_RESET_SNI, "The name is reset"),
    _cross(TLS, Outcome.FIN, Pattern.TLS_FIN_SNI, "The name is closed on"),
    _cross(TLS, Outcome.SILENT, Pattern.TLS_TIMEOUT_SNI, "The name gets no answer"),
)
CROSS_QUIC_RULES: tuple[Rule[PathFacts], ...] = (
    _cross(Layer.QUIC, Outcome.SILENT, Pattern.QUIC_TIMEOUT_SNI, "QUIC with the name gets no answer"),
)
CROSS_HTTP_RULES: tuple[Rule[PathFacts], ...] = (
    _cross(HTTP, Outcome.RESET, Pattern.HTTP_RESET_HOST, "A request for the host is reset"),
    _cross(HTTP, Outcome.FIN, Pattern.HTTP_FIN_HOST, "A request for the host is closed on"),
    _cross(HTTP, Outcome.SILENT, Pattern.HTTP_TIMEOUT_HOST, "A request for the host gets no answer"),
)
