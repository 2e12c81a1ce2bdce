"""How long the page of metrics of 10,000 targets holds up the loop.

The bound is on CPU time that the loop's thread spends between two chances of others to run: that is what we answer for,
and what a busy machine cannot falsify. Wall time is bounded too, by the best of three scrapes, less the time in which
our own threads were ready to run and other programs had the processors: Linux counts it (proc(5), `schedstat`).
"""

import asyncio
import contextlib
import gc
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from probe.model.cell import encode_cell
from probe.model.settings import WebSettings
from probe.model.verdict import Status
from probe.web.server import start_web
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.fakes import FakeAgent

TARGETS = 10_000
STALL_S = 0.020
_READ = """
import socket, sys, time
sys.stdin.readline()
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as s:
    head = f"GET {sys.argv[2]} HTTP/1.0", "Host: localhost", f"Accept-Encoding: {sys.argv[3]}", "", ""
    s.sendall("\\r\\n".join(head).encode())
    total = 0
    while part := s.recv(1 << 20):
        total += len(part)
print(total)
"""


def queued_s() -> float:
    """Return how long the threads of this process have waited for a processor; 0 where nobody counts it."""
    waited_ns = 0
    for file in Path("/proc/self/task").glob("*/schedstat"):
        with contextlib.suppress(OSError, IndexError):  # a thread may end meanwhile
            waited_ns += int(file.read_text().split()[1])
    return waited_ns / 1e9


class Watch:
    """Notes the longest time between two turns of the loop: `wall_s` without what the machine was busy otherwise."""

    def __init__(self) -> None:
        self.wall_s = 0.0
        self.cpu_s = 0.0

    async def run(self) -> None:
        while True:
            before_s = queued_s()
            wall_s, cpu_s = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.001)
            late_s = time.perf_counter() - wall_s - 0.001
            self.cpu_s = max(self.cpu_s, time.thread_time() - cpu_s)
            if late_s > self.wall_s:
                self.wall_s = max(self.wall_s, late_s - max(0.0, queued_s() - before_s))


@asynccontextmanager
async def watched(path: str, encoding: str, agent: FakeAgent) -> AsyncIterator[tuple[Watch, int]]:
    """Have another process read the page once; yield the watch and the bytes it got."""
    server = await start_web(agent, WebSettings(listen=("127.0.0.1:0",)), {})
    port = server.addresses[0].rpartition(":")[2]
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _READ, port, path, encoding, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    await asyncio.sleep(0.05)
    watch = Watch()
    watching = asyncio.create_task(watch.run())
    read, _ = await child.communicate(b"\n")
    watching.cancel()
    await server.close()
    yield watch, int(read)


@pytest.fixture(scope="module")
def agent() -> FakeAgent:
    made = FakeAgent([make_snapshot(number, Status.OK if number % 10 else Status.BLOCKED) for number in range(TARGETS)])
    gc.collect()
    return made


@pytest.mark.parametrize(
    ("path", "encoding", "least_bytes"),
    [
        ("/metrics", "identity", 30_000_000),
        ("/metrics", "gzip", 500_000),
        ("/api/v1/targets", "identity", 400_000),
        ("/api/v1/measurements?limit=1000", "identity", 200_000),
    ],
)
async def test_ten_thousand_targets_hold_up_the_loop_for_at_most_twenty_milliseconds(
    agent: FakeAgent, path: str, encoding: str, least_bytes: int
):
    watches = []
    for _ in range(3):
        async with watched(path, encoding, agent) as (watch, read_bytes):
            assert read_bytes > least_bytes
            watches.append(watch)
    assert min(watch.cpu_s for watch in watches) <= STALL_S
    assert min(watch.wall_s for watch in watches) <= 2 * STALL_S


async def test_a_stall_of_our_own_is_seen_whatever_else_the_machine_does():
    watch = Watch()
    watching = asyncio.create_task(watch.run())
    await asyncio.sleep(0.02)
    until_s = time.thread_time() + 2.5 * STALL_S
    while time.thread_time() < until_s:
        pass
    await asyncio.sleep(0.02)
    blocked = watch.cpu_s
    time.sleep(3 * STALL_S)  # noqa: ASYNC251  # the point: the loop is held up without any CPU
    await asyncio.sleep(0.02)
    watching.cancel()
    assert blocked > 2 * STALL_S
    assert watch.wall_s > 2 * STALL_S


PAGES = (
    ("/?q=site-099&status=blocked&span=day", 5_000),
    ("/?span=week", 40_000),
    ("/?span=hour", 40_000),
    ("/events", 2_000),
    ("/api/v1/heatmap?limit=10000", 900_000),
    ("/api/v1/vantage", 300),
)


@pytest.mark.parametrize(("path", "least_bytes"), PAGES)
async def test_neither_a_page_nor_the_heat_map_holds_up_the_loop(agent: FakeAgent, path: str, least_bytes: int):
    for back in range(170):
        hour = int(agent.now_s // 3600) - back
        agent.hours.setdefault(hour, bytes(4) + bytes([encode_cell(Status.OK), 0, 0, 0]) * TARGETS)
    watches = []
    for _ in range(3):
        async with watched(path, "identity", agent) as (watch, read_bytes):
            assert read_bytes > least_bytes
            watches.append(watch)
    assert min(watch.cpu_s for watch in watches) <= STALL_S
