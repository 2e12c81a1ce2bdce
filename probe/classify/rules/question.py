"""Rules about a resolver under test: what it says of a name, and whether it answers at all over TLS or HTTPS."""

import msgspec

from probe.classify.facts.name_facts import NameFacts
from probe.classify.facts.name_lookups import LIES
from probe.classify.facts.path_facts import PathFacts
from probe.classify.fold import path_confidence
from probe.classify.rules.rule import C0, C1, C2, Rule
from probe.classify.tries import Layer, Outcome
from probe.model.failure import FailureCode
from probe.model.pattern import Pattern
from probe.model.target import CheckName
from probe.model.verdict import Cause, Confidence, Evidence, EvidenceFamily

NET, SERVER, UNKNOWN = Cause.NETWORK, Cause.SERVER, Cause.UNKNOWN
A, B, OBSERVED = EvidenceFamily.DIFFERENTIAL, EvidenceFamily.CONTROL, EvidenceFamily.OBSERVED


def _met(facts: NameFacts) -> int:
    return facts.encrypted_as_expected(met=True)


def _false_for_the_user(facts: NameFacts) -> bool:
    """Tell whether two encrypted resolvers give what the user expects, and none gives anything else."""
    return facts.unmet_answer and _met(facts) >= 2 and facts.encrypted_as_expected(met=False) == 0


def _unexpected_level(facts: NameFacts) -> Confidence:
    return C2 if facts.settles and facts.persists else C1


UNEXPECTED_RULES: tuple[Rule[NameFacts], ...] = (
    Rule(
        id="dns.resolver.manipulated.unexpected",
        when=lambda f: _false_for_the_user(f) and f.expected_by_others,
        pattern=Pattern.DNS_RESOLVER_MANIPULATED,
        cause=NET,
        family=A,
        level=_unexpected_level,
        reason="Only this resolver gives another answer than the target expects; all others give the expected one.",
    ),
    Rule(
        id="dns.injection.unexpected",
        when=_false_for_the_user,
        pattern=Pattern.DNS_INJECTION,
        cause=NET,
        family=A,
        level=_unexpected_level,
        reason="The answer in the clear is not what the target expects; encrypted resolvers give the expected one.",
    ),
    Rule(
        id="srv.unexpected.answer",
        when=lambda f: f.unmet_answer and f.encrypted_as_expected(met=False) >= 1 and not _met(f),
        pattern=Pattern.SRV_UNEXPECTED,
        cause=Cause.SERVER,
        family=B,
        level=lambda f: C2 if f.encrypted_as_expected(met=False) >= 2 else C1,
        reason="The answer is not what the target expects, by encrypted resolvers either: the zone itself says so.",
    ),
    Rule(
        id="dns.unexpected.seen",
        when=lambda f: f.unmet_answer,
        pattern=Pattern.DNS,
        cause=UNKNOWN,
        family=OBSERVED,
        reason="The answer is not what the target expects; nothing tells whether it is a false one.",
    ),
)
"""What a user expects of a DNS target's answer, and did not get."""


def _unanswered(facts: PathFacts) -> bool:
    """Tell whether the way to the resolver works, and the question failed, the repeat as well if there was one."""
    answered = any(question.outcome is Outcome.OK for question in facts.questions)
    return facts.failing is None and bool(facts.questions) and not answered


def _refused(facts: PathFacts) -> bool:
    """Tell whether the resolver itself, under its own certificate, answered with something that is no address."""
    seen = facts.questions[0]
    code = seen.observation.failure.code if seen.observation.failure is not None else None
    if code in (FailureCode.HTTP_UNEXPECTED_STATUS, FailureCode.HTTP_UNEXPECTED_CONTENT, FailureCode.DNS_MISBEHAVING):
        return True
    return seen.outcome in LIES - {Outcome.SILENT}


def name_encrypted(facts: PathFacts, evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    """Put first, for a resolver over TLS or HTTPS that the network keeps from us, that this is what is blocked.

    How it is done stays beside it, and says how sure it is.
    """
    first = evidence[0] if evidence else None
    asked = facts.case.target.check in (CheckName.DOT, CheckName.DOH)
    if not asked or first is None or first.cause is not NET or first.pattern is None:
        return evidence
    by = "name" if facts.failed(Layer.TLS) else "port" if first.pattern is Pattern.IP_PORT_DROP else "address"
    named = msgspec.structs.replace(
        first,
        rule_id=f"dns.encrypted.blocked.{first.rule_id}",
        pattern=Pattern.DNS_ENCRYPTED_BLOCKED,
        confidence=path_confidence(evidence),
        reason=f"An encrypted resolver is kept from us, by its {by}. {first.reason}",
    )
    return (named, *evidence)


QUESTION_RULES: tuple[Rule[PathFacts], ...] = (
    Rule(
        id="srv.resolver_refuses",
        when=lambda f: _unanswered(f) and f.handshake is not None and f.handshake.verified and _refused(f),
        pattern=Pattern.SRV,
        cause=SERVER,
        family=OBSERVED,
        level=C2,
        reason="The resolver itself, under its own certificate, does not answer a question about a neutral name.",
    ),
    Rule(
        id="dns.encrypted_unanswered.seen",
        when=_unanswered,
        pattern=Pattern.DNS,
        cause=UNKNOWN,
        family=OBSERVED,
        level=lambda f: C1 if len([q for q in f.questions if q.outcome is f.questions[0].outcome]) >= 2 else C0,
        reason="The connection to the resolver stands, and the question on it is not answered.",
    ),
)
"""DoT and DoH targets: the handshake alone is not the service."""
