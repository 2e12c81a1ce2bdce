"""Rules about answers that nobody honest gives: the address serves everybody, or the servers contradict themselves."""

from probe.classify.facts.forgery import gives_block_page, shows_block_page
from probe.classify.facts.name_facts import NameFacts
from probe.classify.rules.rule import C1, C2, C3, Rule
from probe.classify.tries import Outcome
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, EvidenceFamily

ARTEFACT = EvidenceFamily.ARTEFACT
SERVERS_AT_LEAST = 2
"""One server that contradicts itself may be ill."""


def _everybody_lies(facts: NameFacts) -> bool:
    return facts.others_lie and facts.resolver_outside


def _proxy_level(facts: NameFacts) -> Confidence:
    """C3 once a server that tells the truth in private says the same false thing in the clear."""
    if not (facts.settles and facts.persists):
        return C1
    return C3 if facts.two_faced else C2


def _is_served_by_proxy(facts: NameFacts) -> bool:
    return bool(facts.proxies) and facts.disputed and facts.resolver_outside


def has_block_answer(facts: NameFacts) -> bool:
    """Tell whether our resolver gave what is known for this country's block pages, and nothing proves it true."""
    return gives_block_page([lookup for _, lookup in facts.own], facts.case) and not facts.own_addresses & facts.truth


def _lands_on_block_page(facts: NameFacts) -> bool:
    """Tell whether what an address given to us sent in the clear reads like a block page."""
    return shows_block_page([row for row in facts.table if row.address in facts.own_addresses], facts.case)


def _block_answer_level(facts: NameFacts) -> Confidence:
    return C3 if facts.settles and facts.persists else C1


def _block_page_level(facts: NameFacts) -> Confidence:
    """C3 where the answer is proven false: its address serves everybody, or another shows the site's certificate."""
    if not (facts.settles and facts.persists):
        return C1
    refuted = facts.own_addresses <= facts.refuted and facts.truth_shown
    if refuted or facts.own_addresses <= facts.proxies:
        return C3
    # A node of the site's CDN may serve an article that quotes a block page.
    return C2 if facts.truth_shown else C1


def _two_servers_lie(facts: NameFacts) -> bool:
    return len(facts.two_faced) >= SERVERS_AT_LEAST and facts.same_everywhere and _everybody_lies(facts)


FORGERY_RULES: tuple[Rule[NameFacts], ...] = (
    Rule(
        id="dns.injection.other.proxy",
        when=lambda f: _is_served_by_proxy(f) and _everybody_lies(f),
        pattern=Pattern.DNS_INJECTION_OTHER,
        cause=Cause.NETWORK,
        family=ARTEFACT,
        level=_proxy_level,
        reason="Every answer in the clear leads to a proxy, which serves unrelated sites too; encrypted ones do not.",
    ),
    Rule(
        id="dns.resolver.manipulated.block_answer",
        when=lambda f: has_block_answer(f) and f.disputed and f.others_clean and f.resolver_outside,
        pattern=Pattern.DNS_RESOLVER_MANIPULATED,
        cause=Cause.NETWORK,
        family=ARTEFACT,
        level=_block_answer_level,
        reason="Only our own resolver gives an address known for block pages of this country.",
    ),
    Rule(
        id="dns.injection.blockpage.block_answer",
        when=lambda f: has_block_answer(f) and f.disputed and f.resolver_outside,
        pattern=Pattern.DNS_INJECTION_BLOCKPAGE,
        cause=Cause.NETWORK,
        family=ARTEFACT,
        level=_block_answer_level,
        reason="The answer is an address known for block pages of this country; encrypted resolvers disagree.",
    ),
    Rule(
        id="dns.resolver.manipulated.block_page",
        when=lambda f: f.disputed and f.others_clean and f.resolver_outside and _lands_on_block_page(f),
        pattern=Pattern.DNS_RESOLVER_MANIPULATED,
        cause=Cause.NETWORK,
        family=ARTEFACT,
        level=_block_page_level,
        reason="Only our own resolver leads to a block page; others, asked in the clear, lead to the site.",
    ),
    Rule(
        id="dns.resolver.manipulated.proxy",
        when=lambda f: _is_served_by_proxy(f) and f.others_clean,
        pattern=Pattern.DNS_RESOLVER_MANIPULATED,
        cause=Cause.UNKNOWN,
        family=ARTEFACT,
        level=lambda f: C2 if f.settles and f.persists else C1,
        reason="Only our own resolver leads through a proxy: the provider's, or a service of one's own choice.",
    ),
)
"""A difference alone accuses nobody: CDNs answer differently, and a stale answer leads to a dead address."""

TWO_FACED_RULES: tuple[Rule[NameFacts], ...] = (
    Rule(
        id="dns.injection.other.two_faced",
        when=lambda f: f.disputed and _two_servers_lie(f) and f.truth_shown and f.forged_afar and f.none_works,
        pattern=Pattern.DNS_INJECTION_OTHER,
        cause=Cause.NETWORK,
        family=ARTEFACT,
        level=lambda f: C3 if f.settles and f.persists else C1,
        reason="Servers that tell the truth in private all lie alike in the clear, by packets from another distance.",
    ),
)
"""They come after what an answer's content gives away."""

INVENTED_RULES: tuple[Rule[NameFacts], ...] = (
    Rule(
        id="dns.injection.no_such_name",
        when=lambda f: f.invented and bool(f.two_faced) and _all_invent(f),
        pattern=Pattern.DNS_INJECTION,
        cause=Cause.OUTAGE,
        family=ARTEFACT,
        level=C2,
        reason="Answers are forged for a name that, asked in private, exists nowhere: there is no site to reach.",
    ),
    Rule(
        id="srv.no_such_name.invented",
        when=lambda f: f.invented and f.resolver_outside and _others_deny(f),
        pattern=Pattern.SRV_NO_SUCH_NAME,
        cause=Cause.OUTAGE,
        family=EvidenceFamily.CONTROL,
        level=C2,
        reason="Only our own resolver has an address for the name; all others, in the clear too, deny it.",
    ),
)
"""A name that does not exist works for nobody, whatever an answer leads to: down, not blocked."""


def _all_invent(facts: NameFacts) -> bool:
    return bool(facts.other_clear) and all(row.outcome is Outcome.OK for row, _ in facts.other_clear)


def _others_deny(facts: NameFacts) -> bool:
    return bool(facts.other_clear) and all(row.outcome is Outcome.NO_SUCH_NAME for row, _ in facts.other_clear)


GHOST_RULES: tuple[Rule[NameFacts], ...] = (
    Rule(
        id="srv.no_such_name.forged_only",
        when=lambda f: f.invented and _all_invent(f),
        pattern=Pattern.SRV_NO_SUCH_NAME,
        cause=Cause.OUTAGE,
        family=EvidenceFamily.CONTROL,
        level=C2,
        reason="Encrypted resolvers, which the network cannot rewrite, say that the name does not exist.",
    ),
)
"""Said beside what is said of the answer."""
