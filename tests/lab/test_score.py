"""The bars for an agent on its own: what the real check says in every scenario, without an outside view."""

import pytest

from probe.lab.exam.grade import Grade
from tests.lab.held import assert_all_were_judged, hold, tell

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

CPU_S = 240
"""Of one processor, what the labs use included: wall time says as much of the exams that are held beside this one."""
EXACT_RATIO = 0.93
PATTERN_PRECISION = 0.97


@pytest.fixture(scope="module")
def exam(request):
    return hold(request, outside=False)


def test_every_scenario_was_judged(exam):
    assert_all_were_judged(exam[0])


def test_no_answer_is_wrong(exam):
    wrong = [mark for mark in exam[0].marks if mark.grade is Grade.WRONG]
    assert not wrong, tell(wrong)


def test_nobody_is_accused_of_what_no_network_does(exam):
    false = [mark for mark in exam[0].marks if mark.accuses_falsely]
    assert not false, tell(false)


def test_where_nothing_is_wrong_no_answer_is_careful(exam):
    careful = [mark for mark in exam[0].marks if mark.is_careful_on_clean]
    assert not careful, tell(careful)


def test_most_answers_are_exact(exam):
    assert exam[0].figures.exact_ratio >= EXACT_RATIO, tell(exam[0].misses)


def test_what_is_named_is_so(exam):
    astray = [mark for mark in exam[0].marks if mark.names_astray]
    assert exam[0].figures.pattern_precision >= PATTERN_PRECISION, tell(astray)


def test_the_whole_exam_fits_into_a_pause(exam):
    assert exam[1] <= CPU_S
