"""What a rule is: a row with a reason. A rule names a pattern, a cause and its evidence family, never a status."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, EvidenceFamily

F = TypeVar("F")
C0, C1, C2, C3 = Confidence.C0, Confidence.C1, Confidence.C2, Confidence.C3


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Rule(Generic[F]):
    """One row. Order matters: the first that fires in a layer speaks for it."""

    id: str
    """Dotted and for ever; a new meaning is a new id and a raised `RULES_VERSION`."""
    when: Callable[[F], bool]
    pattern: Pattern | None
    cause: Cause
    family: EvidenceFamily
    reason: str
    """One sentence for a reader."""
    level: Callable[[F], Confidence] | Confidence = C1
    """Confidence of the evidence alone; two families may raise the verdict's."""
    family_of: Callable[[F], EvidenceFamily] | None = None
    """Set where who looked decides: a control's server is B, a tunnel C."""
    usable: bool = False
    """The path works in spite of it."""
    interferes: bool = False
    """The path works, and is interfered with all the same."""
    measured: Callable[[F], str] | None = None
    """What the facts say in figures, a sentence that follows the reason."""

    def explain(self, facts: F) -> str:
        """Return the reason, with the figures where there are any."""
        figures = "" if self.measured is None else self.measured(facts)
        return f"{self.reason} {figures}".rstrip()

    def method(self, facts: F) -> EvidenceFamily:
        """Return the family of the evidence, given the facts."""
        return self.family if self.family_of is None else self.family_of(facts)

    def confidence(self, facts: F) -> Confidence:
        """Return how sure the evidence is, given the facts."""
        return self.level if isinstance(self.level, Confidence) else self.level(facts)


@dataclasses.dataclass(frozen=True, slots=True)
class Section(Generic[F]):
    """Rules that share a condition: where it does not hold none of them can fire, so none of them is asked."""

    given: Callable[[F], bool]
    """Follows from each rule's own `when`; it says nothing that they do not."""
    rules: tuple[Rule[F], ...]
    of_hop: bool = False
    """The condition is the same for all paths of a hop that broke in one layer, and for all that work."""


def first_rule(rules: Iterable[Rule[F]], facts: F) -> Rule[F] | None:
    """Return the first rule that fires; `None` = none does."""
    for rule in rules:
        if rule.when(facts):
            return rule
    return None


def first_in(sections: Iterable[Section[F]], facts: F) -> Rule[F] | None:
    """Return the first rule that fires in the sections whose condition holds; `None` = none does."""
    for section in sections:
        if section.given(facts):
            rule = first_rule(section.rules, facts)
            if rule is not None:
                return rule
    return None
