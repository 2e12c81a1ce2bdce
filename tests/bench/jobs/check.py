"""CPU of one full HTTPS check, beside blackbox_exporter in the same run.

Ours is the daemon that ships, with all it does for a check: schedule, gate, DNS, TCP, TLS 1.3, GET, observations,
verdict, episode, metrics lines and the database, whose thread counts too. Each target has had its deep run before, in
a schedule so dense that follow-ups have the budget for all of them. In its turn all targets are overdue at once,
because its configuration is read again with an interval of a second and at once with one of an hour: each then runs
once, as many side by side as its limit of sockets allows. In the end every target must be ok down to its page, and
nothing lost. The two take turns, names in the same order.

A probe of blackbox_exporter is a scrape as well, and ours looks deeper once a day: both are added to a check of ours
before the two are compared, one scrape for each check and a day's deep run shared by the checks of a day.
"""

import contextlib
import tempfile
import time
from pathlib import Path

from tests.bench.blackbox import Blackbox, run_blackbox
from tests.bench.daemon import Daemon, run_daemon
from tests.bench.figures import Figure, ratios_within_rounds, reading, spread_of
from tests.bench.host import pick_cores
from tests.bench.isolation import prepare_inside
from tests.bench.report import Outcome
from tests.bench.scrape import sum_samples
from tests.bench.servers import NETWORK, World, name_of, serve_world, write_resolv_conf

NEEDS_NAMESPACES = True
LIMIT_RATIO = 0.95
TARGETS, QUICK_TARGETS = 800, 300
IN_FLIGHT = 64
_PASS_S = 120.0
_OVERDUE, _AT_REST = "1s", "1h"
_STORED_S = 1.2
"""The store's thread commits each second: wait for it before the clock is read."""
_STORED_AT_LAST_S = 10.0
_STORED = "wallprobe_store_measurements_total"
_TURNS_A_ROUND = 3
"""A neighbour of this machine slows seconds of it by half, one of the two and not the other: many turns are needed."""
_CHECKS_A_DAY = 288
"""Every five minutes, as targets are unless a list says otherwise."""


def run(*, quick: bool, rounds: int) -> Outcome:
    """Take turns and compare."""
    servers_core, measured_core = pick_cores()
    targets = QUICK_TARGETS if quick else TARGETS
    turns = rounds if quick else rounds * _TURNS_A_ROUND
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as name, contextlib.ExitStack() as running:
        folder = Path(name)
        prepare_inside(write_resolv_conf(folder), NETWORK)
        world = running.enter_context(serve_world(folder, names=targets, core=servers_core))
        blackbox = running.enter_context(run_blackbox(world, core=measured_core))
        daemon = running.enter_context(_start_ours(world, targets, measured_core))
        began_s = daemon.child.cpu_s()
        daemon.wait_for_runs(2 * targets, _PASS_S)
        daemon.reload(_AT_REST)
        time.sleep(_STORED_S)
        warm_ms, warm_runs = (daemon.child.cpu_s() - began_s) * 1e3, daemon.runs()
        if blackbox is not None:
            blackbox.check(range(targets // 4), connections=IN_FLIGHT)
        for _ in range(turns):
            if blackbox is not None:
                theirs.append(blackbox.check(range(targets), connections=IN_FLIGHT) * 1e3)
            ours.append(_take_turn(world, daemon, targets) * 1e3)
        scrape_ms = _prove(daemon, targets, turns) * 1e3
    # Each target had one deep run among those before the turns; what those cost beyond as many plain ones is its price.
    deep_ms = max(0.0, warm_ms - warm_runs * spread_of(ours).median) / targets
    figures = _build_figures(ours, theirs, beside_ms=scrape_ms + deep_ms / _CHECKS_A_DAY)
    beside = [
        reading("one scrape, per target", scrape_ms * 1e3, "µs", digits=1),
        reading("a deep run, more than a check", deep_ms, "ms"),
    ]
    return Outcome(figures=[*figures, *beside], notes=_build_notes(world.used, blackbox, turns))


def _build_figures(ours: list[float], theirs: list[float], *, beside_ms: float) -> list[Figure]:
    figures = [Figure(name="CPU per check, ours", spread=spread_of(ours), unit="ms")]
    if theirs:
        reference = spread_of(theirs)
        ratio = ratios_within_rounds([one + beside_ms for one in ours], theirs)
        figures += [
            Figure(name="CPU per check, blackbox_exporter", spread=reference, unit="ms"),
            Figure(
                name="ours ÷ blackbox", spread=ratio, unit="", limit=LIMIT_RATIO, noisy=reference.noisy or ratio.noisy
            ),
        ]
    return figures


def _build_notes(used: str, blackbox: Blackbox | None, turns: int) -> list[str]:
    notes = [f"servers: {used}; TLS 1.3, ECDSA P-256, {IN_FLIGHT} in flight each, {turns} turns"]
    return notes if blackbox is not None else [*notes, "blackbox_exporter: not found"]


def _start_ours(world: World, targets: int, core: int) -> contextlib.AbstractContextManager[Daemon]:
    addresses = [f"https://{name_of(number)}" for number in range(targets)]
    full = {"per_target": "full"}
    return run_daemon(world, addresses, core=core, interval=_OVERDUE, sockets=2 * IN_FLIGHT, metrics=full)


def _take_turn(world: World, daemon: Daemon, targets: int) -> float:
    """Have ours check every target once; return the CPU seconds of one check, without those of the reloads.

    Raises:
        RuntimeError: it did not get through in time.
    """
    time.sleep(_STORED_S)  # an interval of a second must be over since the last turn
    before = world.answered()
    daemon.reload(_OVERDUE)
    daemon.reload(_AT_REST)
    early, before_s = world.answered() - before - 1, daemon.child.cpu_s()
    deadline_s = time.monotonic() + _PASS_S
    requests = 2
    while (checks := world.answered() - before - requests) < targets:
        if time.monotonic() > deadline_s:
            raise RuntimeError(f"{checks} of {targets} checks in {_PASS_S} s")
        requests += 1
        time.sleep(0.05)
    time.sleep(_STORED_S)
    return (daemon.child.cpu_s() - before_s) / (targets - early)


def _prove(daemon: Daemon, targets: int, rounds: int) -> float:
    """Hold the daemon's own figures against what it should have done; return the CPU seconds of a scraped target.

    Raises:
        RuntimeError: a check was not complete, or the store did not take it.
    """
    deadline_s = time.monotonic() + _STORED_AT_LAST_S
    while sum_samples(daemon.scrape(), _STORED) < targets * (rounds + 1) and time.monotonic() < deadline_s:
        time.sleep(_STORED_S)  # a busy neighbour slows the store's thread too
    before_s = daemon.child.cpu_s()
    page = daemon.scrape()
    used_s = daemon.child.cpu_s() - before_s
    well = sum_samples(page, "wallprobe_target_status", holding='status="ok"')
    pages = sum_samples(page, "wallprobe_target_depth", holding='depth="page"')
    failed = sum_samples(page, "wallprobe_check_failures_total")
    runs = sum_samples(page, "wallprobe_check_runs_total")
    stored = sum_samples(page, _STORED)
    if (well, pages, failed) != (targets, targets, 0) or min(runs, stored) < targets * (rounds + 1):
        raise RuntimeError(
            f"of {targets} targets {well:g} are ok, {pages:g} with a page; {failed:g} of {runs:g} runs failed,"
            f" {stored:g} are stored"
        )
    return used_s / targets
