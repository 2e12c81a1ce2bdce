"""Rules that hold our silent greeting of a tunnel against a control's, in which nobody's credentials are: family B.

Source: CONTRACT sections 2 and 6. They ask for proof of the credentials like all rules about silence, and for two
failures of our own. IKE accuses nobody: its servers fall silent to an address that has five sessions half open
(strongSwan's `block_threshold`), be they ours or our neighbours', and go on answering others.
"""

from collections.abc import Callable

from probe.classify.facts.control_view import ControlView
from probe.classify.facts.path_facts import PathFacts
from probe.classify.facts.tunnel_facts import TunnelFacts
from probe.classify.rules.rule import C0, C1, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.depth import Depth
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, EvidenceFamily


def _spoke(facts: PathFacts, view: ControlView) -> bool:
    return view.spoke(facts.spot)


def _greeted(says: Callable[[TunnelFacts], bool], *, counts: bool = False) -> Callable[[PathFacts], bool]:
    """Return when our greeting is silent, a control's is answered, the credentials are proven, and this holds."""

    def when(facts: PathFacts) -> bool:
        if not facts.failed(Layer.VPN, Outcome.SILENT) or not _spoke(facts, ControlView.of(facts.case)):
            return False
        tunnel = TunnelFacts(facts)
        if not tunnel.proofs or not tunnel.over_udp or tunnel.depth is not Depth.NONE or tunnel.loses_packets:
            return False
        return tunnel.counts_sessions is counts and says(tunnel)

    return when


def _level(facts: PathFacts) -> Confidence:
    """Return how sure it is that the control sees something else: one packet lost here is no difference."""
    level = ControlView.of(facts.case).level(lambda view: _spoke(facts, view))
    return level if facts.tries_failed >= 2 else min(level, C0)


def _rule(rule_id: str, says: Callable[[TunnelFacts], bool], pattern: Pattern, reason: str) -> Rule[PathFacts]:
    return Rule(
        id=rule_id,
        when=_greeted(says),
        pattern=pattern,
        cause=Cause.NETWORK,
        family=EvidenceFamily.CONTROL,
        family_of=lambda f: ControlView.of(f.case).method(lambda view: _spoke(f, view)),
        level=_level,
        reason=reason,
    )


GREETING_RULES: tuple[Rule[PathFacts], ...] = (
    _rule(
        "vpn.burned.control_greeted",
        lambda t: t.worked_here and (t.sibling is Outcome.SILENT or t.reference_passes),
        Pattern.VPN_BURNED,
        "It worked from here, and now nothing comes back; a control's greeting is answered at this moment.",
    ),
    _rule(
        "vpn.endpoint_block.control_greeted",
        lambda t: t.reference_passes,
        Pattern.VPN_ENDPOINT_BLOCK,
        "A control's greeting is answered at this moment, ours never; others of its protocol answer us.",
    ),
    _rule(
        "vpn.control_greeted",
        lambda _: True,
        Pattern.VPN,
        "A control's greeting is answered at this moment, ours never.",
    ),
    Rule(
        id="vpn.sessions_counted.control_greeted",
        when=_greeted(lambda _: True, counts=True),
        pattern=Pattern.VPN,
        cause=Cause.UNKNOWN,
        family=EvidenceFamily.CONTROL,
        level=C1,
        reason="A control is answered and we are not: a filter, or a server that counts our half-open sessions.",
    ),
)
"""Of the outside: what a control adds."""
