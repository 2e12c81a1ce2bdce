"""What many graded answers come to: the figures by which two versions are compared. Pure.

Source: hierarchical precision and recall as in Kiritchenko et al. 2005, micro-averaged over ancestor sets.
"""

import statistics

import msgspec

from probe.lab.exam.grade import ACCUSING, MODEST, Grade, Said, compare_patterns, strongest
from probe.lab.scenarios.model import Truth
from probe.model.verdict import Cause, Status

FINAL_S = 420.0
"""CONTRACT section 4 allows the final verdict so long, in the field."""
COOL_DOWN_LONGER_S, ROUND_LONGER_S = 200.0 - 3.0, 30.0 - 3.0
"""By so much cool-downs and rounds of the field (CONTRACT sections 2 and 4) are longer than the lab's, see `agent`."""


def longest_in_the_field_s(said: Said) -> float:
    """Return how long the final verdict would take outside the lab at most.

    Only what the first run leaves may wait for a cold place; a late run waits for a round, and may hold one within it.
    One that times how long a place stays dead takes up to another cool-down: then no round begins after it, see
    `pipeline.later.is_in_time`.
    """
    rounds = len(said.cites)
    return said.final_s + (COOL_DOWN_LONGER_S if rounds else 0.0) + max(0, 2 * rounds - 1) * ROUND_LONGER_S


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario's answer and its grade."""

    scenario: str
    truth: Truth
    said: Said
    grade: Grade
    why: str
    """Why the grade is not better; empty if it is the best."""
    wall_s: float
    """From the start of the program to its end."""
    reasons: tuple[str, ...] = ()
    """The evidence that was given."""

    @property
    def accuses_falsely(self) -> bool:
        """Tell whether the network is accused of what is not its doing: the worst error."""
        accused = self.said.status in ACCUSING or (
            self.said.status is Status.DEGRADED and self.said.cause is Cause.NETWORK
        )
        return accused and self.truth.cause is not Cause.NETWORK

    @property
    def is_careful_on_clean(self) -> bool:
        """Tell whether a doubt was raised where nothing is wrong."""
        return self.truth.status is Status.OK and self.said.status in MODEST

    @property
    def names_astray(self) -> bool:
        """Tell whether the pattern named lies beside every one that is so, or looks so from here."""
        precision = compare_patterns([(self.truth, self.said)]).precision
        return precision is not None and precision < 1


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """How often one status was said of what is another."""

    true: Status
    said: Status
    times: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """A whole score in numbers; a ratio is `None` where there is nothing to count."""

    scenarios: int
    exact: int
    careful: int
    missed: int
    wrong: int
    false_accusations: int
    """Blocked, likely blocked, or degraded by the network, said of what no network does."""
    careful_on_clean: int
    exact_ratio: float | None
    status_accuracy: float | None
    """Of all answers, how many have the true status, or the strongest that can be told from here."""
    cause_accuracy: float | None
    """Of those that name a cause."""
    pattern_precision: float | None
    """Of the nodes named, how many are true."""
    pattern_recall: float | None
    """Of the true nodes, how many were named."""
    first_median_s: float | None
    """To the first verdict."""
    first_worst_s: float | None
    final_median_s: float | None
    """To the one that is graded, all waiting included; cool-downs are those of the lab."""
    final_worst_s: float | None
    field_worst_s: float | None
    """The same in the field at most, with its cool-down and its rounds."""


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A scenario that could not be set up here."""

    scenario: str
    why: str


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """All marks of one round."""

    seed: int
    marks: tuple[Mark, ...]
    outside: bool = False
    """There was an outside view to ask."""
    skipped: tuple[Skipped, ...] = ()

    @property
    def figures(self) -> Figures:
        """Count."""
        marks = self.marks
        grades = {grade: sum(mark.grade is grade for mark in marks) for grade in Grade}
        blamed = [m for m in marks if m.said.cause not in (Cause.UNKNOWN, Cause.NONE)]
        first, final = [m.said.first_s for m in marks], [m.said.final_s for m in marks]
        field = [longest_in_the_field_s(m.said) for m in marks]
        return Figures(
            scenarios=len(marks),
            exact=grades[Grade.EXACT],
            careful=grades[Grade.CAREFUL],
            missed=grades[Grade.MISSED],
            wrong=grades[Grade.WRONG],
            false_accusations=sum(m.accuses_falsely for m in marks),
            careful_on_clean=sum(m.is_careful_on_clean for m in marks),
            exact_ratio=_ratio(grades[Grade.EXACT], len(marks)),
            status_accuracy=_ratio(sum(self._has_true_status(m) for m in marks), len(marks)),
            cause_accuracy=_ratio(sum(m.said.cause is m.truth.cause for m in blamed), len(blamed)),
            pattern_precision=compare_patterns([(m.truth, m.said) for m in marks if m.said.patterns]).precision,
            pattern_recall=compare_patterns([(m.truth, m.said) for m in marks]).recall,
            first_median_s=statistics.median(first) if first else None,
            first_worst_s=max(first, default=None),
            final_median_s=statistics.median(final) if final else None,
            final_worst_s=max(final, default=None),
            field_worst_s=max(field, default=None),
        )

    @property
    def confusion(self) -> tuple[Tally, ...]:
        """Return which status was said of which, and how often."""
        pairs = [(m.truth.status, m.said.status) for m in self.marks]
        order = list(Status)
        found = sorted(set(pairs), key=lambda pair: (order.index(pair[0]), order.index(pair[1])))
        return tuple(Tally(true=true, said=said, times=pairs.count((true, said))) for true, said in found)

    @property
    def misses(self) -> tuple[Mark, ...]:
        """Return every answer that is not exact, the worst first."""
        order = (Grade.WRONG, Grade.MISSED, Grade.CAREFUL)
        return tuple(m for grade in order for m in self.marks if m.grade is grade)

    def _has_true_status(self, mark: Mark) -> bool:
        return mark.said.status in (strongest(mark.truth, outside=self.outside), mark.truth.status)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None
