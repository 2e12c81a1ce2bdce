"""Without the socket options that Linux alone has the answers get less sure, never wrong."""

import asyncio

import pytest

from probe.lab.exam import hold_exam
from probe.lab.grade import Grade
from probe.net.capabilities import MASK_VARIABLE
from tests.lab.conftest import SEED
from tests.lab.held import tell

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]

SCENARIOS = (
    "clean",
    "dns-race",
    "sni-reset",
    "icmp-prohibited",
    "rst-to-syn",
    "site-down",
    "own-firewall",
    "port-closed",
)
"""Where TTLs of replies, senders of ICMP errors and what the kernel knows of a connection would say more."""


def test_nothing_is_wrong_and_nobody_is_accused_falsely(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MASK_VARIABLE, "linux")
    score = asyncio.run(hold_exam(SCENARIOS, seed=SEED, jobs=4, tell=lambda mark: None, outside=False))
    assert {mark.scenario for mark in score.marks} == set(SCENARIOS)
    bad = [mark for mark in score.marks if mark.grade is Grade.WRONG or mark.accuses_falsely]
    assert not bad, tell(bad)
    clean = next(mark for mark in score.marks if mark.scenario == "clean")
    assert clean.grade is Grade.EXACT
