"""Rules about the answers to a name. First match speaks; facts are `NameFacts` of one hop."""

from probe.classify.facts.chosen import is_operators_word, says_so_in_private
from probe.classify.facts.name_facts import NameFacts
from probe.classify.facts.name_lookups import LIES
from probe.classify.facts.remembered import is_remembered
from probe.classify.pairs import PAIRS
from probe.classify.rules.control_name import CONTROL_NAME_RULES
from probe.classify.rules.forgery import FORGERY_RULES, GHOST_RULES, INVENTED_RULES, TWO_FACED_RULES
from probe.classify.rules.nowhere import NOWHERE_RULES
from probe.classify.rules.question import UNEXPECTED_RULES
from probe.classify.rules.rule import C0, C1, C2, C3, Rule
from probe.classify.tries import Outcome, is_benchmark
from probe.model.pattern import Pattern
from probe.model.vantage import LocalFinding
from probe.model.verdict import Cause, Confidence, EvidenceFamily

NET, LOCAL, OUTAGE, UNKNOWN = Cause.NETWORK, Cause.LOCAL, Cause.OUTAGE, Cause.UNKNOWN
A, B, ARTEFACT, OBSERVED = (
    EvidenceFamily.DIFFERENTIAL,
    EvidenceFamily.CONTROL,
    EvidenceFamily.ARTEFACT,
    EvidenceFamily.OBSERVED,
)


def _has(facts: NameFacts, finding: LocalFinding) -> bool:
    return facts.case.baseline is not None and finding in facts.case.baseline.findings


def _forged_level(facts: NameFacts) -> Confidence:
    """C3 for an answer that nobody can mean; C2 for one whose address shows another's certificate; else C1.

    An address that merely does not work may be a CDN's own node that is down, or a stale answer after a move. Another's
    certificate may still be such a stale answer, unless one server contradicts itself in the clear and in private.
    """
    if not (facts.settles and facts.persists):
        return C1
    if facts.bogon or facts.pool or facts.teredo:
        return C3
    if not (facts.truth_shown and facts.own_addresses & facts.refuted):
        return C1
    return C3 if facts.others_lie and facts.contradicts_itself else C2


def _race_level(facts: NameFacts) -> Confidence:
    return C3 if facts.neutral_clean else C1


def _rcode_level(facts: NameFacts) -> Confidence:
    """Return how sure it is that such an answer is not the zone's own.

    An existing name denied is a forged answer; a refusal or silence needs the paired design. A failure or silence of
    our resolver alone may be the name's own servers refusing that resolver: only a server that knows the name in
    private and fails it in the clear excludes that.
    """
    if not (facts.settles and facts.persists):
        return C1
    if facts.own_outcome is Outcome.NO_SUCH_NAME and facts.truth_shown:
        return C3
    if facts.own_outcome in (Outcome.SERVFAIL, Outcome.SILENT) and not facts.contradicts_itself:
        return C1
    return C2 if facts.failures() >= PAIRS and facts.neutral_good >= PAIRS else C1


def _denying(outcome: Outcome, pattern: Pattern, what: str) -> Rule[NameFacts]:
    return Rule(
        id=f"{pattern.value}.encrypted_knows",
        when=lambda f: f.denied and f.own_outcome is outcome and f.resolver_outside and not f.neutral_fails,
        pattern=pattern,
        cause=NET,
        family=A,
        level=_rcode_level,
        reason=f"Our resolver {what}; encrypted resolvers know the name, and neutral names are answered.",
    )


_ANSWERS = (
    (Outcome.NO_SUCH_NAME, Pattern.DNS_NXDOMAIN, "says the name does not exist"),
    (Outcome.NO_ANSWER, Pattern.DNS_NO_ANSWER, "says the name has no address"),
    (Outcome.DNS_REFUSED, Pattern.DNS_REFUSED, "refuses the question"),
    (Outcome.SERVFAIL, Pattern.DNS_SERVFAIL, "reports a failure for the name"),
    (Outcome.SILENT, Pattern.DNS_TIMEOUT, "does not answer for the name"),
)


def _denial_is_whole(facts: NameFacts, outcome: Outcome) -> bool:
    """Tell whether the name as a whole is denied: NXDOMAIN speaks for both families, an empty answer for one only."""
    addresses = {lookup.query_type for _, lookup in facts.own} <= {"A", "AAAA"}
    return outcome is not Outcome.NO_ANSWER or not addresses or facts.both_families_denied


