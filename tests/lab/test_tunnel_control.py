"""A tunnel that the user has, as the only control: the real check, through a real proxy past the censor."""

import os
import sys

import pytest

from probe.lab.client.agent import check
from probe.lab.outside import await_words
from probe.lab.scenarios import build_scenarios
from probe.lab.world.atlas import CONTROL_V4

pytestmark = [pytest.mark.lab, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(120)]

PORT = 1081
TUNNEL = ({"via": f"socks5://{CONTROL_V4}:{PORT}", "name": "my-tunnel", "country": "XX"},)


@pytest.fixture
async def proxy(lab):
    read, write = os.pipe2(os.O_CLOEXEC)
    number = lab.spawn(
        [sys.executable, "-m", "tests.lab.socks", CONTROL_V4, str(PORT)], (write, write, write), in_world=True
    )
    os.close(write)
    assert await await_words(read, b"listening")
    yield
    lab.kill(number[0])


async def ask(lab, name: str, memory: str) -> dict:
    scenario = build_scenarios(lab.world)[name]
    await lab.play(scenario)
    return await check(lab, scenario.target, controls=TUNNEL, options=("--wait",), memory=f"tunnel-{memory}")


async def test_a_foreign_certificate_is_told_by_the_one_that_the_tunnel_is_shown(lab, proxy):
    record = await ask(lab, "tls-mitm", "a")
    deciding = next(e for e in record["evidence"] if e["rule_id"] == "tls.mitm.untrusted.control_valid")
    assert (record["status"], record["cause"]) in (("likely_blocked", "network"), ("blocked", "network"))
    assert (deciding["family"], deciding["confidence"]) == ("C", 2)


async def test_what_works_on_neither_way_is_down(lab, proxy):
    record = await ask(lab, "site-down", "b")
    assert record["status"] == "down"
    assert "C" in {evidence["family"] for evidence in record["evidence"]}


async def test_a_tunnel_that_is_dead_accuses_nobody_and_excuses_nobody(lab):
    record = await ask(lab, "site-down", "c")
    assert record["status"] in ("impaired", "insufficient")
    assert not {"B", "C"} & {evidence["family"] for evidence in record["evidence"]}
