"""Resident memory of the daemon that ships: 10,000 targets at rest, and 1,000 checks that hang.

At rest: each target has run once, was found ok, and has all its series on /metrics; nothing is due for an hour.
Hanging: the server accepts the connection and never says a word, so each check waits in its TLS handshake, and what
follow-up experiments the planner wants wait beside it.
"""

import contextlib
import tempfile
import time
from pathlib import Path

from tests.bench.daemon import run_daemon
from tests.bench.figures import Figure, reading
from tests.bench.host import pick_cores
from tests.bench.isolation import prepare_inside
from tests.bench.report import Outcome
from tests.bench.scrape import sum_samples
from tests.bench.servers import NETWORK, SILENT_PORT, World, name_of, serve_world, write_resolv_conf

NEEDS_NAMESPACES = True
IDLE, QUICK_IDLE = 10_000, 1_000
HANGING, QUICK_HANGING = 1_000, 200
_SETTLED_S = 5.0
_PASS_S = 600.0
_WATCH_S = 6.0
"""Less than the timeout of ten seconds: all of them hang at the same time."""


def run(*, quick: bool, rounds: int) -> Outcome:
    """Measure both."""
    idle, hanging = (QUICK_IDLE, QUICK_HANGING) if quick else (IDLE, HANGING)
    servers_core, measured_core = pick_cores()
    with tempfile.TemporaryDirectory(prefix="bench-") as name, contextlib.ExitStack() as running:
        folder = Path(name)
        prepare_inside(write_resolv_conf(folder), NETWORK)
        world = running.enter_context(serve_world(folder, names=max(idle, hanging), core=servers_core))
        figures = [
            reading("no target but the anchor", _at_rest(world, measured_core, 1), "MB", digits=1),
            reading(f"{idle:,} targets at rest", _at_rest(world, measured_core, idle), "MB", digits=1),
            *_hanging(world, measured_core, hanging),
        ]
    return Outcome(figures=figures, notes=[f"servers: {world.used}; resident memory, 1 MB = 10⁶ bytes"])


def _at_rest(world: World, core: int, targets: int) -> float:
    addresses = [f"https://{name_of(number)}" for number in range(targets)]
    with run_daemon(world, addresses, core=core, interval="6h", sockets=128, metrics={"per_target": "full"}) as daemon:
        daemon.wait_for_runs(targets, _PASS_S)
        time.sleep(_SETTLED_S)
        return daemon.child.rss_mb()


def _hanging(world: World, core: int, targets: int) -> list[Figure]:
    addresses = [f"https://{name_of(number)}:{SILENT_PORT}" for number in range(targets)]
    with run_daemon(world, addresses, core=core, interval="1h", sockets=8 * targets) as daemon:
        most_mb, most_hanging = 0.0, 0
        began_s = None
        while began_s is None or time.monotonic() - began_s < _WATCH_S:
            under_way = int(sum_samples(daemon.scrape(), "wallprobe_scheduler_in_flight"))
            if under_way >= targets * 0.98:
                began_s = began_s or time.monotonic()
                most_mb = max(most_mb, daemon.child.rss_mb())
            elif began_s is not None:
                break
            most_hanging = max(most_hanging, under_way)
            time.sleep(0.1)
    return [
        reading(f"{targets:,} checks hanging", most_mb, "MB", digits=1),
        reading("most checks under way", most_hanging, "", digits=0),
    ]
