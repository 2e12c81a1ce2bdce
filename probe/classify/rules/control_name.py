"""Rules that hold our resolver's answer against what controls were given for the name. Family B, first hop only."""

from collections.abc import Callable

from probe.classify.facts.answers import comparable
from probe.classify.facts.control_view import ControlView
from probe.classify.facts.name_facts import NameFacts
from probe.classify.facts.name_lookups import LIES
from probe.classify.rules.forgery import has_block_answer
from probe.classify.rules.rule import C1, C2, Rule
from probe.classify.tries import Outcome, is_bogus
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, EvidenceFamily

B = EvidenceFamily.CONTROL


_MAY_BE_THE_ZONES_OWN = (Outcome.SERVFAIL, Outcome.SILENT)

_Says = Callable[[NameFacts, ControlView], bool]


def _compared(
    rule_id: str,
    says: _Says,
    pattern: Pattern,
    reason: str,
    *,
    when: Callable[[NameFacts], bool],
    cause: Cause = Cause.NETWORK,
) -> Rule[NameFacts]:
    return Rule(
        id=rule_id,
        when=lambda f: _asked(f) and when(f) and says(f, ControlView.of(f.case)),
        pattern=pattern,
        cause=cause,
        family=B,
        family_of=lambda f: ControlView.of(f.case).method(lambda view: says(f, view)),
        level=lambda f: min(ControlView.of(f.case).level(lambda view: says(f, view)), _bound(f, cause)),
        reason=reason,
    )


def _asked(facts: NameFacts) -> bool:
    return facts.hop == 0 and bool(facts.case.controls) and facts.asked and not facts.neutral_fails


def _bound(facts: NameFacts, cause: Cause) -> Confidence:
    """Accuse the network only of what was said twice, by a resolver that answers neutral names cleanly.

    A failure or silence may be the name's own servers refusing our resolver, or DNSSEC data that a control's resolver
    does not check: it accuses nobody, unless one server fails in the clear what it answers in private.
    """
    if cause is not Cause.NETWORK:
        return C2
    if ControlView.of(facts.case).contested(lambda one: one.knows_no_address()):
        return C1  # it is unknown to another control as well
    if facts.own_outcome in _MAY_BE_THE_ZONES_OWN and not facts.contradicts_itself:
        return C1
    return C2 if facts.case.single_sample or (facts.neutral_clean and facts.persists) else C1


def _outside(facts: NameFacts) -> bool:
    """Tell whether it is not a filter of one's own network that answers; files of others do not name the resolver."""
    unnamed = all(lookup.resolver.endpoint is None for _, lookup in facts.own)
    return facts.resolver_outside or (facts.case.single_sample and unnamed)


def _false(facts: NameFacts, view: ControlView) -> bool:
    """Tell whether no address of ours is a control's, and none proved itself by certificate, here or there."""
    ours = facts.own_addresses
    proven = ours & (view.addresses | view.validated | facts.validated)
    return comparable(ours, view.addresses) and not proven and not facts.agree


def _refuted(facts: NameFacts, view: ControlView) -> bool:
    """Tell whether the answer is false because places show certificates for the name, and those answered do not.

    Not inside one network: a node of the site's own may lag behind with its certificates.
    """
    shown = (view.validated | facts.validated) - facts.own_addresses
    return _false(facts, view) and bool(shown) and not _own_asns(facts) & view.asns


def _refuted_there(facts: NameFacts, view: ControlView) -> bool:
    """Tell the same by the control's handshakes alone: then it must be known that the networks differ."""
    apart = bool(_own_asns(facts)) and bool(view.asns)
    return apart and _refuted(facts, view) and facts.own_addresses <= facts.refuted | view.refuted


def _own_asns(facts: NameFacts) -> frozenset[int]:
    return frozenset(asn for _, lookup in facts.own for asn in lookup.asns if asn)


def _knows(facts: NameFacts, view: ControlView) -> bool:
    """Tell whether the control has what our resolver denies: any address against "no such name".

    Against an empty answer only an address of a family that was asked for: the name may have none of the other.
    """
    if facts.own_outcome is Outcome.NO_SUCH_NAME:
        return bool(view.addresses)
    asked = {lookup.query_type for _, lookup in facts.own}
    return any(("AAAA" if ":" in address else "A") in asked for address in view.addresses)


