"""Rules about what ends a connection with another TTL than the server's: an artefact beside what is said of the name.

Source: CONTRACT section 2. That another host sends it does not say where that host stands, and a server's own guard may
stand before it: so it never speaks alone, only where names were compared five against five at the same address.
"""

from probe.classify.facts.floors import comes_from_elsewhere
from probe.classify.facts.path_facts import PathFacts
from probe.classify.pairs import PAIRS
from probe.classify.rules.rule import C2, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.path_trace import HopAnswer
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, EvidenceFamily


def _other_host(layer: Layer, outcome: Outcome, ended: HopAnswer, pattern: Pattern, what: str) -> Rule[PathFacts]:
    def given(facts: PathFacts) -> bool:
        if not facts.failed(layer, outcome) or not facts.names_somebody:
            return False
        pairs = facts.pairs(layer)
        return min(pairs.tests, pairs.controls) >= PAIRS and comes_from_elsewhere(facts, ended)

    return Rule(
        id=f"{pattern.value}.other_ttl",
        when=given,
        pattern=pattern,
        cause=Cause.NETWORK,
        family=EvidenceFamily.ARTEFACT,
        level=C2,
        reason=f"{what} with another TTL than all that the server sends: another host answers the name.",
    )


FLOOR_TLS_RULES: tuple[Rule[PathFacts], ...] = (
    _other_host(Layer.TLS, Outcome.RESET, HopAnswer.RESET, Pattern.TLS_RESET, "The reset comes"),
    _other_host(Layer.TLS, Outcome.FIN, HopAnswer.FIN, Pattern.TLS_FIN, "The FIN comes"),
)
FLOOR_HTTP_RULES: tuple[Rule[PathFacts], ...] = (
    _other_host(Layer.HTTP, Outcome.RESET, HopAnswer.RESET, Pattern.HTTP_RESET, "The reset comes"),
    _other_host(Layer.HTTP, Outcome.FIN, HopAnswer.FIN, Pattern.HTTP_FIN, "The FIN comes"),
)
