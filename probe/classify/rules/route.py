"""Rules about another route to the same host: family D. They add to what the failing route says of itself.

Source: CONTRACT section 2: two tries, 30 s apart, within five minutes.
"""

from probe.classify.facts.control_view import WITHIN_S
from probe.classify.facts.path_facts import OWN, SIBLING, TEST, PathFacts
from probe.classify.facts.taken import took_it_silently
from probe.classify.rules.path import NET, TLS, D
from probe.classify.rules.rule import C1, C2, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.experiment import Design, Place
from probe.model.observation import QUICHandshake
from probe.model.pattern import Pattern
from probe.model.verdict import Confidence

_ANYWHERE = (OWN, SIBLING, Place.UNRELATED)


def _proven_s(facts: PathFacts) -> list[float]:
    """Return when the site showed its certificate over QUIC at an address whose TLS over TCP fails."""
    rows = facts.seen(Layer.QUIC, Outcome.OK, name=TEST, at=_ANYWHERE, design=Design.ROUTE)
    return [r.started_s for r in rows if isinstance(r.observation, QUICHandshake) and r.observation.verified]


def _level(facts: PathFacts) -> Confidence:
    times = _proven_s(facts)
    apart_s = max(times) - min(times)
    if took_it_silently(facts):
        return C1  # QUIC keeps its packets small: a way that loses large ones loses the certificate over TCP alone
    return C2 if facts.case.round_apart_s <= apart_s <= WITHIN_S else C1


def _over_http3(outcome: Outcome, pattern: Pattern) -> Rule[PathFacts]:
    return Rule(
        id=f"{pattern.value}.http3_ok",
        when=lambda f: f.failed(TLS, outcome) and bool(_proven_s(f)),
        pattern=pattern,
        cause=NET,
        family=D,
        level=_level,
        reason="Over HTTP/3 the same host shows the site's own certificate: it is there, and serves this name.",
    )


ROUTE_RULES: tuple[Rule[PathFacts], ...] = (
    _over_http3(Outcome.RESET, Pattern.TLS_RESET),
    _over_http3(Outcome.FIN, Pattern.TLS_FIN),
    _over_http3(Outcome.SILENT, Pattern.TLS_TIMEOUT),
)