def _denied(outcome: Outcome, pattern: Pattern, what: str) -> Rule[NameFacts]:
    return _compared(
        f"{pattern.value}.control_knows",
        _knows,
        pattern,
        f"Our resolver {what}, a control's knows the name.",
        when=lambda f: f.own_outcome is outcome and _outside(f),
    )


def _invented(facts: NameFacts) -> bool:
    """Tell whether we are given addresses of a name that a control, and encrypted DNS where it was asked, do not know.

    The control's word alone is not enough: some names are known to a firm's own network only.
    """
    if not _asked(facts) or not facts.gives_unproven or not ControlView.of(facts.case).denies_name():
        return False
    return facts.case.single_sample or facts.encrypted_deny(Outcome.NO_SUCH_NAME) >= 1


def _filtered_at_home(facts: NameFacts) -> bool:
    """Tell whether a filter of the user's own answered: these give the null address, from this host or the router."""
    return facts.sinkhole and not facts.resolver_outside


CONTROL_NAME_RULES: tuple[Rule[NameFacts], ...] = (
    Rule(
        id="local.resolver.sinkhole.control_differs",
        when=lambda f: _asked(f) and _filtered_at_home(f) and _false(f, ControlView.of(f.case)),
        pattern=Pattern.LOCAL_RESOLVER,
        cause=Cause.LOCAL,
        family=B,
        level=C1,
        reason="We are given the null address, as filters at home give it; a control is given the site's.",
    ),
    _compared(
        "dns.injection.bogon.control_differs",
        _false,
        Pattern.DNS_INJECTION_BOGON,
        "We are given no public address, a control is given the site's.",
        when=lambda f: f.bogon and _outside(f) and not _filtered_at_home(f),
    ),
    _compared(
        "dns.injection.blockpage.control_differs",
        _false,
        Pattern.DNS_INJECTION_BLOCKPAGE,
        "We are given an address known for block pages of this country, a control is given the site's.",
        when=lambda f: has_block_answer(f) and _outside(f),
    ),
    _compared(
        "dns.control_differs.refuted",
        _refuted,
        Pattern.DNS,
        "We are given addresses that show other sites' certificates, a control is given the site's own.",
        when=lambda f: f.own_addresses <= f.refuted and _outside(f),
    ),
    _compared(
        "dns.control_differs.refuted_there",
        _refuted_there,
        Pattern.DNS,
        "We are given addresses that show a control other sites' certificates; it is given the site's own.",
        when=_outside,
    ),
    _denied(Outcome.NO_SUCH_NAME, Pattern.DNS_NXDOMAIN, "says the name does not exist"),
    _denied(Outcome.NO_ANSWER, Pattern.DNS_NO_ANSWER, "says the name has no address"),
    _denied(Outcome.DNS_REFUSED, Pattern.DNS_REFUSED, "refuses the question"),
    _denied(Outcome.SERVFAIL, Pattern.DNS_SERVFAIL, "reports a failure for the name"),
    _denied(Outcome.SILENT, Pattern.DNS_TIMEOUT, "does not answer for the name"),
    _compared(
        "srv.no_such_name.control_too",
        lambda f, view: view.knows_no_address(),
        Pattern.SRV_NO_SUCH_NAME,
        "A control is given no address for the name either.",
        when=lambda f: f.own_outcome in LIES,
        cause=Cause.OUTAGE,
    ),
    _compared(
        "srv.down.control_nowhere",
        lambda f, view: view.gives_nobody(),
        Pattern.SRV_DOWN,
        "The name's own zone gives no address that others could reach: a control is given none either.",
        when=lambda f: f.none_works and bool(f.own_addresses) and all(map(is_bogus, f.own_addresses)),
        cause=Cause.OUTAGE,
    ),
    Rule(
        id="srv.no_such_name.control_denies",
        when=_invented,
        pattern=Pattern.SRV_NO_SUCH_NAME,
        cause=Cause.OUTAGE,
        family=B,
        level=lambda f: C2 if f.encrypted_deny(Outcome.NO_SUCH_NAME) or f.none_works else C1,
        reason="Our resolver gives an address for a name that, a control is told, does not exist.",
    ),
)
"""They come after what encrypted resolvers settle, and before what is only seen."""
