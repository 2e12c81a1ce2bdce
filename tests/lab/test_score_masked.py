"""The bars without the socket options that Linux alone has: answers get less sure, never wrong.

A whole round is `wallprobe lab score --masked`. Here a fifth of it is held, by turns as the seed says, and always those
scenarios in which TTLs of replies, senders of ICMP errors or what the kernel knows of a connection would say more.
"""

import pytest

from probe.lab.exam.grade import Grade
from probe.net.capabilities import MASK_VARIABLE
from tests.lab.held import hold, tell

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(600)]

EVERY = 5
ALWAYS = {
    "clean",
    "dns-race",
    "sni-reset",
    "icmp-prohibited",
    "rst-to-syn",
    "site-down",
    "own-firewall",
    "port-closed",
    "neighbour-closes-shared-host",
}
CLEAN = "clean"


@pytest.fixture(scope="module")
def exam(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MASK_VARIABLE, "linux")
        return hold(request, outside=False, choose=choose)[0]


def choose(names, seed):
    """Return every fifth name, from one that the seed draws, and those that are always held."""
    turn = set(names[seed % EVERY :: EVERY])
    return tuple(name for name in names if name in turn | ALWAYS)


def test_five_seeds_in_a_row_hold_every_scenario():
    names = (*(f"other-{number}" for number in range(203)), *sorted(ALWAYS))
    held = [choose(names, seed) for seed in range(7, 12)]
    assert {name for some in held for name in some} == set(names)
    assert all(set(some) >= ALWAYS and len(some) <= len(names) / EVERY + len(ALWAYS) for some in held)


def test_no_answer_is_wrong(exam):
    wrong = [mark for mark in exam.marks if mark.grade is Grade.WRONG]
    assert not wrong, tell(wrong)


def test_nobody_is_accused_of_what_no_network_does(exam):
    false = [mark for mark in exam.marks if mark.accuses_falsely]
    assert not false, tell(false)


def test_what_works_is_still_called_ok(exam):
    assert {mark.scenario for mark in exam.marks} >= ALWAYS
    (clean,) = [mark for mark in exam.marks if mark.scenario == CLEAN]
    assert clean.grade is Grade.EXACT, tell([clean])
    assert not [mark for mark in exam.marks if mark.is_careful_on_clean]
