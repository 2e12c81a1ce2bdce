"""The exam of tunnels: what the real check says of them, with a control and its reference servers.

`LAB_SEED` repeats a draw; the seed is printed. What needs a server that is not installed is skipped by name.
"""

import asyncio
import os
import random
import shutil

import pytest
import pytest_asyncio

from probe.cli.commands.lab_score import render_mark, render_score
from probe.lab.exam.grade import Grade
from probe.lab.exam.sitting import hold_exam
from probe.lab.exam.spread import spread
from probe.lab.proofs.prove import prove_scenario
from probe.lab.run import UnsupportedError
from probe.lab.scenarios import build_tunnel_scenarios
from probe.lab.sing_box import NAME as SING_BOX
from probe.lab.sing_box import find_sing_box
from probe.lab.world.atlas import build_world
from tests.lab.conftest import SEED

pytestmark = [pytest.mark.lab, pytest.mark.slow, pytest.mark.timeout(900)]

JOBS = int(os.environ.get("LAB_JOBS", "8"))
EXACT_RATIO = 0.95
PATTERN_PRECISION = 0.98
NAMES = tuple(build_tunnel_scenarios(build_world(SEED)))
SERVERS = ("openvpn", "ss-server", "microsocks", "sshd", "trojan", "wireguard-go", "charon-systemd", "ocserv")


@pytest.fixture(scope="module")
def exam(request):
    seed = int(os.environ.get("LAB_SEED") or random.randrange(1_000_000))
    score = asyncio.run(hold_exam(NAMES, seed=seed, jobs=JOBS, tell=lambda mark: None, outside=True))
    capture = request.config.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled():
        print("\n".join(render_score(score)))
    return score


def tell(marks):
    return "\n" + "\n".join(line for mark in marks for line in render_mark(mark))


def test_there_are_many_and_each_was_judged_or_skipped_for_want_of_a_server(exam):
    marked, skipped = {mark.scenario for mark in exam.marks}, {one.scenario: one.why for one in exam.skipped}
    assert len(NAMES) >= 100
    assert marked | set(skipped) == set(NAMES)
    here = [program for program in SERVERS if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin:/sbin")]
    here += [SING_BOX] if find_sing_box() else []
    assert not [why for why in skipped.values() if any(why.startswith(f"{program} ") for program in here)]


def test_no_answer_about_a_tunnel_is_wrong(exam):
    wrong = [mark for mark in exam.marks if mark.grade is Grade.WRONG]
    assert not wrong, tell(wrong)


def test_no_network_is_accused_of_a_tunnels_own_failure(exam):
    false = [mark for mark in exam.marks if mark.accuses_falsely]
    assert not false, tell(false)


def test_nearly_all_answers_are_exact(exam):
    assert exam.figures.exact_ratio >= EXACT_RATIO, tell(exam.misses)


def test_what_is_named_of_a_tunnel_is_so(exam):
    assert exam.figures.pattern_precision >= PATTERN_PRECISION, tell(exam.misses)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def proofs():
    """Prove all that plain sockets can prove, side by side."""

    async def prove(lab, scenario):
        try:
            return scenario.name, await prove_scenario(lab, scenario)
        except UnsupportedError as lacking:
            return scenario.name, str(lacking)

    return {name: found async for name, found in spread(NAMES, prove, seed=SEED, jobs=JOBS)}


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("name", NAMES)
async def test_the_client_meets_what_the_scenario_claims(proofs, name):
    if isinstance(proofs[name], str):
        pytest.skip(proofs[name])
    assert proofs[name]
    assert [(p.symptom, p.met) for p in proofs[name] if not p.holds] == []
