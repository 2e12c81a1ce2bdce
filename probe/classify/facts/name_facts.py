"""What the answers to a name come to, in one redirect hop: do they agree, which is proven, what gives a lie away."""

import functools

from probe.classify.facts.answers import agrees, comparable, contradict, values_of
from probe.classify.facts.forgery import find_proxies, find_two_faced, from_other_distance
from probe.classify.facts.name_lookups import LIES, NameLookups
from probe.classify.tries import Layer, Outcome, is_bogus, is_nobody, is_teredo
from probe.model.experiment import Design, NameKind
from probe.model.observation import DNSLookup, TLSHandshake, Transport
from probe.model.target import CheckName

CERTIFICATE_DATES = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


class NameFacts(NameLookups):
    """The verbs that rules about a name ask."""

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
        return self.encrypted_deny(Outcome.NO_SUCH_NAME) >= 2 and self.gives_unproven

    @property
    def gives_unproven(self) -> bool:
        """Tell whether all that our resolver gives is public addresses which no certificate proves to be the name's."""
        return bool(self.own_addresses) and not any(map(is_bogus, self.own_addresses)) and not self.validated

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
    def settles(self) -> bool:
        """Tell whether an answer counts: our resolver is outside our network, and answers neutral names cleanly."""
        return self.resolver_outside and self.neutral_clean

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


def _strange(lookup: DNSLookup, expected: tuple[str, ...]) -> bool:
    return any(value not in expected for value in values_of(lookup))
