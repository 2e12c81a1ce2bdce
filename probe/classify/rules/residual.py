"""Rules about a filter that remembers us: once the name is sent, the place is dead for any name, and recovers.

Source: CONTRACT section 2 (residual recovery settles); the proof and its bounds are in `residual.py`.
"""

from probe.classify.facts.path_facts import PathFacts
from probe.classify.facts.residual import Residual, find_residual
from probe.classify.rules.path import ARTEFACT, HTTP, NET, TLS
from probe.classify.rules.rule import C3, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.experiment import Design
from probe.model.pattern import Pattern


def residual(facts: PathFacts) -> Residual | None:
    """Return the residual block that this path's name meets here, or at another of its addresses that fails alike."""
    broken = facts.failing
    if broken is None or not facts.names_somebody or broken.layer not in (TLS, HTTP):
        return None
    if Design.RESIDUAL not in facts.rows.designs:
        return None
    key = "residual"
    if key not in facts.derived:
        alike = [
            row.spot
            for row in facts.table
            if row.experiment is None and row.layer is broken.layer and row.outcome is broken.outcome
        ]
        spots = [facts.spot, *sorted({spot for spot in alike if spot in facts.siblings})]
        found = (find_residual((r for r in facts.table if r.spot == spot), broken.layer) for spot in spots)
        facts.derived[key] = next((one for one in found if one is not None), None)
    kept = facts.derived[key]
    return kept if isinstance(kept, Residual) else None


def _length(facts: PathFacts) -> str:
    found = residual(facts)
    return "" if found is None else found.length


def _remembered(layer: Layer, outcome: Outcome, pattern: Pattern, what: str) -> Rule[PathFacts]:
    return Rule(
        id=f"{pattern.value}.residual",
        when=lambda f: f.failed(layer, outcome) and residual(f) is not None,
        pattern=pattern,
        cause=NET,
        family=ARTEFACT,
        level=C3,
        reason=f"{what} and then the same address and port is dead for any name, until it comes back by itself.",
        measured=_length,
    )


RESIDUAL_TLS_RULES: tuple[Rule[PathFacts], ...] = (
    _remembered(TLS, Outcome.RESET, Pattern.TLS_RESET_SNI, "The name is reset,"),
    _remembered(TLS, Outcome.FIN, Pattern.TLS_FIN_SNI, "The name is closed on,"),
    _remembered(TLS, Outcome.SILENT, Pattern.TLS_TIMEOUT_SNI, "The name gets no answer,"),
)
RESIDUAL_HTTP_RULES: tuple[Rule[PathFacts], ...] = (
    _remembered(HTTP, Outcome.RESET, Pattern.HTTP_RESET_HOST, "A request for the host is reset,"),
    _remembered(HTTP, Outcome.FIN, Pattern.HTTP_FIN_HOST, "A request for the host is closed on,"),
    _remembered(HTTP, Outcome.SILENT, Pattern.HTTP_TIMEOUT_HOST, "A request for the host gets no answer,"),
)
RESIDUAL_NOTES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="flow.residual.recovers",
        when=lambda f: residual(f) is not None,
        pattern=Pattern.FLOW_RESIDUAL,
        cause=NET,
        family=ARTEFACT,
        level=C3,
        reason="After the name a neutral one fails at the same address and port, and passes later; twice.",
        measured=_length,
        usable=True,
    ),
)
"""It names the punishment beside what it is for."""
