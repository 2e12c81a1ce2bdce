"""What we say about a target, axis by axis; when it may be said is told by `probe/classify/CONTRACT.md`."""

from enum import IntEnum, StrEnum

import msgspec

from probe.model.depth import Depth as Depth  # noqa: PLC0414  exported here too: it is an axis of the verdict
from probe.model.experiment import Pending
from probe.model.pattern import Pattern

RULES_VERSION = 12
"""Raised whenever a rule is added or means something else; `tests/golden/meaning.py` holds it. Stored with verdicts."""


class Status(StrEnum):
    """The eight statuses."""

    OK = "ok"
    DEGRADED = "degraded"
    BLOCKED = "blocked"
    LIKELY_BLOCKED = "likely_blocked"
    SERVER_SIDE = "server_side"
    DOWN = "down"
    IMPAIRED = "impaired"
    INSUFFICIENT = "insufficient"

    @property
    def reachable(self) -> bool:
        """Tell whether a person could use the target."""
        return self in (Status.OK, Status.DEGRADED)


class Cause(StrEnum):
    """Who did it."""

    NONE = "none"
    NETWORK = "network"
    SERVER = "server"
    LOCAL = "local"
    OUTAGE = "outage"
    INSTRUMENT = "instrument"
    UNKNOWN = "unknown"


class Confidence(IntEnum):
    """C0 insufficient, C1 suspected, C2 consistent, C3 confirmed."""

    C0 = 0
    C1 = 1
    C2 = 2
    C3 = 3


class EvidenceFamily(StrEnum):
    """The method a piece of evidence comes from; two families settle more than one."""

    DIFFERENTIAL = "A"
    CONTROL = "B"
    TUNNEL = "C"
    OTHER_ROUTE = "D"
    ARTEFACT = "artefact"
    OBSERVED = "observed"
    """Direct observation, no comparison: never above C1 for cause network."""


class EvidenceLevel(StrEnum):
    """Whether a rule counted."""

    NO_DATA = "no_data"
    SCORED = "scored"


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that fired, and what it rests on."""

    rule_id: str
    family: EvidenceFamily
    level: EvidenceLevel = EvidenceLevel.SCORED
    pattern: Pattern | None = None
    cause: Cause = Cause.UNKNOWN
    confidence: Confidence = Confidence.C1
    reason: str = ""
    """One sentence for a reader."""
    path: str = ""
    """The address it speaks of; empty = the whole target."""
    hop: int = 0
    transactions: tuple[int, ...] = ()
    measurement: str = ""
    """Where the transactions are; empty = in this measurement."""
    locus: str = ""
    """Where on the way it happens, such as `hop 3, AS64501`; empty = not known."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement of one measurement."""

    status: Status
    patterns: tuple[Pattern, ...] = ()
    """Primary first, at most one per layer; empty when ok."""
    cause: Cause = Cause.NONE
    confidence: Confidence = Confidence.C0
    depth: Depth = Depth.NONE
    locus: str = "unknown"
    evidence: tuple[Evidence, ...] = ()
    pending: tuple[Pending, ...] = ()
    summary: str = ""
    """One plain sentence: what happened."""
    works: tuple[str, ...] = ()
    """What does work from here, in few words each."""
    rule_id: str = ""
    rules_version: int = RULES_VERSION
    addresses: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Usable paths: v4 tried, v4 ok, v6 tried, v6 ok."""
