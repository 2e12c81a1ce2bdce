"""Time to the first verdict over a line with 50 ms of round trip, as `wallprobe check` gives it in the lab.

Forged answers of four kinds: before the true one, in its place (an address, or that there is no such name), and by the
network's own resolver. All must be found within three seconds.

The whole delay is on the access line, so that resolver, anchors and sites are all one round trip away. What counts is
the measurement's own `runtime_s`: from its start to its verdict, baseline and follow-ups included.
"""

import asyncio

from probe.lab.client.agent import check
from probe.lab.line import Line
from probe.lab.run import Lab
from probe.lab.scenarios import build_scenarios
from probe.model.errors import UserError
from probe.model.settings import Defaults
from tests.bench.figures import Figure, spread_of
from tests.bench.report import Outcome

NEEDS_NAMESPACES = False
RTT_S = 0.05
ROUND_TRIPS = 4
"""DNS, TCP, TLS 1.3, HTTP."""
LINE = Line(access_delay_s=RTT_S / 2, transit_delay_s=0.0)
LIMITS_S = {
    "clean": 1.15 * ROUND_TRIPS * RTT_S,
    "sni-reset": 2.0,
    "sni-drop": 1.5 * Defaults().timeout_s,
    "dns-race": 3.0,
    "dns-bogon-in-path": 3.0,
    "dns-nxdomain-in-path": 3.0,
    "dns-poisoned": 3.0,
    "dns-silent": 1.5 * Defaults().timeout_s,
}
_QUICK_SCENARIOS = ("clean", "sni-reset", "dns-bogon-in-path")


def run(*, quick: bool, rounds: int) -> Outcome:
    """Play each scenario as often as asked; a slow one once."""
    try:
        return asyncio.run(_play(_QUICK_SCENARIOS if quick else tuple(LIMITS_S), rounds))
    except UserError as error:
        return Outcome(notes=[f"skipped: {error}"])


async def _play(names: tuple[str, ...], rounds: int) -> Outcome:
    figures: list[Figure] = []
    notes: list[str] = []
    async with Lab() as lab:
        scenarios = build_scenarios(lab.world)
        for name in names:
            scenario = scenarios[name]
            readings: list[float] = []
            verdicts: set[str] = set()
            for _ in range(rounds if LIMITS_S[name] < 5 else 1):
                await lab.play(scenario, LINE)
                record = await check(lab, scenario.target)
                readings.append(record["runtime_s"])
                verdicts.add(f"{record['status']} {' '.join(record['patterns'])}".strip())
            figures.append(Figure(name=name, spread=spread_of(readings), unit="s", limit=LIMITS_S[name]))
            notes.append(f"{name}: {', '.join(sorted(verdicts))}")
    return Outcome(
        figures=figures, notes=[*notes, f"round trip {RTT_S * 1e3:g} ms, timeout {Defaults().timeout_s:g} s"]
    )
