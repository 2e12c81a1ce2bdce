"""Hold what was said against what is so: exact, careful, missed or wrong. Pure."""

from enum import StrEnum

import msgspec

from probe.lab.scenarios.model import Truth
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Status

ACCUSING = (Status.BLOCKED, Status.LIKELY_BLOCKED)
MODEST = (Status.IMPAIRED, Status.INSUFFICIENT)


class Grade(StrEnum):
    """How good an answer is."""

    EXACT = "exact"
    CAREFUL = "careful"
    """Less than is so, and nothing that is not."""
    MISSED = "missed"
    """What is wrong went unseen."""
    WRONG = "wrong"


class Cited(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier run that an answer leans on."""

    age_s: float
    runtime_s: float = 0.0


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of an answer that are graded; read from what `check --json` prints."""

    status: Status
    cause: Cause
    patterns: tuple[Pattern, ...] = ()
    runtime_s: float = 0.0
    """Of the run that gave the answer: the last one."""
    cites: tuple[Cited, ...] = ()
    """The runs before it, the first one first; the answer rests on all of them."""

    @property
    def first_s(self) -> float:
        """Return the seconds from the start to the first verdict."""
        return self.cites[0].runtime_s if self.cites else self.runtime_s

    @property
    def final_s(self) -> float:
        """Return the seconds from the start to this answer, waiting included."""
        return self.runtime_s + (self.cites[0].age_s if self.cites else 0.0)


def grade(truth: Truth, said: Said, *, outside: bool = False) -> tuple[Grade, str]:
    """Return the grade, and why it is not better; `outside` = there was an outside view to ask."""
    accused = said.cause is Cause.NETWORK and said.status in (*ACCUSING, Status.DEGRADED)
    if accused and truth.cause is not Cause.NETWORK:
        return Grade.WRONG, f"accuses the network, and the cause is {truth.cause.value}"
    if said.status is Status.OK and not truth.status.reachable:
        return Grade.MISSED, f"says ok of what is {truth.status.value}"
    if said.status.reachable != truth.status.reachable and said.status not in MODEST:
        return Grade.WRONG, f"says {said.status.value} of what is {truth.status.value}"
    if said.cause not in (truth.cause, Cause.UNKNOWN, Cause.NONE) and said.status is not Status.INSUFFICIENT:
        return Grade.WRONG, f"blames {said.cause.value}, and the cause is {truth.cause.value}"
    if truth.status is Status.DEGRADED and said.status is Status.OK:
        return Grade.MISSED, "what is wrong with it went unseen"
    wanted = strongest(truth, outside=outside)
    if said.status not in (wanted, truth.status):
        return Grade.CAREFUL, f"says {said.status.value}; {wanted.value} could be said"
    # Where nothing more can be said from here, a symptom is all that can be named, and several causes share it.
    if said.status not in MODEST and not names_one_of(said.patterns, (*truth.patterns, *truth.seen)):
        named = ", ".join(p.value for p in said.patterns) or "nothing"
        return Grade.CAREFUL, f"names {named}; it is {', '.join(p.value for p in truth.patterns) or 'nothing'}"
    return Grade.EXACT, ""


def strongest(truth: Truth, *, outside: bool) -> Status:
    """Return the strongest status that can be said with the means at hand."""
    return (truth.outside if outside else truth.local) or truth.status


def names_one_of(said: tuple[Pattern, ...], true: tuple[Pattern, ...]) -> bool:
    """Tell whether the first pattern said is a true one, or an inner node above one; nothing fits nothing."""
    if not said or not true:
        return not true or not said
    return any(said[0].value in pattern.ancestors for pattern in true)


class Hierarchy(msgspec.Struct, frozen=True, kw_only=True):
    """Precision and recall of patterns over ancestor sets (Kiritchenko et al. 2005); `None` = nothing to count."""

    precision: float | None
    recall: float | None


def compare_patterns(pairs: list[tuple[Truth, Said]]) -> Hierarchy:
    """Return the hierarchical precision of what was named and recall of what is so, over all answers.

    An answer is held against the pattern that it comes nearest to, of those that are so or look so from here.
    """
    named = true = both = 0
    for truth, said in pairs:
        ours = {node for pattern in said.patterns[:1] for node in pattern.ancestors}
        candidates = [set(pattern.ancestors) for pattern in (*truth.patterns, *truth.seen)]
        nearest = max(candidates, key=lambda nodes: len(nodes & ours), default=set())
        named += len(ours)
        true += len(nearest)
        both += len(nearest & ours)
    return Hierarchy(precision=both / named if named else None, recall=both / true if true else None)
