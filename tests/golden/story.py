"""What a golden pair is: a case that fires a rule, one that nearly does, and what a person says of both."""

import dataclasses
from collections.abc import Callable

from probe.classify.case import Case
from probe.model.verdict import Cause, Confidence, Status


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Half:
    """One case, with the answer that the contract asks for, written down by hand."""

    case: Case
    says: tuple[Status, Cause, Confidence]
    about: str


@dataclasses.dataclass(frozen=True, slots=True)
class Golden:
    """Both halves for one rule."""

    rule: str
    fires: Half
    nearly: Half


PAIRS: dict[str, Callable[[], Golden]] = {}
"""Every pair by its rule; filled where the stories are written."""


def golden(rule: str) -> Callable[[Callable[[], tuple[Half, Half]]], Callable[[], Golden]]:
    """Register a function that tells both halves for a rule."""

    def register(tell: Callable[[], tuple[Half, Half]]) -> Callable[[], Golden]:
        def build() -> Golden:
            return Golden(rule, *tell())

        if rule in PAIRS:
            raise ValueError(f"two stories for {rule}")
        PAIRS[rule] = build
        return build

    return register


def half(case: Case, says: str, about: str) -> Half:
    """Write `says` as `status cause confidence`, for example `likely_blocked network C2`."""
    status, cause, confidence = says.split()
    return Half(case=case, says=(Status(status), Cause(cause), Confidence[confidence]), about=about)
