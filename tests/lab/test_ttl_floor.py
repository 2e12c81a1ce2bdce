"""Who ends a connection, by TTLs alone: without AS data and without a control, from an ordinary socket."""

import asyncio

import pytest

from probe.lab.client.agent import check
from probe.lab.run import Lab
from probe.lab.scenarios import build_scenarios
from probe.net.capabilities import MASK_VARIABLE
from tests.lab.conftest import SEED

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]


async def look(name: str) -> tuple[str, set[str]]:
    async with Lab(SEED) as lab:
        scenario = build_scenarios(lab.world)[name]
        await lab.play(scenario)
        record = await check(lab, scenario.target, options=("--wait",), knows_networks=False)
    return record["status"], {evidence["rule_id"] for evidence in record["evidence"]}


@pytest.mark.parametrize(
    ("name", "masked", "status", "shown"),
    [
        ("sni-fin", "", "blocked", True),
        ("sni-fin", "linux", "likely_blocked", False),  # less sure, never wrong
        ("sni-reset", "", "likely_blocked", False),  # this box sends with the very TTL of the server
    ],
)
def test_what_comes_with_another_ttl_than_the_servers_settles_it(monkeypatch, name, masked, status, shown):
    monkeypatch.setenv(MASK_VARIABLE, masked)
    said, rules = asyncio.run(look(name))
    assert said == status
    assert any(rule.endswith(".other_ttl") for rule in rules) is shown
