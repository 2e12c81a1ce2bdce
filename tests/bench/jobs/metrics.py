"""/metrics of 10,000 targets at `full`: how long it takes, and how long it holds up the event loop at worst.

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

from probe.cli.loop import loop_factory
from probe.cli.run import GC_THRESHOLDS
from probe.model.settings import WebSettings
from probe.model.verdict import Status
from probe.web.server import start_web
from tests.bench.figures import Figure, reading, spread_of
from tests.bench.host import pick_cores
from tests.bench.report import Outcome
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.fakes import FakeAgent

NEEDS_NAMESPACES = False
TARGETS = 10_000
STALL_LIMIT_S = 0.020
CPU_LIMIT_S = 0.100
GROWTH_LIMIT_MB = 60.0
_READ = """
import socket, sys
sys.stdin.readline()
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as sock:
    head = "GET /metrics HTTP/1.0", "Host: localhost", f"Accept-Encoding: {sys.argv[2]}", "", ""
    sock.sendall("\\r\\n".join(head).encode())
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


async def _measure(targets: int, rounds: int, reader_core: int) -> Outcome:
    agent = FakeAgent([make_snapshot(n, Status.OK if n % 10 else Status.BLOCKED) for n in range(targets)])
    gc.collect()
    gc.freeze()
    server = await start_web(agent, WebSettings(listen=("127.0.0.1:0",)), {})
    port = server.addresses[0].rpartition(":")[2]
    figures: list[Figure] = []
    try:
        for encoding in ("identity", "gzip"):
            taken = [await _read_once(port, encoding, reader_core) for _ in range(rounds)]
            cpu = spread_of([one.cpu_s * 1e3 for one in taken])
            # Compressing 42 MB is a thread's work that holds nobody up: the bar is for what the loop must do.
            limit = CPU_LIMIT_S * 1e3 if encoding == "identity" else None
            figures += [
                Figure(
                    name=f"{encoding}: read in",
                    spread=spread_of([one.took_s * 1e3 for one in taken]),
                    unit="ms",
                    digits=0,
                ),
                Figure(name=f"{encoding}: CPU", spread=cpu, unit="ms", limit=limit, noisy=cpu.noisy, digits=0),
                Figure(
                    name=f"{encoding}: worst stall, CPU",
                    spread=spread_of([one.stall_cpu_s * 1e3 for one in taken]),
                    unit="ms",
                    limit=STALL_LIMIT_S * 1e3,
                    digits=1,
                ),
                Figure(
                    name=f"{encoding}: worst stall, wall",
                    spread=spread_of([one.stall_wall_s * 1e3 for one in taken]),
                    unit="ms",
                    digits=1,
                ),
                reading(f"{encoding}: page", taken[-1].page_bytes / 1e6, "MB", digits=1),
                reading(
                    f"{encoding}: resident memory more",
                    max(one.grown_mb for one in taken),
                    "MB",
                    limit=GROWTH_LIMIT_MB,
                    digits=1,
                ),
            ]
    finally:
        await server.close()
        gc.unfreeze()
    return Outcome(figures=figures, notes=[f"{targets:,} targets at full"])


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


async def _read_once(port: str, encoding: str, core: int) -> Reading:
    """Have another process read the page."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _READ, port, encoding, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
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
