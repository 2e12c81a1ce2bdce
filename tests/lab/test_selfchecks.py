"""The truth is true: in every scenario plain sockets meet the symptom, without Wallprobe."""

import sys

import msgspec
import pytest

from probe.lab.scenarios import build_scenarios
from probe.lab.selfcheck import Proof
from probe.lab.world.atlas import build_world
from tests.lab.conftest import SEED

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="session")]

NAMES = list(build_scenarios(build_world(SEED)))


@pytest.mark.parametrize("name", NAMES)
async def test_the_client_meets_the_symptom(lab, name):
    scenario = build_scenarios(lab.world)[name]
    await lab.play(scenario)
    path = lab.write_file("symptoms.json", msgspec.json.encode(scenario.symptoms).decode())
    finished = await lab.run_in_client([sys.executable, "-m", "probe.lab.selfcheck", path])
    assert finished.code == 0, finished.stderr.decode()
    proofs = msgspec.json.decode(finished.stdout, type=tuple[Proof, ...])
    assert proofs
    assert [(p.symptom, p.met) for p in proofs if not p.holds] == []
