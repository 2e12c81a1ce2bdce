"""Every failure has words that a person can read."""

import pytest

from probe.export.text.failure_words import say_failure
from probe.model.failure import Failure, FailureCode, IcmpError, Stage


@pytest.mark.parametrize("code", list(FailureCode))
def test_no_code_is_shown_as_it_is_written(code):
    said = say_failure(Failure(stage=Stage.CONNECT, code=code))
    assert said
    assert "_" not in said
    assert not said.endswith("error") or code is FailureCode.UNKNOWN


def test_an_icmp_error_names_its_sender():
    icmp = IcmpError(type=3, code=13, offender="192.0.2.1")
    failure = Failure(stage=Stage.CONNECT, code=FailureCode.HOST_UNREACHABLE, icmp=icmp)
    assert say_failure(failure) == "no way to the host (ICMP 3/13 from 192.0.2.1)"
