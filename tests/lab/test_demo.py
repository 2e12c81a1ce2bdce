"""The demo, shortened: every change is noticed, the page answers from outside, and nothing stays behind."""

import asyncio
import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import termios
import time
import urllib.request

import pytest

from probe.lab.demo_story import build_story
from probe.lab.world.atlas import build_world
from tests.lab.leftovers import find_descendants, list_places, wait_for_end

pytestmark = [pytest.mark.lab, pytest.mark.timeout(240)]
DURATION_S = 34


async def fetch(url):
    def get():
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30) as answer:
            return answer.read().decode()

    return await asyncio.to_thread(get)


@contextlib.asynccontextmanager
async def running_demo(*options):
    argv = [sys.executable, "-m", "probe", "demo", "--port", "0", *options]
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_each_change_is_noticed_and_the_page_answers_from_outside():
    async with running_demo("--duration", str(DURATION_S), "--json") as process:
        events = []
        page = metrics = ""
        async for line in process.stdout:
            events.append(json.loads(line))
            if events[-1]["kind"] == "noticed" and not page:
                page = await fetch(events[0]["page"])
                metrics = await fetch(events[0]["metrics"])
        said = (await process.stderr.read()).decode()
        assert await process.wait() == 0, said
    story = build_story(build_world(0), DURATION_S)
    noticed = {(e["target"], e["lifted"]): e for e in events if e["kind"] == "noticed"}
    assert set(noticed) == {(change.address, change.lifted) for change in story.changes}, events
    assert all(event["after_s"] < 12 for event in noticed.values()), noticed
    patterns = [noticed[change.address, False]["patterns"][0] for change in story.changes if not change.lifted]
    assert patterns == ["dns.injection.race", "tls.reset.sni", "ip.port_drop"]
    spared = next(one.address for one in story.watched if one.key == "spared")
    assert spared not in {event.get("target") for event in events}
    assert story.watched[1].address.rstrip("/") in page
    assert "wallprobe_" in metrics
    assert events[-1] | {"at_s": 0} == {"kind": "end", "at_s": 0, "changes": 6, "noticed": 6, "confirmed": 0}


async def test_it_says_what_was_shortened_and_ctrl_c_leaves_nothing_behind():
    before = list_places()
    async with running_demo() as process:
        lines = [(await process.stdout.readline()).decode() for _ in range(4)]
        assert lines[2].startswith("Shortened for the demo: ")
        await asyncio.sleep(2)
        parts = find_descendants(process.pid)
        assert len(parts) >= 4  # keeper, its process 1, world, forwarder, and the agent by now or soon
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 20) == 130
        assert await process.stderr.read() == b""
    assert wait_for_end(parts) == []
    assert list_places() == before


def test_on_a_terminal_it_draws_a_table_and_ctrl_c_ends_it_all():
    ours, theirs = os.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    # `setsid --ctty` makes it that terminal's foreground, so that the terminal turns the character into SIGINT.
    argv = ["setsid", "--ctty", sys.executable, "-m", "probe", "demo", "--port", "0"]
    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    shown = read_terminal(ours, until="first verdict", within_s=90)
    parts = find_descendants(process.pid)
    os.write(ours, b"\x03")
    shown += read_terminal(ours, until="nothing stays behind", within_s=60)
    assert process.wait(20) == 130
    os.close(ours)
    assert "Traceback" not in shown
    assert wait_for_end(parts) == []


def read_terminal(descriptor, *, until, within_s):
    shown, until_s = "", time.monotonic() + within_s
    while until not in shown:
        assert select.select([descriptor], [], [], max(0.0, until_s - time.monotonic()))[0], shown[-2000:]
        shown += os.read(descriptor, 65536).decode(errors="replace")
    return shown


async def test_a_port_that_is_taken_is_one_clear_line():
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, running_demo("--port", str(port)) as process:
        out, said = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert said.decode().splitlines() == [
        f"demo --port {port}: Address already in use; choose another port, or leave it out"
    ]
