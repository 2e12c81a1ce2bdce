"""What leaves without a scrape is taken by the real tools: promtool's backfill, a Pushgateway, the textfile format."""

import asyncio
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

from probe.__main__ import run_command
from probe.cli.deliver import push, push_url, render_page
from probe.model.settings import StoreSettings
from probe.store.store import Store
from tests.fakes import FakeClock
from tests.unit.store.samples import START, make_blocked, make_ok

pytestmark = pytest.mark.peers
needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is missing")


def promtool(*arguments: str, stdin: bytes | None = None) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["promtool", *arguments], input=stdin, capture_output=True, check=False, timeout=60)


@needs_promtool
def test_promtool_makes_blocks_of_an_export(tmp_path: Path) -> None:
    database, page, blocks = (tmp_path / name for name in ("wallprobe.db", "hole.om", "data"))
    with Store.open(StoreSettings(path=str(database)), FakeClock(START + 40_000)) as store:
        for number in range(30):
            at = START + number * 300.0
            make = make_blocked if 10 <= number < 20 else make_ok
            store.add(make(0, at, serial=number))
            store.add(make_ok(1, at + 7, serial=100 + number))
        store.flush_now()
    flags = ["--since", "2023-11-14", "--until", "2023-11-16", "--label", "instance=sh-1", "--label", "job=wallprobe"]
    export = ["export", "--format", "openmetrics", "--store.path", str(database), "--output", str(page), *flags]
    assert run_command(export) == 0
    done = promtool("tsdb", "create-blocks-from", "openmetrics", str(page), str(blocks))
    assert done.returncode == 0, done.stderr
    (blocks / "wal").mkdir()  # `dump` wants to see one
    dump = promtool("tsdb", "dump", str(blocks)).stdout.decode()
    assert '__name__="wallprobe_target_reachable"' in dump
    blocked = [line for line in dump.splitlines() if 'status="blocked"' in line or 'status="likely_blocked"' in line]
    assert sum(line.split("}", 1)[1].split()[0] == "1" for line in blocked) == 10
    assert 'instance="sh-1"' in blocked[0]


@needs_promtool
def test_promtool_finds_nothing_wrong_with_the_textfile() -> None:
    done = promtool("check", "metrics", stdin=render_page([make_ok(0, START), make_blocked(1, START)]))
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(shutil.which("prometheus-pushgateway") is None, reason="prometheus-pushgateway is missing")
def test_a_pushgateway_takes_the_page_and_shows_the_last_one_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = f"127.0.0.1:{port}"
    gateway = subprocess.Popen(
        ["prometheus-pushgateway", f"--web.listen-address={place}"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        url = push_url(f"http://{place}", "sh-1")
        asyncio.run(push(url, render_page([make_ok(0, START), make_blocked(1, START)])))
        asyncio.run(push(url, render_page([make_ok(1, START)])))
        with urllib.request.urlopen(f"http://{place}/metrics", timeout=10) as answer:
            shown = [line for line in answer.read().decode().splitlines() if line.startswith("wallprobe_target_reach")]
    finally:
        gateway.terminate()
        gateway.wait(10)
    (line,) = shown
    assert 'instance="sh-1"' in line
    assert 'job="wallprobe_check"' in line
    assert line.endswith(" 1")
