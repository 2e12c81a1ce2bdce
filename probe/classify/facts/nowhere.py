"""Questions to an address at which no resolver is: whoever answers them stands on the way.

Source: Anonymous et al., "Triplet Censors" (FOCI 2020): injectors answer whatever goes to port 53, resolver or not; an
intercepting network carries all of it to a resolver of its own. Only asked where the user names such an address. An
answer whose TTL is what senders begin with has crossed no router: who gave it stands in one's own network. So may
whoever is one router away; and where one's own resolver is at home, it may be that which answers in others' names.
"""

from collections.abc import Callable

import msgspec

from probe.classify.facts.answers import agrees
from probe.classify.facts.name_facts import NameFacts
from probe.classify.tries import Try, is_bogus, is_teredo
from probe.model.experiment import Design, NameKind
from probe.model.observation import DNSLookup, DNSReply, ReplyFit

NEUTRAL_ASKED = 3
"""Neutral names that must all go unanswered there: answers to some may have been lost."""
NEUTRAL_ANSWERED = 2
"""Neutral names that must be answered there: one may be a stray reply."""
FRESH_TTLS = (32, 64, 128, 255)
"""What senders begin with."""
ROUTERS_AT_HOME = 1
"""A second router behind one's own is common; who stands beyond it is no longer at home."""


class Nowhere(msgspec.Struct, frozen=True, kw_only=True):
    """What came back from where nobody is."""

    addresses: frozenset[str]
    """Given for the name."""
    denies: bool
    """The name was answered without an address."""
    neutral_asked: int
    neutral_answered: int
    ttls: frozenset[int]
    """Of the packets that answered, as far as the kernel says."""

    @property
    def answers_name(self) -> bool:
        """Tell whether the name was answered at all."""
        return bool(self.addresses) or self.denies

    @property
    def singles_out(self) -> bool:
        """Tell whether the name was answered and neutral names were not."""
        return self.answers_name and self.neutral_asked >= NEUTRAL_ASKED and not self.neutral_answered

    @property
    def answers_all(self) -> bool:
        """Tell whether neutral names are answered too: every question is carried to somebody's resolver."""
        return self.neutral_answered >= NEUTRAL_ANSWERED and self.answers_name

    @property
    def is_at_the_door(self) -> bool:
        """Tell whether an answer came from a device that no router stands before."""
        return any(_routers_crossed(ttl) == 0 for ttl in self.ttls)

    @property
    def is_afar(self) -> bool:
        """Tell whether all answers are known to come from beyond what routers a home has."""
        return bool(self.ttls) and all(_routers_crossed(ttl) > ROUTERS_AT_HOME for ttl in self.ttls)


def _routers_crossed(ttl: int) -> int:
    return min(fresh - ttl for fresh in FRESH_TTLS if fresh >= ttl)


def look_nowhere(names: NameFacts) -> Nowhere | None:
    """Return what questions to nobody brought; `None` = none was asked."""
    rows = [
        (row, row.observation)
        for row in names.table
        if row.experiment is not None
        and row.experiment.design is Design.NOWHERE
        and isinstance(row.observation, DNSLookup)
    ]
    if not rows:
        return None
    tests = [lookup for row, lookup in rows if row.kind is NameKind.TEST]
    neutral = [lookup for row, lookup in rows if row.kind is NameKind.NEUTRAL]
    replies = [reply for _, lookup in rows for reply in _ours(lookup)]
    given = frozenset(address for lookup in tests for address in lookup.addresses)
    return Nowhere(
        addresses=given,
        denies=not given and any(_ours(lookup) for lookup in tests),
        neutral_asked=sum(_was_sent(row, lookup) for row, lookup in rows if row.kind is NameKind.NEUTRAL),
        neutral_answered=sum(bool(_ours(lookup)) for lookup in neutral),
        ttls=frozenset(reply.ip_ttl for reply in replies if reply.ip_ttl is not None),
    )


def _ours(lookup: DNSLookup) -> list[DNSReply]:
    return [reply for reply in lookup.replies if reply.fit is ReplyFit.OURS]


def _was_sent(row: Try, lookup: DNSLookup) -> bool:
    return lookup.sends > 0 and row.outcome is not row.outcome.INSTRUMENT


def lies_nowhere(names: NameFacts) -> Nowhere | None:
    """Return what came from nobody, where it is false and our own answer is as well; else `None`."""
    found = look_nowhere(names)
    if found is None or not (names.disputed or names.denied) or not names.encrypted_knows:
        return None
    false = found.denies or (bool(found.addresses) and not agrees(found.addresses, names.truth))
    return found if false else None


def holds(kind: Callable[[str], bool]) -> Callable[[NameFacts, Nowhere], bool]:
    """Return whether all addresses that came from nobody are of this kind."""
    return lambda _, found: bool(found.addresses) and all(map(kind, found.addresses))


def is_of_pool(names: NameFacts, found: Nowhere) -> bool:
    """Tell whether one of them is of a known forged pool."""
    return bool(found.addresses & names.case.reference.forged_addresses)


CONTENTS: tuple[tuple[str, Callable[[NameFacts, Nowhere], bool]], ...] = (
    ("teredo", holds(is_teredo)),
    ("bogon", holds(is_bogus)),
    ("pool", is_of_pool),
    ("other", lambda _, found: found.answers_name),
)
"""Kinds of forged answers, the deepest that fits first."""
