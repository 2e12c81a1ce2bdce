"""A greeting says who is there, and of nobody else anything."""

import pytest

from probe.classify.greeting import leave_open
from probe.model.depth import Depth
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, Status, Verdict


@pytest.mark.parametrize("status", [status for status in Status if status is not Status.OK])
def test_whatever_else_a_hello_met_is_left_open(status):
    seen = Verdict(
        status=status, cause=Cause.NETWORK, confidence=Confidence.C3, depth=Depth.REACH, patterns=(Pattern.VPN,)
    )
    left = leave_open(seen)
    assert (left.status, left.cause, left.confidence) == (Status.INSUFFICIENT, Cause.UNKNOWN, Confidence.C0)
    assert left.patterns == left.evidence == left.pending == ()
    assert left.depth is Depth.REACH


def test_who_answers_is_there():
    seen = Verdict(status=Status.OK, depth=Depth.HELLO, confidence=Confidence.C2)
    assert leave_open(seen) is seen
