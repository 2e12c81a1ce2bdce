"""/metrics of 10,000 targets at `full`: how long it takes, and how long it holds up the event loop at worst.

Prometheus asks for OpenMetrics in gzip, so that is what the limit is for: the first scrape of all, and one a minute
later, when a fifth of the targets (each runs every five minutes) has run again.

Another process reads the page over a socket while this one counts the turns of its loop. The stall is the CPU time of
the loop's thread between two turns, which a busy machine cannot falsify; the wall time is shown beside it.
"""

import asyncio
import gc
import os
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from probe.cli.commands.run import GC_THRESHOLDS
from probe.cli.loop import loop_factory
from probe.export.metrics.families import Format
from probe.model.failure import FailureCode
from probe.model.settings import WebSettings
from probe.model.snapshot import Phase, TargetSnapshot
from probe.model.verdict import Status
from probe.web.server import start_web
from tests.bench.figures import Figure, reading, spread_of
from tests.bench.host import pick_cores
from tests.bench.report import Outcome
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.fakes import FakeAgent

NEEDS_NAMESPACES = False
TARGETS = 10_000
RAN_AGAIN = 5
"""Every fifth target has, between two scrapes."""
STALL_LIMIT_S = 0.020
CPU_LIMIT_S = 0.100
GROWTH_LIMIT_MB = 60.0
_READ = """
import socket, sys
sys.stdin.readline()
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
    asked = f"Accept: {sys.argv[3]}", f"Accept-Encoding: {sys.argv[2]}"
    sock.sendall("\\r\\n".join(("GET /metrics HTTP/1.0", "Host: localhost", *asked, "", "")).encode())
    total = 0
    while part := sock.recv(1 << 20):
        total += len(part)
print(total)
"""


class Watch:
    """Notes the longest time between two turns of the loop."""

    def __init__(self) -> None:
        self.wall_s = self.cpu_s = self.resident_mb = 0.0

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            wall_s, cpu_s = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.001)
            self.wall_s = max(self.wall_s, time.perf_counter() - wall_s - 0.001)
            self.cpu_s = max(self.cpu_s, time.thread_time() - cpu_s)
            self.resident_mb = max(self.resident_mb, _resident_mb())


def run(*, quick: bool, rounds: int) -> Outcome:
    """Have the page read, with and without compression."""
    servers_core, measured_core = pick_cores()
    before = os.sched_getaffinity(0)
    thresholds = gc.get_threshold()
    os.sched_setaffinity(0, {measured_core})
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        targets = TARGETS // 10 if quick else TARGETS
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(_measure(targets, rounds, servers_core))
    finally:
        gc.set_threshold(*thresholds)
        os.sched_setaffinity(0, before)


PLAIN, FIRST, LATER = "plain text", "OpenMetrics, gzip, first", "OpenMetrics, gzip, a minute later"


async def _measure(targets: int, rounds: int, reader_core: int) -> Outcome:
    agent = FakeAgent([_snapshot(number) for number in range(targets)])
    gc.collect()
    gc.freeze()
    taken: dict[str, list[Reading]] = {PLAIN: [], FIRST: [], LATER: []}
    try:
        for turn in range(rounds):
            server = await start_web(agent, WebSettings(listen=("127.0.0.1:0",)), {})
            port = server.addresses[0].rpartition(":")[2]
            try:
                taken[PLAIN].append(await _read_once(port, "identity", Format.TEXT, reader_core))
                taken[FIRST].append(await _read_once(port, "gzip", Format.OPENMETRICS, reader_core))
                for number in range(turn % RAN_AGAIN, targets, RAN_AGAIN):
                    agent.show(number, _snapshot(number, later_s=60.0 * (turn + 1)))
                taken[LATER].append(await _read_once(port, "gzip", Format.OPENMETRICS, reader_core))
            finally:
                await server.close()
    finally:
        gc.unfreeze()
    figures = [figure for what, readings in taken.items() for figure in _figures(what, readings)]
    return Outcome(figures=figures, notes=[f"{targets:,} targets at full"])


def _snapshot(number: int, *, later_s: float = 0.0) -> TargetSnapshot:
    """Return a target of which one in ten is blocked, as it is after so much more time."""
    snapshot = make_snapshot(number, Status.OK if number % 10 else Status.BLOCKED)
    if not later_s:
        return snapshot
    ok = snapshot.verdict is not None and snapshot.verdict.status is Status.OK
    return msgspec.structs.replace(
        snapshot,
        last_run_at=snapshot.last_run_at + later_s,
        last_ok_at=snapshot.last_ok_at + (later_s if ok else 0.0),
        valid_until=snapshot.valid_until + later_s,
        runs_total=snapshot.runs_total + 1,
        failures_total=snapshot.failures_total + (not ok),
        failures=snapshot.failures if ok else snapshot.failures | {FailureCode.CONNECTION_RESET: int(later_s)},
        phases=tuple(Phase(name=p.name, family=p.family, duration_s=p.duration_s * 1.01) for p in snapshot.phases),
    )


def _figures(what: str, taken: list["Reading"]) -> list[Figure]:
    cpu = spread_of([one.cpu_s * 1e3 for one in taken])
    stall = spread_of([one.stall_cpu_s * 1e3 for one in taken])
    wall = spread_of([one.stall_wall_s * 1e3 for one in taken])
    read = spread_of([one.took_s * 1e3 for one in taken])
    grown_mb = max(one.grown_mb for one in taken)
    return [
        Figure(name=f"{what}: CPU", spread=cpu, unit="ms", limit=CPU_LIMIT_S * 1e3, noisy=cpu.noisy, digits=0),
        Figure(name=f"{what}: read in", spread=read, unit="ms", digits=0),
        Figure(name=f"{what}: worst stall, CPU", spread=stall, unit="ms", limit=STALL_LIMIT_S * 1e3, digits=1),
        Figure(name=f"{what}: worst stall, wall", spread=wall, unit="ms", digits=1),
        reading(f"{what}: page", taken[-1].page_bytes / 1e6, "MB", digits=1),
        reading(f"{what}: resident memory more", grown_mb, "MB", limit=GROWTH_LIMIT_MB, digits=1),
    ]


class Reading(NamedTuple):
    """One reading of the page."""

    took_s: float
    stall_cpu_s: float
    stall_wall_s: float
    page_bytes: int
    cpu_s: float
    """Of this whole process: loop, compression and what the kernel does for them."""
    grown_mb: float
    """Of resident memory, at most, above what it was before."""


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6


async def _read_once(port: str, encoding: str, wanted: Format, core: int) -> Reading:
    """Have another process read the page."""
    pipe = asyncio.subprocess.PIPE
    arguments = ("-c", _READ, port, encoding, wanted.value)
    child = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdin=pipe, stdout=pipe)
    os.sched_setaffinity(child.pid, {core})
    await asyncio.sleep(0.3)
    watch = Watch()
    watching = asyncio.create_task(watch.run())
    began_s, cpu_s, resident_mb = time.perf_counter(), time.process_time(), _resident_mb()
    read, _ = await child.communicate(b"\n")
    took_s, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    return Reading(took_s, watch.cpu_s, watch.wall_s, int(read), cpu_s, watch.resident_mb - resident_mb)
