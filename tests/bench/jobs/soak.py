"""10,000 targets every five minutes, at `full`, scraped each minute: does it keep its times, and does it stay the size?

The daemon that ships, in namespaces with a web server and a name server. The first round is not counted: each target
makes its first, deep run in it, as fast as the profile allows. Then, for `SOAK_MINUTES` (30): how late runs start, what
was missed, what a check costs with scrapes and store, and whether the resident memory of the last third is above the
first third's.
"""

import contextlib
import os
import statistics
import tempfile
import time
from pathlib import Path

from tests.bench.daemon import Daemon, run_daemon
from tests.bench.figures import Figure, reading
from tests.bench.host import pick_cores
from tests.bench.isolation import prepare_inside
from tests.bench.report import Outcome
from tests.bench.scrape import sum_samples
from tests.bench.servers import NETWORK, name_of, serve_world, write_resolv_conf

NEEDS_NAMESPACES = True
TARGETS, QUICK_TARGETS = 10_000, 500
INTERVAL_S = 300.0
SCRAPE_EVERY_S = 60.0
MINUTES = "SOAK_MINUTES"
LIMITS = {"connections_per_s": 1000, "dns_per_s": 700, "sockets": 10_000, "bytes_per_day": "1TB"}
_FIRST_ROUND_S = 900.0
_LAG = "wallprobe_scheduler_start_lag_seconds"
_LAG_LIMIT = "0.25"


def run(*, quick: bool, rounds: int) -> Outcome:
    """Watch for as long as the environment says; a tenth of a minute when quick."""
    minutes = float(os.environ.get(MINUTES, "0.5" if quick else "30"))
    targets = QUICK_TARGETS if quick else TARGETS
    servers_core, measured_core = pick_cores()
    with tempfile.TemporaryDirectory(prefix="soak-") as name, contextlib.ExitStack() as running:
        folder = Path(name)
        prepare_inside(write_resolv_conf(folder), NETWORK)
        world = running.enter_context(serve_world(folder, names=targets, core=servers_core))
        addresses = [f"https://{name_of(number)}" for number in range(targets)]
        sections = {"metrics": {"per_target": "full"}, "limits": LIMITS}
        daemon = running.enter_context(
            run_daemon(world, addresses, core=measured_core, interval="5m", sockets=10_000, **sections)
        )
        daemon.wait_for_runs(targets, _FIRST_ROUND_S)
        figures = _watch(daemon, targets, minutes * 60)
        return Outcome(figures=figures, notes=[f"{targets:,} targets, {minutes:g} min; servers: {world.used}"])


def _watch(daemon: Daemon, targets: int, watch_s: float) -> list[Figure]:
    before, cpu_s, began_s = daemon.scrape(), daemon.child.cpu_s(), time.monotonic()
    resident_mb: list[float] = []
    next_scrape_s = began_s + SCRAPE_EVERY_S
    while (now_s := time.monotonic()) < began_s + watch_s:
        if now_s >= next_scrape_s:
            daemon.scrape()
            next_scrape_s += SCRAPE_EVERY_S
        resident_mb.append(daemon.child.rss_mb())
        time.sleep(2.0)
    after = daemon.scrape()
    took_s, spent_s = time.monotonic() - began_s, daemon.child.cpu_s() - cpu_s

    def grown(name: str, **labels: str) -> float:
        return sum_samples(after, name, **labels) - sum_samples(before, name, **labels)

    runs, asked = grown("wallprobe_check_runs_total"), targets * took_s / INTERVAL_S
    starts, in_time = max(1.0, grown(f"{_LAG}_count")), grown(f"{_LAG}_bucket", holding=f'le="{_LAG_LIMIT}"')
    third = max(1, len(resident_mb) // 3)
    first, last = statistics.median(resident_mb[:third]), statistics.median(resident_mb[-third:])
    return [
        reading("runs", runs, "", digits=0),
        # More are made than asked for where a change is confirmed.
        reading("runs asked for, not made", max(0.0, asked - runs), "", limit=targets / 50, digits=0),
        reading("starts later than 250 ms", 100 * (1 - in_time / starts), "%", limit=1.0, digits=2),
        *(
            reading(
                f"starts later than {bound} s",
                100 * (1 - grown(f"{_LAG}_bucket", holding=f'le="{bound}"') / starts),
                "%",
                digits=2,
            )
            for bound in ("0.025", "0.1", "1", "5")
        ),
        reading("missed runs", grown("wallprobe_scheduler_missed_runs_total"), "", limit=0, digits=0),
        reading("crashes", grown("wallprobe_measurement_crashes_total"), "", limit=0, digits=0),
        reading("dropped by the store", grown("wallprobe_store_dropped_total"), "", limit=0, digits=0),
        reading("CPU per check, scrapes and store included", 1e3 * spent_s / max(1.0, runs), "ms", digits=2),
        reading("share of one core", 100 * spent_s / took_s, "%", digits=1),
        reading("resident at first", first, "MB", digits=1),
        reading("resident at last, more than at first", 100 * (last / first - 1), "%", limit=5.0, digits=1),
        reading("resident at most", max(resident_mb), "MB", digits=1),
    ]
