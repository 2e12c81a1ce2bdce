"""The answers to a name, seen from one redirect hop: what our resolver said, what others said, what proved itself."""

import functools

from probe.classify.answers import agrees, comparable, contradict, replied, values_of
from probe.classify.case import Case
from probe.classify.forgery import find_proxies, find_two_faced, from_other_distance
from probe.classify.pages import fingerprint_of
from probe.classify.tries import ENCRYPTED, Layer, Outcome, Try, is_bogus, is_nobody, is_teredo
from probe.model.experiment import Design, NameKind
from probe.model.observation import DNSLookup, HTTPExchange, TLSHandshake, Transport
from probe.model.target import CheckName

CERTIFICATE_DATES = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""
LIES = frozenset({Outcome.NO_SUCH_NAME, Outcome.NO_ANSWER, Outcome.DNS_REFUSED, Outcome.SERVFAIL, Outcome.SILENT})


class NameFacts:
    """The lookups of one hop."""

    def __init__(self, case: Case, table: tuple[Try, ...], hop: int) -> None:
        self.case = case
        self.hop = hop
        self.table = tuple(row for row in table if row.hop == hop)
        question = case.target.params.get("type", "") if case.target.check is CheckName.DNS else ""
        self._types = (question,) if question else ("A", "AAAA")
        self._lookups = [
            (row, row.observation)
            for row in self.table
            if isinstance(row.observation, DNSLookup) and row.observation.query_type in ("A", "AAAA", question)
            and (row.experiment is None or row.experiment.design is not Design.NOWHERE)
        ]  # fmt: skip

    def lookups(
        self, *, transports: frozenset[Transport] | None = None, name: NameKind = NameKind.TEST
    ) -> list[tuple[Try, DNSLookup]]:
        """Return the lookups of this kind, of the name under test or of neutral ones."""
        asked = {lookup.name for _, lookup in self.own}
        return [
            (row, lookup)
            for row, lookup in self._lookups
            if row.kind is name
            and (name is not NameKind.TEST or lookup.name in asked or not asked)
            and (transports is None or lookup.resolver.transport in transports)
        ]

    def at_own(self, name: NameKind = NameKind.TEST) -> list[tuple[Try, DNSLookup]]:
        """Return the lookups at the resolver that the check itself asked."""
        own = {lookup.resolver.endpoint for _, lookup in self.own}
        return [(row, lookup) for row, lookup in self.lookups(name=name) if lookup.resolver.endpoint in own]

    @functools.cached_property
    def asked(self) -> bool:
        """Tell whether a name was looked up at all in this hop."""
        return bool(self.own)

    @functools.cached_property
    def own(self) -> list[tuple[Try, DNSLookup]]:
        """Return the check's own lookups: what an ordinary client of this network would have got."""
        checks = [
            (row, lookup)
            for row, lookup in self._lookups
            if row.experiment is None and lookup.query_type in self._types and not self._is_question(lookup)
        ]
        return [pair for pair in checks if not pair[0].measurement] or checks

    def _is_question(self, lookup: DNSLookup) -> bool:
        """Tell whether it is what an encrypted resolver under test was asked, not the way to that resolver."""
        return self.case.target.check in (CheckName.DOT, CheckName.DOH) and lookup.resolver.transport in ENCRYPTED

    @functools.cached_property
    def own_addresses(self) -> frozenset[str]:
        """Return the addresses that our own resolver gave."""
        return frozenset(address for _, lookup in self.own for address in lookup.addresses)

    @functools.cached_property
    def own_outcome(self) -> Outcome:
        """Return OK if any address came, else how the A question (or the only one) came out."""
        if self.own_addresses:
            return Outcome.OK
        rows = sorted(self.own, key=lambda pair: pair[1].query_type)
        return rows[0][0].outcome if rows else Outcome.OK

    @functools.cached_property
    def encrypted_all(self) -> list[tuple[Try, DNSLookup]]:
        """Return the answers by DoT and DoH that came at all."""
        return [
            p
            for p in self.lookups(transports=ENCRYPTED)
            if p[0].experiment is not None and p[0].outcome in LIES | {Outcome.OK} and replied(p[1])
        ]

    @functools.cached_property
    def encrypted(self) -> list[tuple[Try, DNSLookup]]:
        """Return those of them to questions that our own resolver was asked too."""
        types = {lookup.query_type for _, lookup in self.own}
        return [p for p in self.encrypted_all if p[1].query_type in types or not types]

    @functools.cached_property
    def encrypted_addresses(self) -> frozenset[str]:
        """Return all addresses that encrypted resolvers gave."""
        return frozenset(address for _, lookup in self.encrypted for address in lookup.addresses)

    @functools.cached_property
    def encrypted_knows(self) -> bool:
        """Tell whether an encrypted resolver gave what was asked for."""
        return any(values_of(lookup) for _, lookup in self.encrypted)

    @functools.cached_property
    def other_family_only(self) -> bool:
        """Tell whether the name has addresses, but none of the families that this network uses."""
        return not self.encrypted_knows and any(lookup.addresses for _, lookup in self.encrypted_all)

    @functools.cached_property
    def other_clear(self) -> list[tuple[Try, DNSLookup]]:
        """Return the answers in the clear of resolvers other than our own."""
        own = {lookup.resolver.endpoint for _, lookup in self.own}
        clear = self.lookups(transports=frozenset({Transport.UDP, Transport.TCP}))
        return [p for p in clear if p[0].experiment is not None and p[1].resolver.endpoint not in own and replied(p[1])]

    def encrypted_deny(self, outcome: Outcome) -> int:
        """Return how many encrypted resolvers answered like this, when none knew the name."""
        if self.encrypted_knows or self.other_family_only:
            return 0
        return len({str(lookup.resolver) for row, lookup in self.encrypted if row.outcome is outcome})

    @functools.cached_property
    def both_families_denied(self) -> bool:
        """Tell whether encrypted resolvers were asked for both families, and gave neither."""
        types = {lookup.query_type for _, lookup in self.encrypted_all}
        return {"A", "AAAA"} <= types and not any(lookup.addresses for _, lookup in self.encrypted_all)

    @functools.cached_property
    def validated(self) -> frozenset[str]:
        """Return the addresses that showed a valid certificate for the name: they belong to it, whoever answered.

        Except for those that show everybody's: a proxy hands on the certificate of whatever site it is asked for.
        """
        shown = frozenset(
            row.address
            for row in self.table
            if isinstance(row.observation, TLSHandshake) and row.kind is NameKind.TEST and row.observation.verified
        )
        return shown - self.proxies

    @functools.cached_property
    def proxies(self) -> frozenset[str]:
        """Return the addresses given to us that serve unrelated sites as well, and that no encrypted resolver gives."""
        return find_proxies(self.table, self.own_addresses, self.encrypted_addresses)

    @functools.cached_property
    def differs(self) -> bool:
        """Tell whether no encrypted resolver gives what ours does, nor anything of its AS; a CDN may do that too."""
        ours, theirs = self.own_addresses, self.encrypted_addresses
        return comparable(ours, theirs) and not agrees(ours, theirs) and not self._share_asn

    @functools.cached_property
    def invented(self) -> bool:
        """Tell whether our resolver gives a public address for a name that encrypted ones say does not exist."""
        denied = self.encrypted_deny(Outcome.NO_SUCH_NAME) >= 2
        return denied and bool(self.own_addresses) and not any(map(is_bogus, self.own_addresses)) and not self.validated

    @functools.cached_property
    def leads_nowhere(self) -> bool:
        """Tell whether two encrypted resolvers give what ours does, and all of it is this host itself or nobody."""
        alike = {str(o.resolver) for _, o in self.encrypted if frozenset(o.addresses) & self.own_addresses}
        every = self.own_addresses | self.encrypted_addresses
        return len(alike) >= 2 and all(map(is_nobody, every))

    @functools.cached_property
    def two_faced(self) -> frozenset[str]:
        """Return the servers that say one thing in private, and always another in the clear."""
        return find_two_faced(self.lookups(), self.truth)

    @functools.cached_property
    def forged_afar(self) -> bool:
        """Tell whether our resolver's replies about the name come from elsewhere than those about neutral names."""
        neutral = [lookup for _, lookup in self.at_own(NameKind.NEUTRAL)]
        return from_other_distance([lookup for _, lookup in self.at_own()], neutral)

    @functools.cached_property
    def lands_on_block_page(self) -> bool:
        """Tell whether what an address given to us sent in the clear reads like a block page."""
        pages = (r.observation for r in self.table if r.experiment is None and r.address in self.own_addresses)
        clear = (page for page in pages if isinstance(page, HTTPExchange) and not page.secure and page.status)
        return any(fingerprint_of(self.case, page) is not None for page in clear)

    @functools.cached_property
    def none_works(self) -> bool:
        """Tell whether no address that we were given got as far as a certificate of the name, or a page."""
        return not any(
            row.experiment is None
            and row.outcome is Outcome.OK
            and (row.layer is Layer.TLS or row.layer is Layer.HTTP)
            and row.address in self.own_addresses
            for row in self.table
        )

    @functools.cached_property
    def refuted(self) -> frozenset[str]:
        """Return the addresses that showed another certificate; one that is only out of date refutes nothing."""
        shown = {
            row.address
            for row in self.table
            if isinstance(row.observation, TLSHandshake)
            and row.kind is NameKind.TEST
            and row.outcome is Outcome.UNTRUSTED
            and row.observation.verify_code not in CERTIFICATE_DATES
        }
        return frozenset(shown) - self.validated

    @functools.cached_property
    def truth(self) -> frozenset[str]:
        """Return the addresses that are the name's: by encrypted DNS, or by their certificate."""
        return self.validated | self.encrypted_addresses

    @functools.cached_property
    def agree(self) -> bool:
        """Tell whether our answer is confirmed: one address is valid, or encrypted answers share it or its AS."""
        return agrees(self.own_addresses, self.truth) or (self._share_asn and not self.proxies)

    @property
    def _share_asn(self) -> bool:
        own_asns = {asn for _, lookup in self.own for asn in lookup.asns if asn}
        encrypted_asns = {asn for _, lookup in self.encrypted for asn in lookup.asns if asn}
        return bool(own_asns & encrypted_asns)

    @functools.cached_property
    def disputed(self) -> bool:
        """Tell whether encrypted resolvers gave addresses of the same family as ours, and none of ours."""
        return comparable(self.own_addresses, self.encrypted_addresses) and not self.agree

    @functools.cached_property
    def denied(self) -> bool:
        """Tell whether our resolver gave nothing for a name that encrypted resolvers know."""
        return self.own_outcome in LIES and self.encrypted_knows

    @functools.cached_property
    def truth_shown(self) -> bool:
        """Tell whether an address that we were not given proved to be the name's."""
        return bool(self.validated - self.own_addresses)

    @functools.cached_property
    def conflicting(self) -> bool:
        """Tell whether one question, sent once, got answers that exclude each other."""
        return any(contradict(lookup) for _, lookup in self.lookups())

    @functools.cached_property
    def resolver_outside(self) -> bool:
        """Tell whether our resolver stands outside our own network: a private or shared address is inside it."""
        endpoints = [lookup.resolver.endpoint for _, lookup in self.own if lookup.resolver.endpoint]
        return bool(endpoints) and not any(is_bogus(endpoint.address) for endpoint in endpoints)

    @functools.cached_property
    def settles(self) -> bool:
        """Tell whether an answer counts: our resolver is outside our network, and answers neutral names cleanly."""
        return self.resolver_outside and self.neutral_clean

    @functools.cached_property
    def own_is_system(self) -> bool:
        """Tell whether the check asked this host's own nameservers, not one that the target names."""
        return all(lookup.resolver.system for _, lookup in self.own)

    @functools.cached_property
    def neutral_clean(self) -> bool:
        """Tell whether the same resolver answered three neutral questions, with addresses of the public Internet.

        A question that was lost says nothing; another is asked in its place.
        """
        rows = [pair for pair in self.at_own(NameKind.NEUTRAL) if pair[0].outcome is not Outcome.SILENT]
        good = [
            lookup for row, lookup in rows if row.outcome is Outcome.OK and not all(map(is_bogus, lookup.addresses))
        ]
        return len(good) >= 3 and len(good) == len(rows)

    @functools.cached_property
    def neutral_fails(self) -> bool:
        """Tell whether the same resolver fails neutral questions too."""
        rows = self.at_own(NameKind.NEUTRAL)
        return len(rows) >= 2 and all(row.outcome is not Outcome.OK for row, _ in rows)

    @functools.cached_property
    def others_clean(self) -> bool:
        """Tell whether another resolver, asked in the clear, gives what the encrypted ones give."""
        return any(agrees(frozenset(lookup.addresses), self.truth) for _, lookup in self.other_clear)

    @functools.cached_property
    def others_lie(self) -> bool:
        """Tell whether resolvers that have nothing to do with ours give none of what the encrypted ones give."""
        return bool(self.other_clear) and not self.others_clean

    @functools.cached_property
    def contradicts_itself(self) -> bool:
        """Tell whether one and the same server denies in the clear what it gives when asked in private."""
        private = {o.resolver.endpoint.address for _, o in self.encrypted if o.resolver.endpoint and values_of(o)}
        return any(
            lookup.resolver.endpoint.address in private and not agrees(frozenset(values_of(lookup)), self.truth)
            for row, lookup in self.lookups(transports=frozenset({Transport.UDP}))
            if row.experiment is not None
            and lookup.resolver.endpoint is not None
            and row.outcome in LIES | {Outcome.OK}
        )

    @functools.cached_property
    def persists(self) -> bool:
        """Tell whether our resolver said it again, and never the truth: one odd answer may be a passing portal's."""
        again = [(r, o) for r, o in self.at_own() if r.experiment is not None and r.experiment.design is Design.REPEAT]
        if any(values_of(lookup) and agrees(frozenset(values_of(lookup)), self.truth) for _, lookup in again):
            return False
        if self.unmet_answer:
            return any(_strange(lookup, self._expected) for _, lookup in again)
        if self.own_addresses:
            return any(lookup.addresses for _, lookup in again)
        return any(row.outcome is self.own_outcome for row, _ in again)

    @functools.cached_property
    def same_everywhere(self) -> bool:
        """Tell whether resolvers that have nothing to do with ours give the very addresses that ours gave."""
        return any(frozenset(lookup.addresses) & self.own_addresses for _, lookup in self.other_clear)

    @functools.cached_property
    def bogon(self) -> bool:
        """Tell whether all that we were given is no public address, while encrypted resolvers give one."""
        return bool(self.own_addresses) and all(map(is_bogus, self.own_addresses)) and not self._encrypted_bogus

    @functools.cached_property
    def teredo(self) -> bool:
        """Tell whether a Teredo address was given, as some injectors answer AAAA questions."""
        return any(map(is_teredo, self.own_addresses)) and not any(map(is_teredo, self.encrypted_addresses))

    @functools.cached_property
    def pool(self) -> bool:
        """Tell whether an address is of a known forged pool and no encrypted resolver gives it."""
        forged = self.own_addresses & self.case.reference.forged_addresses
        return bool(forged - self.encrypted_addresses - self.validated)

    @functools.cached_property
    def sinkhole(self) -> bool:
        """Tell whether the answer is the null address, as filters on one's own network give it."""
        return bool(self.own_addresses) and self.own_addresses <= {"0.0.0.0", "::"}

    @property
    def _encrypted_bogus(self) -> bool:
        return bool(self.encrypted_addresses) and all(map(is_bogus, self.encrypted_addresses))

    @property
    def suspicious(self) -> bool:
        """Tell whether our own lookup looks wrong by itself, before anybody else is asked."""
        return (
            self.own_outcome is not Outcome.OK
            or self.conflicting
            or self.unmet_answer
            or (bool(self.own_addresses) and all(map(is_bogus, self.own_addresses)))
            or any(map(is_teredo, self.own_addresses))
            or bool(self.own_addresses & self.case.reference.forged_addresses)
        )

    def transactions(self) -> tuple[int, ...]:
        """Return the lookups of this hop that belong to this measurement."""
        return tuple(row.transaction for row, _ in self._lookups if not row.measurement)

    def failures(self) -> int:
        """Return how many of our own resolver's lookups came out like the check's own; A and AAAA are one try."""
        first = min((lookup.query_type for _, lookup in self.own), default="A")
        return len([1 for row, o in self.at_own() if row.outcome is self.own_outcome and o.query_type == first])

    @functools.cached_property
    def unmet_answer(self) -> bool:
        """Tell whether a DNS target's answer has what the user did not list."""
        return bool(self._expected) and any(_strange(lookup, self._expected) for _, lookup in self.own)

    @functools.cached_property
    def expected_by_others(self) -> bool:
        """Tell whether another resolver, asked in the clear, gives what the user expects."""
        return any(values_of(o) and not _strange(o, self._expected) for _, o in self.other_clear)

    def encrypted_as_expected(self, *, met: bool) -> int:
        """Return how many encrypted resolvers give what the user expects, or something else."""
        known = [lookup for _, lookup in self.encrypted if values_of(lookup)]
        return len({str(o.resolver) for o in known if _strange(o, self._expected) is not met})

    @property
    def _expected(self) -> tuple[str, ...]:
        expect = self.case.target.expect
        return expect.answer if expect is not None and self.case.target.check is CheckName.DNS else ()

    @property
    def neutral_lost(self) -> int:
        """Return how many neutral questions the same resolver left unanswered."""
        return len([1 for row, _ in self.at_own(NameKind.NEUTRAL) if row.outcome is Outcome.SILENT])

    @property
    def neutral_good(self) -> int:
        """Return how many neutral questions the same resolver answered well."""
        return len([1 for row, _ in self.at_own(NameKind.NEUTRAL) if row.outcome is Outcome.OK])


def _strange(lookup: DNSLookup, expected: tuple[str, ...]) -> bool:
    return any(value not in expected for value in values_of(lookup))