def _nobody_level(outcome: Outcome) -> Rule[NameFacts]:
    exists = outcome in (Outcome.NO_SUCH_NAME, Outcome.NO_ANSWER)
    return Rule(
        id=f"srv.{'no_such_name' if exists else 'zone_broken'}.{outcome.value}",
        when=lambda f: f.own_outcome is not Outcome.OK and f.encrypted_deny(outcome) >= 1,
        pattern=Pattern.SRV_NO_SUCH_NAME if exists else Pattern.SRV_DOWN,
        cause=OUTAGE,
        family=B,
        level=lambda f: C2 if f.encrypted_deny(outcome) >= 2 and _denial_is_whole(f, outcome) else C1,
        reason="Encrypted resolvers, which the network cannot rewrite, have no address for the name either.",
    )


def _of_a_proxy(facts: NameFacts) -> bool:
    """Tell whether the answer is of the range that proxies make theirs up from, and not the zone's own.

    Some do so for chosen names alone, and whatever resolver is asked: neutral names say nothing against it.
    """
    given = facts.own_addresses
    return bool(given) and all(map(is_benchmark, given)) and not given & facts.encrypted_addresses


NAME_RULES: tuple[Rule[NameFacts], ...] = (
    Rule(
        id="dns.instrument",
        when=lambda f: f.own_outcome is Outcome.INSTRUMENT,
        pattern=Pattern.INSTRUMENT_FAULT,
        cause=Cause.INSTRUMENT,
        family=OBSERVED,
        level=C0,
        reason="This host could not send the question.",
    ),
    Rule(
        id="local.resolver.falsifies_neutral",
        when=lambda f: (f.disputed or f.denied) and _has(f, LocalFinding.RESOLVER_FALSIFIES),
        pattern=Pattern.LOCAL_RESOLVER,
        cause=LOCAL,
        family=A,
        level=C2,
        reason="The resolver of this network falsifies neutral names too.",
    ),
    Rule(
        id="local.fake_ip.neutral_too",
        when=lambda f: bool(f.own_addresses) and f.bogon and _has(f, LocalFinding.FAKE_IP),
        pattern=Pattern.LOCAL_FAKE_IP,
        cause=LOCAL,
        family=A,
        level=C2,
        reason="A proxy on this machine or router answers every name with an address of its own.",
    ),
    Rule(
        id="local.fake_ip.own_range",
        when=_of_a_proxy,
        pattern=Pattern.LOCAL_FAKE_IP,
        cause=LOCAL,
        family=OBSERVED,
        level=C1,
        reason="The name is answered from 198.18.0.0/15, as proxies on one's own machine or router do; no zone does.",
    ),
    *UNEXPECTED_RULES,
    Rule(
        id="local.resolver.sinkhole",
        when=lambda f: f.sinkhole and f.disputed and not f.resolver_outside,
        pattern=Pattern.LOCAL_RESOLVER,
        cause=LOCAL,
        family=A,
        reason="A resolver in one's own network answers this name with the null address, as home filters do.",
    ),
    Rule(
        id="local.resolver.chosen",
        when=lambda f: is_operators_word(f) and says_so_in_private(f),
        pattern=Pattern.LOCAL_RESOLVER,
        cause=LOCAL,
        family=A,
        level=C2,
        reason="The public resolver that this host asks denies the name, in private as well; others know it: it is"
        " that resolver's own filter.",
    ),
    Rule(
        id="dns.resolver.manipulated.chosen",
        when=is_operators_word,
        pattern=Pattern.DNS_RESOLVER_MANIPULATED,
        cause=UNKNOWN,
        family=A,
        reason="Only the public resolver that this host asks strays from the truth; others, asked in the clear, do"
        " not: its own filter, or somebody who answers in its name.",
    ),
    Rule(
        id="dns.injection.race.truth_shown",
        when=lambda f: f.conflicting and not f.agree and f.truth_shown and f.resolver_outside,
        pattern=Pattern.DNS_INJECTION_RACE,
        cause=NET,
        family=ARTEFACT,
        level=_race_level,
        reason="One question got two answers that exclude each other; only the later one leads to the site.",
    ),
    *NOWHERE_RULES,
    Rule(
        id="dns.injection.race.conflict",
        when=lambda f: f.conflicting and f.disputed,
        pattern=Pattern.DNS_INJECTION_RACE,
        cause=NET,
        family=OBSERVED,
        reason="One question got two answers that exclude each other, and encrypted resolvers give neither first one.",
    ),
    *FORGERY_RULES,
    *INVENTED_RULES,
    Rule(
        id="dns.resolver.manipulated.others_clean",
        when=lambda f: f.disputed and f.others_clean and f.resolver_outside and (f.truth_shown or f.bogon or f.pool),
        pattern=Pattern.DNS_RESOLVER_MANIPULATED,
        cause=NET,
        family=ARTEFACT,
        level=_forged_level,
        reason="Only our own resolver gives a false address; others, asked in the clear, give the real one.",
    ),
    Rule(
        id="dns.injection.teredo",
        when=lambda f: f.disputed and f.teredo and f.resolver_outside,
        pattern=Pattern.DNS_INJECTION_TEREDO,
        cause=NET,
        family=ARTEFACT,
        level=_forged_level,
        reason="The answer is a Teredo address, which no site has; encrypted resolvers disagree.",
    ),
    Rule(
        id="dns.injection.bogon",
        when=lambda f: f.disputed and f.bogon and f.resolver_outside,
        pattern=Pattern.DNS_INJECTION_BOGON,
        cause=NET,
        family=ARTEFACT,
        level=_forged_level,
        reason="The answer is no public address; encrypted resolvers disagree.",
    ),
    Rule(
        id="dns.injection.pool",
        when=lambda f: f.disputed and f.pool and f.resolver_outside,
        pattern=Pattern.DNS_INJECTION_POOL,
        cause=NET,
        family=ARTEFACT,
        level=_forged_level,
        reason="The answer is an address that DNS injectors are known for; encrypted resolvers disagree.",
    ),
    *TWO_FACED_RULES,
    Rule(
        id="dns.injection.other.all_resolvers",
        when=lambda f: (
            f.disputed
            and f.others_lie
            and f.truth_shown
            and f.resolver_outside
            and not f.own_addresses & f.validated
            and bool(f.own_addresses & f.refuted)
        ),
        pattern=Pattern.DNS_INJECTION_OTHER,
        cause=NET,
        family=ARTEFACT,
        level=_forged_level,
        reason="Every resolver asked in the clear gives a false address; encrypted ones give the real one.",
    ),
    Rule(
        id="dns.disputed.same_everywhere",
        when=lambda f: f.disputed and f.others_lie and f.same_everywhere and f.truth_shown and f.resolver_outside,
        pattern=Pattern.DNS,
        cause=UNKNOWN,
        family=OBSERVED,
        reason="Every resolver asked in the clear gives one silent address; encrypted ones give others, which work.",
    ),
    Rule(
        id="net.other_family_only",
        when=lambda f: f.own_outcome is Outcome.NO_ANSWER and f.other_family_only,
        pattern=Pattern.NET,
        cause=LOCAL,
        family=A,
        reason="The name has addresses only of a family that this network does not use.",
    ),
    Rule(
        id="dns.remembered.others_know",
        when=is_remembered,
        pattern=Pattern.DNS,
        cause=UNKNOWN,
        family=A,
        reason="Our resolver remembers, on the word of its zone, that there is no such name, and that runs out: the"
        " name may be newer. All others know it.",
    ),
    *(_denying(*answer) for answer in _ANSWERS),
    *(_nobody_level(answer[0]) for answer in _ANSWERS if answer[0] is not Outcome.SILENT),
    Rule(
        id="dns.neutral_too",
        when=lambda f: f.own_outcome in LIES and f.neutral_fails and not f.own_is_system,
        pattern=Pattern.DNS,
        cause=UNKNOWN,
        family=A,
        reason="This resolver fails neutral names in the same way: it is the resolver, or the way to it, not the name.",
    ),
    Rule(
        id="srv.down.zone_says_nowhere",
        when=lambda f: f.leads_nowhere and f.none_works,
        pattern=Pattern.SRV_DOWN,
        cause=OUTAGE,
        family=B,
        level=C2,
        reason="The name's own zone gives no address that others could reach: encrypted resolvers say the same.",
    ),
    *CONTROL_NAME_RULES,
    Rule(
        id="net.dns_broken.neutral_fails",
        when=lambda f: f.own_outcome in LIES and f.neutral_fails,
        pattern=Pattern.NET_DNS_BROKEN,
        cause=LOCAL,
        family=A,
        reason="The resolver fails neutral names in the same way: it is the resolver, not the name.",
    ),
    *(
        Rule(
            id=f"{pattern.value}.seen",
            when=lambda f, outcome=outcome: f.own_outcome is outcome,  # type: ignore[misc]
            pattern=pattern,
            cause=UNKNOWN,
            family=OBSERVED,
            level=lambda f: C1 if f.failures() >= 2 else C0,
            reason=f"Our resolver {what}; there was nothing to hold it against.",
        )
        for outcome, pattern, what in _ANSWERS
    ),
    Rule(
        id="dns.seen",
        when=lambda f: f.asked and f.own_outcome is not Outcome.OK,
        pattern=Pattern.DNS,
        cause=UNKNOWN,
        family=OBSERVED,
        level=lambda f: C1 if f.failures() >= 2 else C0,
        reason="Our resolver could not be asked.",
    ),
)
"""What makes a name unusable, or its answer false."""

BESIDE_RULES = (CONTROL_NAME_RULES, GHOST_RULES)
"""What may be said beside the first: another family that agrees raises what is believed."""
