"""The bars for an agent that has a control: each final verdict against what the contract then permits."""

import pytest

from probe.lab.exam.grade import Grade
from probe.lab.exam.score import FINAL_S
from tests.lab.held import JOBS, assert_all_were_judged, hold, tell

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

EXACT_RATIO = 0.99
"""Two of some two hundred may lose a comparison its moment: labs stand side by side on few processors."""
PATTERN_PRECISION, PATTERN_RECALL = 0.99, 0.95


@pytest.fixture(scope="module")
def exam(request):
    # The longest of the exams, and mostly waiting: with more labs it ends with the others.
    return hold(request, outside=True, again=True, jobs=max(JOBS, 11))[0]


def test_every_scenario_was_judged(exam):
    assert_all_were_judged(exam)


def test_no_answer_is_wrong(exam):
    wrong = [mark for mark in exam.marks if mark.grade is Grade.WRONG]
    assert not wrong, tell(wrong)


def test_nobody_is_accused_of_what_no_network_does(exam):
    false = [mark for mark in exam.marks if mark.accuses_falsely]
    assert not false, tell(false)


def test_where_nothing_is_wrong_no_answer_is_careful(exam):
    careful = [mark for mark in exam.marks if mark.is_careful_on_clean]
    assert not careful, tell(careful)


def test_the_strongest_status_that_may_be_said_is_said(exam):
    assert exam.figures.exact_ratio >= EXACT_RATIO, tell(exam.misses)


def test_what_is_named_is_so_and_what_is_so_is_named(exam):
    astray = [mark for mark in exam.marks if mark.names_astray]
    assert exam.figures.pattern_precision >= PATTERN_PRECISION, tell(astray)
    assert exam.figures.pattern_recall >= PATTERN_RECALL, tell(exam.misses)


def test_the_final_verdict_comes_in_its_time(exam):
    assert exam.figures.final_worst_s <= FINAL_S
    assert exam.figures.field_worst_s <= FINAL_S
