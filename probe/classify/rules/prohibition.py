"""The rule for an access provider whose own router says that an address is forbidden.

Source: CONTRACT section 2: a prohibiting ICMP error whose sender is in the access country settles `ip.*`. Whose country
a router is in is not known to us; that it stands in the AS of our own provider is, where AS data is at hand.
"""

from probe.classify.facts.path_facts import PathFacts
from probe.classify.rules.path import icmp_error, is_offender_local
from probe.classify.rules.rule import C0, C3, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.observation import TCPConnect
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, EvidenceFamily


def _is_prohibited_by_access(facts: PathFacts) -> bool:
    """Tell whether the sender is in our provider's AS and the target in another; unknown AS numbers show nothing."""
    icmp, broken = icmp_error(facts), facts.failing
    if icmp is None or broken is None or not isinstance(broken.observation, TCPConnect):
        return False
    if not icmp.is_prohibition or is_offender_local(facts):
        return False
    return 0 < icmp.asn == facts.case.vantage.asn and broken.observation.asn not in (0, icmp.asn)


def _twice(facts: PathFacts) -> Confidence:
    return C3 if facts.tries_failed >= 2 else C0


PROHIBITION_TCP_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="ip.unreachable.access_prohibits",
        when=lambda f: f.failed(Layer.TCP, Outcome.REFUSED, Outcome.UNREACHABLE) and _is_prohibited_by_access(f),
        pattern=Pattern.IP_UNREACHABLE,
        cause=Cause.NETWORK,
        family=EvidenceFamily.ARTEFACT,
        level=_twice,
        reason="A router of our own provider says by ICMP that this address, in another network, is prohibited.",
    ),
)
