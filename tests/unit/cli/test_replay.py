"""`reclassify` and `explain` judge a stored measurement exactly as it was judged, over every golden story."""

import msgspec
import pytest

import tests.golden.test_golden  # noqa: F401 - the stories register themselves
from probe.classify.case import Case
from probe.classify.judge import judge
from probe.cli.stored import case_of
from probe.model.measurement import Measurement
from probe.model.verdict import Confidence, Status
from tests.golden.controls import hello
from tests.golden.story import PAIRS
from tests.unit.classify.measured import measured
from tests.unit.classify.outside import all_well, rounds


def stored(case: Case) -> Measurement:
    """Return the measurement that a run with this case leaves, as the store gives it back."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(measured(case)), type=Measurement)


@pytest.mark.parametrize("rule", sorted(PAIRS))
def test_a_stored_measurement_is_judged_as_it_was(rule: str) -> None:
    told = PAIRS[rule]()
    for half in (told.fires, told.nearly):
        if half.case.single_sample:
            continue  # of a file of others, which is never stored
        again = msgspec.structs.replace(case_of(stored(half.case)), reference=half.case.reference)
        assert judge(again) == judge(half.case)


def test_rounds_that_a_laboratory_shortened_count_again_as_they_did() -> None:
    case = hello("reset").case(controls=rounds(all_well(), 2, apart_s=4.0), round_apart_s=3.0)
    again = judge(case_of(stored(case)))
    assert (again.status, again.confidence) == (Status.LIKELY_BLOCKED, Confidence.C2)
    plain = msgspec.structs.replace(case_of(stored(case)), round_apart_s=30.0)
    assert judge(plain).confidence is Confidence.C1
