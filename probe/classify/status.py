"""Status is one table of (usable, cause, confidence). Nothing else decides it."""

from enum import StrEnum

from probe.model.verdict import Cause, Confidence, Status


class Usable(StrEnum):
    """How much of the target works."""

    ALL = "all"
    SOME = "some"
    NONE = "none"


_NOT_USABLE: dict[tuple[Cause, Confidence], Status] = {
    (Cause.NETWORK, Confidence.C1): Status.IMPAIRED,
    (Cause.NETWORK, Confidence.C2): Status.LIKELY_BLOCKED,
    (Cause.NETWORK, Confidence.C3): Status.BLOCKED,
    (Cause.SERVER, Confidence.C1): Status.SERVER_SIDE,
    (Cause.SERVER, Confidence.C2): Status.SERVER_SIDE,
    (Cause.SERVER, Confidence.C3): Status.SERVER_SIDE,
    (Cause.OUTAGE, Confidence.C1): Status.IMPAIRED,
    (Cause.OUTAGE, Confidence.C2): Status.DOWN,
    (Cause.OUTAGE, Confidence.C3): Status.DOWN,
    (Cause.INSTRUMENT, Confidence.C1): Status.INSUFFICIENT,
}


def decide(usable: Usable, cause: Cause, confidence: Confidence) -> Status:
    """Return the status. Unlisted: C0 is `insufficient`, any other cause is `impaired`."""
    match usable:
        case Usable.ALL:
            return Status.OK
        case Usable.SOME:
            return Status.DEGRADED
        case Usable.NONE:
            if confidence is Confidence.C0 or cause is Cause.INSTRUMENT:
                return Status.INSUFFICIENT
            return _NOT_USABLE.get((cause, confidence), Status.IMPAIRED)
