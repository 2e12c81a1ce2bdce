"""The agent in the client, unchanged: the configuration a person would write for this world, and one `check`."""

import json
import sys
from typing import Any

import yaml

from probe.lab.keeper import FOLDER
from probe.lab.run import Lab
from probe.lab.scenarios.model import Configured
from probe.lab.world.networks import build_asn_file
from probe.lab.world.plan import World
from probe.model.errors import UserError

USUAL = Configured()
COOL_DOWN = USUAL.cool_down
ROUNDS_APART = "3s"
"""Shorter than in the field as well: how far apart a control is asked twice."""
CHECK_S = 120.0
"""Longer than any check waits in a lab."""
Controls = tuple[dict[str, str], ...]


HANDSHAKES_APART = "300ms"
"""And two handshakes with one tunnel."""


def render_config(
    world: World,
    controls: Controls = (),
    *,
    asn_file: str = "",
    vantage: str = "lab",
    references: tuple[str, ...] = (),
    configured: Configured = USUAL,
) -> str:
    """Return a configuration with the world's anchors, its resolvers, controls outside it, and a file of AS data."""
    anchors = [world.sites[f"anchor{n}"].url for n in range(1, 6)]
    return yaml.safe_dump(
        {
            "vantage": {"id": vantage, "country": "ZZ"},
            **({"references": list(references)} if references else {}),
            **({"defaults": {"timeout": configured.timeout}} if configured.timeout else {}),
            "anchors": {
                "foreign": anchors,
                "domestic": [world.sites["home1"].url, world.sites["home2"].url],
                "portal": world.sites["portal"].cleartext_url + "generate_204",
                "sham": [world.sites["wiki"].url],
            },
            "resolvers": [
                "udp://8.8.8.8",
                "udp://9.9.9.9",
                "dot://9.9.9.9#dns.quad9.net",
                "doh+https://1.1.1.1/dns-query#cloudflare-dns.com",
            ],
            **({"nowhere": list(configured.nowhere)} if configured.nowhere else {}),
            **({"knowledge": {"asn_file": asn_file}} if asn_file else {}),
            "limits": {
                "cool_down": configured.cool_down,
                "rounds_apart": ROUNDS_APART,
                "handshakes_apart": HANDSHAKES_APART,
            },
            **({"control": [dict(one) for one in controls]} if controls else {}),
        },
        sort_keys=False,
    )


async def check(
    lab: Lab,
    target: str,
    *,
    controls: Controls = (),
    options: tuple[str, ...] = (),
    memory: str = "state",
    vantage: str = "lab",
    references: tuple[str, ...] = (),
    configured: Configured = USUAL,
    knows_networks: bool = True,
) -> dict[str, Any]:
    """Run `wallprobe check --json` on a target in the client and return what it printed.

    What it remembers, such as which places are hot, it shares with other checks of the same `memory`. Without
    `knows_networks` it has no AS data, as a fresh installation.

    Raises:
        UserError: it printed something else.
    """
    asn_file = lab.write_file("asn.mmdb", build_asn_file()) if knows_networks else ""
    config = render_config(
        lab.world,
        controls,
        asn_file=asn_file,
        vantage=vantage,
        references=references,
        configured=configured,
    )
    path = lab.write_file("wallprobe.yml", config)
    argv = [sys.executable, "-m", "probe", "check", "--json", "--config.file", path, *options, target]
    folder = {"XDG_STATE_HOME": str(FOLDER / memory)}
    finished = await lab.run_in_client(argv, timeout_s=CHECK_S, environment=folder)
    try:
        record = json.loads(finished.stdout)
    except ValueError:
        # Traces of exception groups are framed, and end in a line of the frame.
        said = [line.strip(" |+-") for line in finished.stderr.decode(errors="replace").splitlines()]
        last = next((line for line in reversed(said) if line), "it printed nothing")
        raise UserError(f"check {target}", last, "run it by `lab run`") from None
    assert isinstance(record, dict)
    return record
