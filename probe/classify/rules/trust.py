"""Rules about certificates that do not hold. They come after the handshake rules and before those about pages."""

from probe.classify.facts.answers import comparable
from probe.classify.facts.control_view import ControlView
from probe.classify.facts.name_facts import CERTIFICATE_DATES, NameFacts
from probe.classify.facts.path_facts import PathFacts, own_tries
from probe.classify.pairs import TWICE
from probe.classify.rules.path import LOCAL, OBSERVED, SERVER, TLS, UNKNOWN, A, repeated
from probe.classify.rules.rule import C0, C1, C2, Rule
from probe.classify.tries import Outcome
from probe.model.errors import ProtocolError
from probe.model.experiment import Design, NameKind
from probe.model.failure import FailureCode
from probe.model.observation import TLSHandshake
from probe.model.pattern import Pattern
from probe.model.vantage import LocalFinding
from probe.model.verdict import Cause, Confidence

OTHER_NAME = 62
"""X509_V_ERR_HOSTNAME_MISMATCH: the chain holds, for other names."""


def _code(facts: PathFacts) -> FailureCode | None:
    broken = facts.failing
    return broken.observation.failure.code if broken and broken.observation.failure else None


def _issuer(facts: PathFacts) -> str:
    broken = facts.failing
    if broken is None or not isinstance(broken.observation, TLSHandshake) or not broken.observation.chain:
        return ""
    from probe.protocols.tls.certificate import parse_certificate  # a library that judging hardly ever uses

    try:
        return parse_certificate(broken.observation.chain[0]).issuer
    except ProtocolError:
        return ""


def _inspected(facts: PathFacts) -> bool:
    baseline = facts.case.baseline
    if baseline is None or LocalFinding.TLS_INSPECTION not in baseline.findings:
        return False
    return bool(_issuer(facts)) and any(anchor.issuer == _issuer(facts) for anchor in baseline.anchors)


def _date_only(facts: PathFacts) -> bool:
    broken = facts.failing
    return (
        broken is not None
        and isinstance(broken.observation, TLSHandshake)
        and broken.observation.verify_code in CERTIFICATE_DATES
    )


def _clock_wrong(facts: PathFacts) -> bool:
    return facts.case.baseline is not None and LocalFinding.CLOCK_WRONG in facts.case.baseline.findings


def _answer_trusted(facts: PathFacts) -> bool:
    """Tell whether the address is the right one: encrypted resolvers give it too, or nobody had to be asked for it.

    Where they were asked for one family only and confirm it, the other comes from the same, confirmed resolver.
    """
    names = _own_names(facts)
    if not names.asked or facts.failing is None:
        return not names.asked
    address = frozenset({facts.failing.address})
    unasked = bool(names.encrypted_addresses) and not comparable(address, names.encrypted_addresses)
    return bool(address & names.encrypted_addresses) or (unasked and names.agree)


def _own_names(facts: PathFacts) -> NameFacts:
    """Return the answers of this run alone, arranged once for all paths of the hop."""
    key = f"own names {facts.hop}"
    names: NameFacts | None = facts.case.derived.get(key)
    if names is None:
        names = facts.case.derived[key] = NameFacts(facts.case, own_tries(facts.case), facts.hop)
    return names


def _untrusted(facts: PathFacts) -> bool:
    return facts.failed(TLS, Outcome.UNTRUSTED)


def _wrong_name(facts: PathFacts) -> bool:
    return _untrusted(facts) and _code(facts) is FailureCode.SSL_INVALID_HOSTNAME


def _at_least_c1(facts: PathFacts) -> Confidence:
    return max(repeated(facts), C1)


def _is_selective(facts: PathFacts) -> bool:
    """Tell whether a foreign certificate is shown for this name, and none to who sends another name here.

    With another name the site's own certificate may come, which settles it. If some other public one does, a server
    with a fault in one of its sites would look the same, so a control must have been shown the site's own.
    """
    if _wrong_name(facts) or _date_only(facts) or facts.tries_failed < TWICE or facts.handshake is None:
        return False
    leaf = facts.handshake.chain[:1]
    rows = facts.seen(TLS, Outcome.OK, Outcome.UNTRUSTED, name=NameKind.NEUTRAL, design=Design.CERTIFICATE)
    others = [row.observation for row in rows if isinstance(row.observation, TLSHandshake)]
    public = [o for o in others if o.chain[:1] != leaf and (o.verified or o.verify_code == OTHER_NAME)]
    if not leaf or not public:
        return False
    return any(other.verified for other in public) or _control_shown_own(facts, leaf[0])


def _control_shown_own(facts: PathFacts, leaf: bytes) -> bool:
    view = ControlView.of(facts.case)
    name = facts.handshake.server_name if facts.handshake is not None else ""
    return view.trusts(facts.spot, name) is True and leaf not in view.leaves(facts.spot)


TRUST_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="local.tls_inspection.same_issuer",
        when=lambda f: _untrusted(f) and _inspected(f),
        pattern=Pattern.LOCAL_TLS_INSPECTION,
        cause=LOCAL,
        family=A,
        level=C2,
        reason="The same private issuer signs neutral sites here: this network inspects TLS, not this site's alone.",
    ),
    Rule(
        id="net.clock.certificate_dates",
        when=lambda f: _untrusted(f) and _date_only(f) and _clock_wrong(f),
        pattern=Pattern.NET_CLOCK,
        cause=LOCAL,
        family=A,
        level=C2,
        reason="The certificate is outside its dates by this host's clock, which is wrong.",
    ),
    Rule(
        id="tls.mitm.untrusted.selective",
        when=lambda f: _untrusted(f) and _is_selective(f),
        pattern=Pattern.TLS_MITM_UNTRUSTED,
        cause=Cause.NETWORK,
        family=A,
        level=C2,
        reason="A foreign certificate is shown for this name alone; with another name, a public one comes here.",
    ),
    Rule(
        id="srv.cert_expired.chain_valid",
        when=lambda f: _untrusted(f) and _date_only(f),
        pattern=Pattern.SRV_CERT_EXPIRED,
        cause=SERVER,
        family=OBSERVED,
        level=C2,
        reason="The chain leads to a public root and names the site; only its dates are over.",
    ),
    Rule(
        id="srv.cert_name.answer_trusted",
        when=lambda f: _wrong_name(f) and _answer_trusted(f),
        pattern=Pattern.SRV_CERT_NAME,
        cause=SERVER,
        family=OBSERVED,
        level=_at_least_c1,
        reason="The right address shows a publicly trusted certificate for other names.",
    ),
    Rule(
        id="tls.untrusted.seen",
        when=_untrusted,
        pattern=Pattern.TLS,
        cause=UNKNOWN,
        family=OBSERVED,
        level=lambda f: max(repeated(f), C1 if _answer_trusted(f) else C0),
        reason="The certificate does not lead to a public root; whether it is the site's own is not known.",
    ),
)
