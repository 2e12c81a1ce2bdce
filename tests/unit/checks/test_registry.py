"""The list of checks."""

from probe.checks import CHECKS
from probe.model.target import CheckName


def test_every_question_has_its_check():
    assert set(CHECKS) == set(CheckName) - {CheckName.GROUP}, "a group is not asked, its members are"
