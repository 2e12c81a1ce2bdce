"""Who was asked for a name in one redirect hop, and what each said: our own resolver, encrypted ones, others."""

import functools

from probe.classify.case import Case
from probe.classify.facts.answers import replied, values_of
from probe.classify.tries import ENCRYPTED, Outcome, Try, is_bogus
from probe.model.experiment import Design, NameKind
from probe.model.observation import DNSLookup, Transport
from probe.model.target import CheckName

LIES = frozenset({Outcome.NO_SUCH_NAME, Outcome.NO_ANSWER, Outcome.DNS_REFUSED, Outcome.SERVFAIL, Outcome.SILENT})
"""How a lookup ends that gives no address, though nothing broke on our side."""


class NameLookups:
    """The lookups of one hop, arranged by who was asked."""

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
    def own_is_system(self) -> bool:
        """Tell whether the check asked this host's own nameservers, not one that the target names."""
        return all(lookup.resolver.system for _, lookup in self.own)

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

    def encrypted_deny(self, outcome: Outcome) -> int:
        """Return how many encrypted resolvers answered like this, when none knew the name."""
        if self.encrypted_knows or self.other_family_only:
            return 0
        return len({str(lookup.resolver) for row, lookup in self.encrypted if row.outcome is outcome})

    @functools.cached_property
    def other_family_only(self) -> bool:
        """Tell whether the name has addresses, but none of the families that this network uses."""
        return not self.encrypted_knows and any(lookup.addresses for _, lookup in self.encrypted_all)

    @functools.cached_property
    def both_families_denied(self) -> bool:
        """Tell whether encrypted resolvers were asked for both families, and gave neither."""
        types = {lookup.query_type for _, lookup in self.encrypted_all}
        return {"A", "AAAA"} <= types and not any(lookup.addresses for _, lookup in self.encrypted_all)

    @functools.cached_property
    def other_clear(self) -> list[tuple[Try, DNSLookup]]:
        """Return the answers in the clear of resolvers other than our own."""
        own = {lookup.resolver.endpoint for _, lookup in self.own}
        clear = self.lookups(transports=frozenset({Transport.UDP, Transport.TCP}))
        return [p for p in clear if p[0].experiment is not None and p[1].resolver.endpoint not in own and replied(p[1])]

    @functools.cached_property
    def resolver_outside(self) -> bool:
        """Tell whether our resolver stands outside our own network: a private or shared address is inside it."""
        endpoints = [lookup.resolver.endpoint for _, lookup in self.own if lookup.resolver.endpoint]
        return bool(endpoints) and not any(is_bogus(endpoint.address) for endpoint in endpoints)

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

    @property
    def neutral_lost(self) -> int:
        """Return how many neutral questions the same resolver left unanswered."""
        return len([1 for row, _ in self.at_own(NameKind.NEUTRAL) if row.outcome is Outcome.SILENT])

    @property
    def neutral_good(self) -> int:
        """Return how many neutral questions the same resolver answered well."""
        return len([1 for row, _ in self.at_own(NameKind.NEUTRAL) if row.outcome is Outcome.OK])

    def transactions(self) -> tuple[int, ...]:
        """Return the lookups of this hop that belong to this measurement."""
        return tuple(row.transaction for row, _ in self._lookups if not row.measurement)

    def failures(self) -> int:
        """Return how many of our own resolver's lookups came out like the check's own; A and AAAA are one try."""
        first = min((lookup.query_type for _, lookup in self.own), default="A")
        return len([1 for row, o in self.at_own() if row.outcome is self.own_outcome and o.query_type == first])
