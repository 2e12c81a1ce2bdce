"""Rules that hold our resolver's answer against what controls were given for the name. Family B, first hop only."""

from probe.classify.control_view import ControlView
from probe.classify.name_facts import LIES, NameFacts
from probe.classify.rule import C2, Rule
from probe.classify.tries import Outcome
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, EvidenceFamily

B = EvidenceFamily.CONTROL


def _view(facts: NameFacts) -> ControlView:
    return ControlView(facts.case)


def _asked(facts: NameFacts) -> bool:
    return facts.hop == 0 and bool(facts.case.controls) and facts.asked


def _level(facts: NameFacts) -> Confidence:
    return min(C2, _view(facts).confidence)


def _false(facts: NameFacts) -> bool:
    """None of our addresses is the controls', and none proves to be the name's: here by certificate, or there."""
    view = _view(facts)
    ours = facts.own_addresses
    proven = ours & (view.addresses | view.validated | facts.validated)
    return bool(ours) and bool(view.addresses) and not proven and not facts.agree


def _denied(outcome: Outcome, pattern: Pattern, what: str) -> Rule[NameFacts]:
    return Rule(
        id=f"{pattern.value}.control_knows",
        when=lambda f: _asked(f) and f.own_outcome is outcome and bool(_view(f).addresses),
        pattern=pattern,
        cause=Cause.NETWORK,
        family=B,
        level=_level,
        reason=f"Our resolver {what}, a control's knows the name.",
    )


CONTROL_NAME_RULES: tuple[Rule[NameFacts], ...] = (
    Rule(
        id="dns.injection.bogon.control_differs",
        when=lambda f: _asked(f) and _false(f) and f.bogon,
        pattern=Pattern.DNS_INJECTION_BOGON,
        cause=Cause.NETWORK,
        family=B,
        level=_level,
        reason="We are given no public address, a control is given the site's.",
    ),
    Rule(
        id="dns.control_differs.refuted",
        when=lambda f: _asked(f) and _false(f) and f.own_addresses <= f.refuted,
        pattern=Pattern.DNS,
        cause=Cause.NETWORK,
        family=B,
        level=_level,
        reason="We are given addresses that show other sites' certificates, a control is given the site's own.",
    ),
    _denied(Outcome.NO_SUCH_NAME, Pattern.DNS_NXDOMAIN, "says the name does not exist"),
    _denied(Outcome.NO_ANSWER, Pattern.DNS_NO_ANSWER, "says the name has no address"),
    _denied(Outcome.DNS_REFUSED, Pattern.DNS_REFUSED, "refuses the question"),
    _denied(Outcome.SERVFAIL, Pattern.DNS_SERVFAIL, "reports a failure for the name"),
    _denied(Outcome.SILENT, Pattern.DNS_TIMEOUT, "does not answer for the name"),
    Rule(
        id="srv.no_such_name.control_too",
        when=lambda f: _asked(f) and f.own_outcome in LIES and _view(f).knows_no_address(),
        pattern=Pattern.SRV_NO_SUCH_NAME,
        cause=Cause.OUTAGE,
        family=B,
        level=_level,
        reason="A control is given no address for the name either.",
    ),
)
"""They come after what encrypted resolvers settle, and before what is only seen."""
