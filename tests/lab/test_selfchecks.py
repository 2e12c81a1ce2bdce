"""The truth is true: in every scenario plain sockets meet the symptom, without Wallprobe."""

import pytest

from probe.lab.proof import prove_scenario
from probe.lab.scenarios import build_scenarios
from probe.lab.world.atlas import build_world
from tests.lab.conftest import SEED

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="session")]

NAMES = list(build_scenarios(build_world(SEED)))


@pytest.mark.parametrize("name", NAMES)
async def test_the_client_meets_the_symptom(lab, name):
    scenario = build_scenarios(lab.world)[name]
    proofs = await prove_scenario(lab, scenario)
    assert proofs
    assert [(p.symptom, p.met) for p in proofs if not p.holds] == []
