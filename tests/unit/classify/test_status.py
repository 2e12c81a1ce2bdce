"""Status is one table: every row of it, written out."""

import pytest

from probe.classify.status import Usable, decide
from probe.model.verdict import Cause, Confidence, Status

C0, C1, C2, C3 = Confidence
NOT_USABLE = {
    Cause.NETWORK: (Status.INSUFFICIENT, Status.IMPAIRED, Status.LIKELY_BLOCKED, Status.BLOCKED),
    Cause.SERVER: (Status.INSUFFICIENT, Status.SERVER_SIDE, Status.SERVER_SIDE, Status.SERVER_SIDE),
    Cause.OUTAGE: (Status.INSUFFICIENT, Status.IMPAIRED, Status.DOWN, Status.DOWN),
    Cause.LOCAL: (Status.INSUFFICIENT, Status.IMPAIRED, Status.IMPAIRED, Status.IMPAIRED),
    Cause.UNKNOWN: (Status.INSUFFICIENT, Status.IMPAIRED, Status.IMPAIRED, Status.IMPAIRED),
    Cause.NONE: (Status.INSUFFICIENT, Status.IMPAIRED, Status.IMPAIRED, Status.IMPAIRED),
    Cause.INSTRUMENT: (Status.INSUFFICIENT,) * 4,
}


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("confidence", Confidence)
def test_what_does_not_work_is_named_by_cause_and_confidence(cause, confidence):
    assert decide(Usable.NONE, cause, confidence) is NOT_USABLE[cause][confidence]


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("confidence", Confidence)
def test_what_works_is_ok_and_what_works_in_part_is_degraded(cause, confidence):
    assert decide(Usable.ALL, cause, confidence) is Status.OK
    assert decide(Usable.SOME, cause, confidence) is Status.DEGRADED


def test_only_a_settled_network_cause_is_blocked():
    blocked = {(cause, c) for cause in Cause for c in Confidence if decide(Usable.NONE, cause, c) is Status.BLOCKED}
    assert blocked == {(Cause.NETWORK, C3)}
