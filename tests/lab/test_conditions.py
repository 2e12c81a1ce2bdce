"""The check that ships, over real sockets, in the eight first conditions: what it says is so, or is careful."""

import pytest
import pytest_asyncio

from probe.lab.exam.grade import Grade
from probe.lab.exam.sitting import mark_scenario
from probe.lab.exam.spread import spread
from probe.lab.scenarios import build_scenarios
from probe.lab.scenarios.first import FIRST
from probe.lab.world.atlas import build_world
from probe.model.verdict import Status
from tests.lab.conftest import SEED

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="session")]

NAMES = [build(build_world(SEED)).name for build in FIRST]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def marks():
    """Judge each condition once, side by side: most of the time is spent waiting for silences."""

    async def judge(lab, scenario):
        return await mark_scenario(lab, scenario)

    return {mark.scenario: mark async for mark in spread(tuple(NAMES), judge, seed=SEED)}


@pytest.mark.parametrize("name", NAMES)
async def test_what_check_says_is_so(marks, name):
    mark = marks[name]
    assert mark.grade in (Grade.EXACT, Grade.CAREFUL), (mark.why, mark.said, mark.reasons)


async def test_a_clean_site_is_called_ok_at_once(marks):
    assert (marks["clean"].said.status, marks["clean"].said.patterns) == (Status.OK, ())
    assert marks["clean"].said.runtime_s < 2


async def test_a_site_that_is_silent_itself_accuses_nobody(marks):
    assert marks["site-down"].said.status in (Status.IMPAIRED, Status.DOWN)


async def test_a_black_hole_is_called_one_only_because_the_way_to_it_was_traced(marks):
    mark = marks["blackhole"]
    assert mark.said.status in (Status.BLOCKED, Status.IMPAIRED)
    located = any("before they reach the target's network" in reason for reason in mark.reasons)
    assert located == (mark.said.status is Status.BLOCKED)


async def test_a_reset_by_name_is_isolated_from_here(lab):
    # Alone: how soon it is said depends on who else is on the machine.
    mark = await mark_scenario(lab, build_scenarios(lab.world)["sni-reset"])
    # A trace that locates the reset on the way is a second method, and settles what the names alone made likely.
    assert mark.said.status in (Status.LIKELY_BLOCKED, Status.BLOCKED)
    assert mark.grade is Grade.EXACT
    assert mark.said.runtime_s <= 2
