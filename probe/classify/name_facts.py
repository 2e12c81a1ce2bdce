"""The answers to a name, seen from one redirect hop: what our resolver said, what others said, what proved itself."""

import functools

from probe.classify.case import Case
from probe.classify.tries import ENCRYPTED, Outcome, Try, is_bogus, is_private, is_teredo
from probe.model.experiment import NameKind
from probe.model.observation import DNSLookup, ReplyFit, TLSHandshake, Transport

LIES = frozenset({Outcome.NO_SUCH_NAME, Outcome.NO_ANSWER, Outcome.DNS_REFUSED, Outcome.SERVFAIL, Outcome.SILENT})


class NameFacts:
    """The lookups of one hop."""

    def __init__(self, case: Case, table: tuple[Try, ...], hop: int) -> None:
        self.case = case
        self.hop = hop
        self.table = tuple(row for row in table if row.hop == hop)
        self._lookups = [
            (row, row.observation)
            for row in self.table
            if isinstance(row.observation, DNSLookup) and row.observation.query_type in ("A", "AAAA")
        ]

    def lookups(
        self,
        *,
        system: bool | None = None,
        transports: frozenset[Transport] | None = None,
        name: NameKind = NameKind.TEST,
    ) -> list[tuple[Try, DNSLookup]]:
        """Return the lookups of this kind, address queries only."""
        return [
            (row, lookup)
            for row, lookup in self._lookups
            if row.kind is name
            and (system is None or lookup.resolver.system is system)
            and (transports is None or lookup.resolver.transport in transports)
        ]

    @functools.cached_property
    def asked(self) -> bool:
        """Tell whether a name was looked up at all in this hop."""
        return bool(self.own)

    @functools.cached_property
    def own(self) -> list[tuple[Try, DNSLookup]]:
        """Return the check's own lookups: what an ordinary client of this network would have got."""
        checks = [(row, lookup) for row, lookup in self._lookups if row.experiment is None]
        return [pair for pair in checks if not pair[0].measurement] or checks

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
    def encrypted(self) -> list[tuple[Try, DNSLookup]]:
        """Return the answers by DoT and DoH that came at all."""
        return [p for p in self.lookups(transports=ENCRYPTED) if p[0].outcome in LIES | {Outcome.OK} and _replied(p[1])]

    @functools.cached_property
    def encrypted_addresses(self) -> frozenset[str]:
        """Return all addresses that encrypted resolvers gave."""
        return frozenset(address for _, lookup in self.encrypted for address in lookup.addresses)

    @functools.cached_property
    def other_udp(self) -> list[tuple[Try, DNSLookup]]:
        """Return the answers in the clear of resolvers other than our own."""
        return [
            p
            for p in self.lookups(system=False, transports=frozenset({Transport.UDP, Transport.TCP}))
            if _replied(p[1])
        ]

    def encrypted_deny(self, outcome: Outcome) -> int:
        """Return how many encrypted resolvers answered like this, when none gave an address."""
        if self.encrypted_addresses:
            return 0
        return len({str(lookup.resolver) for row, lookup in self.encrypted if row.outcome is outcome})

    @functools.cached_property
    def validated(self) -> frozenset[str]:
        """Return the addresses that showed a valid certificate for the name: they belong to it, whoever answered."""
        return frozenset(
            row.address
            for row in self.table
            if isinstance(row.observation, TLSHandshake) and row.kind is NameKind.TEST and row.observation.verified
        )

    @functools.cached_property
    def refuted(self) -> frozenset[str]:
        """Return the addresses that answered in TLS and showed no valid certificate for the name."""
        shown = {
            row.address
            for row in self.table
            if isinstance(row.observation, TLSHandshake)
            and row.kind is NameKind.TEST
            and row.outcome is Outcome.UNTRUSTED
        }
        return frozenset(shown) - self.validated

    @functools.cached_property
    def agree(self) -> bool:
        """Tell whether our answer is confirmed: one address is valid, or encrypted answers share it or its AS."""
        if self.own_addresses & (self.validated | self.encrypted_addresses):
            return True
        own_asns = {asn for _, lookup in self.own for asn in lookup.asns if asn}
        encrypted_asns = {asn for _, lookup in self.encrypted for asn in lookup.asns if asn}
        return bool(own_asns & encrypted_asns)

    @functools.cached_property
    def disputed(self) -> bool:
        """Tell whether encrypted resolvers gave addresses, and none of ours."""
        return bool(self.own_addresses) and bool(self.encrypted_addresses) and not self.agree

    @functools.cached_property
    def denied(self) -> bool:
        """Tell whether our resolver gave nothing for a name that encrypted resolvers know."""
        return self.own_outcome in LIES and bool(self.encrypted_addresses)

    @functools.cached_property
    def truth_shown(self) -> bool:
        """Tell whether an address that we were not given proved to be the name's."""
        return bool(self.validated - self.own_addresses)

    @functools.cached_property
    def conflicting(self) -> bool:
        """Tell whether one question, sent once, got answers that exclude each other."""
        return any(_conflict(lookup) for _, lookup in self.lookups(system=True) + self.lookups(system=False))

    @functools.cached_property
    def resolver_outside(self) -> bool:
        """Tell whether our resolver stands outside our own network."""
        endpoints = [lookup.resolver.endpoint for _, lookup in self.own if lookup.resolver.endpoint]
        return bool(endpoints) and not any(is_private(endpoint.address) for endpoint in endpoints)

    @functools.cached_property
    def neutral_clean(self) -> bool:
        """Tell whether the same resolver answered three neutral questions, with addresses of the public Internet."""
        rows = self.lookups(system=True, name=NameKind.NEUTRAL)
        good = [
            lookup for row, lookup in rows if row.outcome is Outcome.OK and not all(map(is_bogus, lookup.addresses))
        ]
        return len(good) >= 3 and len(good) == len(rows)

    @functools.cached_property
    def neutral_fails(self) -> bool:
        """Tell whether the same resolver fails neutral questions too."""
        rows = self.lookups(system=True, name=NameKind.NEUTRAL)
        return len(rows) >= 2 and all(row.outcome is not Outcome.OK for row, _ in rows)

    @functools.cached_property
    def others_clean(self) -> bool:
        """Tell whether another resolver, asked in the clear, gives what the encrypted ones give."""
        truth = self.encrypted_addresses | self.validated
        return any(frozenset(lookup.addresses) & truth for _, lookup in self.other_udp)

    @functools.cached_property
    def others_lie(self) -> bool:
        """Tell whether resolvers that have nothing to do with ours give none of what the encrypted ones give."""
        truth = self.encrypted_addresses | self.validated
        return bool(self.other_udp) and not any(frozenset(o.addresses) & truth for _, o in self.other_udp)

    @functools.cached_property
    def same_everywhere(self) -> bool:
        """Tell whether resolvers that have nothing to do with ours give the very addresses that ours gave."""
        return any(frozenset(lookup.addresses) & self.own_addresses for _, lookup in self.other_udp)

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
            or (bool(self.own_addresses) and all(map(is_bogus, self.own_addresses)))
            or any(map(is_teredo, self.own_addresses))
            or bool(self.own_addresses & self.case.reference.forged_addresses)
        )

    def transactions(self) -> tuple[int, ...]:
        """Return the lookups of this hop that belong to this measurement."""
        return tuple(row.transaction for row, _ in self._lookups if not row.measurement)

    def failures(self, *, name: NameKind = NameKind.TEST) -> int:
        """Return how many of our own resolver's lookups came out like the check's own."""
        return len([1 for row, _ in self.lookups(system=True, name=name) if row.outcome is self.own_outcome])

    @property
    def neutral_good(self) -> int:
        """Return how many neutral questions the same resolver answered well."""
        return len([1 for row, _ in self.lookups(system=True, name=NameKind.NEUTRAL) if row.outcome is Outcome.OK])


def _replied(lookup: DNSLookup) -> bool:
    return any(reply.fit is ReplyFit.OURS for reply in lookup.replies)


def _conflict(lookup: DNSLookup) -> bool:
    if lookup.sends != 1 or lookup.resolver.transport is not Transport.UDP:
        return False
    ours = [reply for reply in lookup.replies if reply.fit is ReplyFit.OURS]
    sets = [frozenset(a.value for a in reply.answers if a.type in ("A", "AAAA")) for reply in ours]
    return any(not (first & later) and (first or later) for i, first in enumerate(sets) for later in sets[i + 1 :])
