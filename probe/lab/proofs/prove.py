"""Prove a scenario in a running lab: its symptoms, met in the client by plain sockets."""

import sys

import msgspec

from probe.lab.proofs.selfcheck import Proof
from probe.lab.real_servers import Servers
from probe.lab.run import Lab
from probe.lab.scenarios.model import Scenario


async def prove_scenario(lab: Lab, scenario: Scenario) -> tuple[Proof, ...]:
    """Switch to the scenario, try its symptoms, and return what was met.

    Raises:
        RuntimeError: the tries themselves failed.
        UnsupportedError: something that the scenario needs is not to be had here.
    """
    await lab.play(scenario)
    async with Servers(lab, scenario.tunnel.servers if scenario.tunnel is not None else ()):
        return await _prove(lab, scenario)


async def _prove(lab: Lab, scenario: Scenario) -> tuple[Proof, ...]:
    path = lab.write_file("symptoms.json", msgspec.json.encode(scenario.symptoms).decode())
    finished = await lab.run_in_client([sys.executable, "-m", "probe.lab.proofs.selfcheck", path])
    if finished.code:
        raise RuntimeError(finished.stderr.decode(errors="replace"))
    return msgspec.json.decode(finished.stdout, type=tuple[Proof, ...])
