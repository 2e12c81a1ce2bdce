"""The answers for one family of addresses alone, where a name has both and only one of them looks forged.

Some filters answer A questions and let AAAA pass, or the other way round. What our resolver gave for the other family
is then the site's own, and whoever uses it gets through: the name is not forged as a whole (CONTRACT section 1, a
family is interfered with).
"""

from probe.classify.case import Case
from probe.classify.facts.name_facts import NameFacts
from probe.classify.tries import Try
from probe.model.experiment import NameKind

FAMILY_OF = {"A": 4, "AAAA": 6}


class FamilyNames(NameFacts):
    """The lookups of one hop and of one type; neutral names stay, whatever their type."""

    def __init__(self, case: Case, table: tuple[Try, ...], hop: int, query_type: str) -> None:
        super().__init__(case, table, hop)
        self.query_type = query_type
        self._types = (query_type,)
        self._lookups = [
            (row, lookup)
            for row, lookup in self._lookups
            if row.kind is not NameKind.TEST or lookup.query_type == query_type
        ]

    @property
    def family(self) -> int:
        """Return the family of addresses that was asked for."""
        return FAMILY_OF[self.query_type]


def find_odd_family(names: NameFacts, table: tuple[Try, ...]) -> FamilyNames | None:
    """Return the family whose answer alone looks forged; `None` = neither does, or both do, or there is one only."""
    types = {lookup.query_type for _, lookup in names.own if lookup.addresses}
    if types != set(FAMILY_OF):
        return None
    each = [FamilyNames(names.case, table, names.hop, query_type) for query_type in FAMILY_OF]
    odd = [family for family in each if family.suspicious]
    return odd[0] if len(odd) == 1 else None
