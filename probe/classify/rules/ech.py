"""Rules about a hello that hides the name as the site's own zone asks: browsers send it, and it does not arrive.

Source: Niere et al. 2025 (hellos with ECH and one provider's outer name are dropped); RFC 9849. The same outer name
without ECH passes there, and so do a browser's hello with GREASE in its place and ours: the two together are stopped.
"""

from probe.classify.facts.path_facts import NEUTRAL, PathFacts
from probe.classify.pairs import DEEP_PAIRS, SPOKE
from probe.classify.rules.path import TLS, UNKNOWN, A
from probe.classify.rules.rule import C1, Rule
from probe.classify.rules.shape import count_cold
from probe.classify.tries import Layer, Outcome, Try
from probe.model.experiment import Design, HelloShape, NameKind
from probe.model.observation import TLSHandshake
from probe.model.pattern import Pattern


def hidden_name_fails(facts: PathFacts, outcome: Outcome) -> bool:
    """Tell whether the real ECH hello failed so three times at a path that works, by turns with one of ours."""
    if facts.failing is not None or facts.handshake is None:
        return False
    hidden = _hellos(facts, HelloShape.ECH, NameKind.TEST)
    if len(hidden) < DEEP_PAIRS or any(row.outcome is not outcome for row in hidden):
        return False
    outer = _hellos(facts, HelloShape.NO_ECH, NEUTRAL)
    grease = _hellos(facts, HelloShape.BROWSER, NameKind.TEST)
    if not outer or not grease or any(row.outcome not in SPOKE for row in (*outer, *grease)):
        return False
    stock = [row for row in facts.seen(TLS, name=NameKind.TEST) if row.outcome in SPOKE]
    return count_cold(hidden, stock) >= DEEP_PAIRS - 1


def _hellos(facts: PathFacts, shape: HelloShape, kind: NameKind) -> list[Try]:
    rows = facts.seen(Layer.HELLO, name=kind, design=Design.ECH)
    return [r for r in rows if isinstance(r.observation, TLSHandshake) and r.observation.hello_shape == shape.value]


def _configured(rule_id: str, outcome: Outcome, pattern: Pattern, what: str) -> Rule[PathFacts]:
    return Rule(
        id=rule_id,
        when=lambda f: hidden_name_fails(f, outcome),
        pattern=pattern,
        cause=UNKNOWN,
        family=A,
        level=C1,
        reason=f"A hello that hides the name as the site's zone asks {what}; the same outer name without ECH passes.",
        interferes=True,
    )


ECH_RULES: tuple[Rule[PathFacts], ...] = (
    _configured("tls.reset.ech.configured", Outcome.RESET, Pattern.TLS_RESET_ECH, "is reset"),
    _configured("tls.fin.ech_configured", Outcome.FIN, Pattern.TLS_FIN, "is closed on"),
    _configured("tls.timeout.ech.configured", Outcome.SILENT, Pattern.TLS_TIMEOUT_ECH, "gets no answer"),
)
"""About a path that works: browsers that look for ECH are stopped there."""
