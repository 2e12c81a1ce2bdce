"""`wallprobe check` and what reads its results back, over real sockets in a sealed network."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.e2e.conftest import Daemon, Stage
from tests.e2e.stage import NOWHERE
from tests.yardstick import measure_slowness

FILTERED, SITE, OTHER, CLOSED, SILENT = (
    f"https://{name}.wall.example" for name in ("filtered", "site-1", "site-2", "closed", "silent")
)


def check(stage: Stage, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return stage.run("check", "--config.file", str(stage.folder / "wallprobe.yml"), *arguments)


def objects(text: str) -> dict[str, dict[str, Any]]:
    return {row["target"]: row for row in map(json.loads, text.splitlines())}


def test_several_targets_give_one_object_each_with_all_axes(stage: Stage) -> None:
    stage.configure()
    stage.block("filtered.wall.example")
    done = check(stage, "--json", FILTERED, SITE, CLOSED, SITE)
    assert (done.returncode, done.stderr) == (0, "")
    rows = objects(done.stdout)
    assert set(rows) == {FILTERED, SITE, CLOSED}
    for row in rows.values():
        assert row["runtime_s"] > 0
        assert row["observations"]
        assert {"status", "patterns", "cause", "confidence", "evidence"} <= set(row)
    assert rows[SITE]["status"] == "ok"
    filtered = rows[FILTERED]
    assert (filtered["status"], filtered["patterns"], filtered["cause"]) == (
        "likely_blocked",
        ["tls.reset.sni"],
        "network",
    )
    assert rows[CLOSED]["patterns"] == ["tcp.rst_syn"]


def test_the_exit_status_speaks_of_the_worst_target(stage: Stage) -> None:
    stage.configure()
    stage.block("filtered.wall.example")
    assert check(stage, "--exit-status", SITE).returncode == 0
    assert check(stage, "--exit-status", SITE, FILTERED).returncode == 3
    assert check(stage, SITE, FILTERED).returncode == 0


def test_bad_targets_are_all_told_before_anything_is_sent(stage: Stage) -> None:
    stage.configure()
    done = check(stage, SITE, "https://", "nonsense://x", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 2
    assert not (stage.folder / "state").exists()


def wait_for_silence(pid: int) -> None:
    """Wait until a connection to the silent site is being opened in the network of a process: its name is resolved."""
    until_s = time.monotonic() + 30
    opening = socket.inet_aton(NOWHERE)[::-1].hex().upper()
    while f" {opening}:" not in Path(f"/proc/{pid}/net/tcp").read_text():
        assert time.monotonic() < until_s, "no connection to the silent site was begun"
        time.sleep(0.05)


def test_an_interrupt_prints_what_is_done_and_stores_the_rest_as_interrupted(stage: Stage) -> None:
    stage.configure()
    command = stage.command("check", "--config.file", str(stage.folder / "wallprobe.yml"), SITE, SILENT)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("✓ OK")
        wait_for_silence(process.pid)
        os.kill(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "")
    stored = {measurement.target.address: measurement.interrupted for measurement in stage.stored()}
    assert stored == {SITE: False, SILENT: True}


def test_without_a_target_this_network_is_described(stage: Stage) -> None:
    stage.configure()
    started_s = time.monotonic()
    done = check(stage)
    assert time.monotonic() - started_s < 15 * measure_slowness()
    assert done.stdout.startswith("✓ ONLINE")


def test_what_was_found_is_explained_and_judged_again_alike(stage: Stage) -> None:
    stage.configure()
    stage.block("filtered.wall.example")
    stage.fail("site-2.wall.example")
    config = ("--config.file", str(stage.folder / "wallprobe.yml"))
    done = check(stage, "--json", FILTERED, SITE, OTHER, CLOSED, "https://no-such-name.wall.example")
    for row in objects(done.stdout).values():
        told = stage.run("explain", *config, row["id"])
        assert (told.returncode, told.stderr) == (0, "")
        assert "Rules version" in told.stdout
    again = stage.run("reclassify", *config)
    assert again.stdout == "5 judged again, 0 would change\n"


def test_a_check_beside_a_daemon_asks_it_for_grants_and_gives_it_the_run_to_store(
    stage: Stage, start: Callable[..., Daemon]
) -> None:
    stage.put(SITE)
    stage.configure(interval="1h")
    daemon = start()
    daemon.wait_until_ready()
    before = daemon.sample("wallprobe_gate_grants_total")
    done = check(stage, "--json", OTHER)
    assert (done.returncode, done.stderr) == (0, "")
    config = ("--config.file", str(stage.folder / "wallprobe.yml"))
    (row,) = objects(done.stdout).values()
    daemon.wait_for(lambda: stage.run("explain", *config, row["id"]).returncode == 0, 20)
    assert daemon.sample("wallprobe_gate_grants_total") >= before + 2  # a question and a connection
    daemon.kill()
    left_over = check(stage, OTHER)
    assert "no grants from a daemon" in left_over.stderr
    assert left_over.returncode == 0
