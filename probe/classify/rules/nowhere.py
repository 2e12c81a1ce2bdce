"""Rules about answers from an address at which no resolver is: their sender stands on the way.

Source: as in `facts/nowhere.py`; CONTRACT section 2: a forged answer that is proven settles the matter. An injected
answer tells even where our own resolver is at home, which says nothing by itself.
"""

from collections.abc import Callable

from probe.classify.facts.name_facts import NameFacts
from probe.classify.facts.nowhere import CONTENTS, Nowhere, lies_nowhere
from probe.classify.rules.rule import C1, C2, C3, Rule
from probe.classify.tries import Outcome
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, EvidenceFamily

_PATTERNS = {
    "teredo": Pattern.DNS_INJECTION_TEREDO,
    "bogon": Pattern.DNS_INJECTION_BOGON,
    "pool": Pattern.DNS_INJECTION_POOL,
    "other": Pattern.DNS_INJECTION_OTHER,
}


def _proven_false(facts: NameFacts, found: Nowhere) -> bool:
    """Tell whether nobody can mean the answer, or the site has shown its certificate at another address."""
    if any(fits(facts, found) for kind, fits in CONTENTS if kind != "other"):
        return True
    return facts.truth_shown and not found.addresses & facts.validated


def _injected_level(facts: NameFacts) -> Confidence:
    """C3 where the packets are known to come from beyond our own network, and what they say is proven false."""
    found = lies_nowhere(facts)
    if found is None or not facts.persists or not found.is_afar:
        return C1
    return C3 if _proven_false(facts, found) else C2


def _intercepted_level(facts: NameFacts) -> Confidence:
    """Return how sure it is, as for a resolver that lies: an honest one may know another node of a CDN."""
    found = lies_nowhere(facts)
    if found is None or not facts.persists or not found.is_afar or not _proven_false(facts, found):
        return C1
    if found.denies and facts.own_outcome is not Outcome.NO_SUCH_NAME:
        return C1  # a refusal may be the name's own servers' doing
    return C3 if facts.neutral_clean else C2


def _injected(kind: str, fits: Callable[[NameFacts, Nowhere], bool]) -> Rule[NameFacts]:
    def fires(facts: NameFacts) -> bool:
        found = lies_nowhere(facts)
        if found is None or not found.singles_out or found.is_at_the_door or not fits(facts, found):
            return False
        # From how far it came may not be known: then a resolver outside tells more by itself, and its rules speak.
        return found.is_afar or not facts.resolver_outside

    return Rule(
        id=f"{_PATTERNS[kind].value}.nowhere",
        when=fires,
        pattern=_PATTERNS[kind],
        cause=Cause.NETWORK,
        family=EvidenceFamily.ARTEFACT,
        level=_injected_level,
        reason="The name is answered, falsely, from an address where no resolver is; neutral names are not.",
    )


def _at_the_door(facts: NameFacts) -> bool:
    found = lies_nowhere(facts)
    return found is not None and found.is_at_the_door and (found.singles_out or found.answers_all)


def _intercepted(facts: NameFacts) -> bool:
    found = lies_nowhere(facts)
    if found is None or not facts.resolver_outside or not found.is_afar:
        return False
    # Below "likely" it stays silent: other rules say as much, in words that fit better.
    return found.answers_all and _is_the_same_lie(facts, found) and _intercepted_level(facts) >= C2


def _is_the_same_lie(facts: NameFacts, found: Nowhere) -> bool:
    """Tell whether an address where no resolver is says the same as ours does: then one box answers for all."""
    if facts.own_addresses:
        return bool(found.addresses & facts.own_addresses)
    return found.denies


NOWHERE_RULES: tuple[Rule[NameFacts], ...] = (
    Rule(
        id="local.resolver.nowhere",
        when=_at_the_door,
        pattern=Pattern.LOCAL_RESOLVER,
        cause=Cause.LOCAL,
        family=EvidenceFamily.DIFFERENTIAL,
        level=C2,
        reason="A device in one's own network answers every question on port 53 itself, whoever is asked.",
    ),
    *(_injected(kind, fits) for kind, fits in CONTENTS),
    Rule(
        id="dns.resolver.intercepted.nowhere",
        when=_intercepted,
        pattern=Pattern.DNS_RESOLVER_INTERCEPTED,
        cause=Cause.NETWORK,
        family=EvidenceFamily.ARTEFACT,
        level=_intercepted_level,
        reason="Port 53 is carried to one resolver whoever is asked, even nobody, and that one lies about the name.",
    ),
)
"""They come before what the answer's content says, which needs a resolver outside our own network."""
