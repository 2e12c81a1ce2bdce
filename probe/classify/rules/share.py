"""Rules about a name that fails now and then, and comes through in between."""

from probe.classify.facts.path_facts import PathFacts
from probe.classify.facts.shares import share_of
from probe.classify.rules.rule import C2, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, EvidenceFamily


def _sometimes(outcome: Outcome, pattern: Pattern, what: str) -> Rule[PathFacts]:
    def strikes(facts: PathFacts) -> bool:
        share = share_of(facts)
        return not facts.failed(Layer.TLS) and share.outcome is outcome and share.is_shown

    return Rule(
        id=f"{pattern.value}.sometimes",
        when=lambda f: strikes(f) and share_of(f).is_the_names,
        pattern=pattern,
        cause=Cause.NETWORK,
        family=EvidenceFamily.DIFFERENTIAL,
        level=C2,
        interferes=True,
        reason=f"{what} for a share of the connections with this name, and for none with a neutral one.",
    )


def _seen(outcome: Outcome, pattern: Pattern, what: str) -> Rule[PathFacts]:
    """Return the rule for a share so small that a broken machine behind the address looks the same."""
    return Rule(
        id=f"{pattern.value}.sometimes_seen",
        when=lambda f: not f.failed(Layer.TLS) and share_of(f).outcome is outcome and share_of(f).is_shown,
        pattern=pattern,
        cause=Cause.UNKNOWN,
        family=EvidenceFamily.OBSERVED,
        interferes=True,
        reason=f"{what} for a share of the connections; one broken machine of the server's would look the same.",
    )


SHARE_RULES: tuple[Rule[PathFacts], ...] = (
    _sometimes(Outcome.RESET, Pattern.TLS_RESET_SNI, "A reset comes"),
    _sometimes(Outcome.FIN, Pattern.TLS_FIN_SNI, "The connection is closed"),
    _sometimes(Outcome.SILENT, Pattern.TLS_TIMEOUT_SNI, "Nothing comes back"),
    _seen(Outcome.RESET, Pattern.TLS_RESET, "A reset comes"),
    _seen(Outcome.FIN, Pattern.TLS_FIN, "The connection is closed"),
    _seen(Outcome.SILENT, Pattern.TLS_TIMEOUT, "Nothing comes back"),
)
"""The name works in the end: interfered with, not blocked."""
