"""What must not hurt a running agent: a clock that jumps, a resolver that goes, readers that do not read, kills."""

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import NAMESERVER, Daemon, Stage
from tests.e2e.test_daemon import events, runs, status
from tests.e2e.test_reload import rss_bytes

Start = Callable[..., Daemon]
SITE, OTHER, FILTERED = (f"https://{name}.wall.example" for name in ("site-1", "site-2", "filtered"))
NOBODY = "45.90.6.1"
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
HOUR_S = 3600.0


def crashes(daemon: Daemon) -> float | None:
    return daemon.sample("wallprobe_measurement_crashes_total")


@pytest.mark.skipif(not FAKETIME.exists(), reason="faketime is missing")
def test_a_clock_that_is_stepped_an_hour_either_way_changes_no_verdict_and_no_pace(stage: Stage, start: Start) -> None:
    stage.put(SITE, FILTERED)
    stage.configure(interval="2s")
    offset = stage.folder / "offset"
    offset.write_text("+0")
    daemon = start(
        LD_PRELOAD=str(FAKETIME),
        FAKETIME_TIMESTAMP_FILE=str(offset),
        FAKETIME_NO_CACHE="1",
        FAKETIME_DONT_FAKE_MONOTONIC="1",
        FAKETIME_DISABLE_SHM="1",
    )
    daemon.wait_until_ready()
    daemon.wait_for(lambda: runs(daemon, SITE) >= 2)
    for step in ("+3600", "-3600"):
        before, told = runs(daemon, SITE), daemon.log.count('msg="clock stepped"')
        offset.write_text(step)
        daemon.wait_for(lambda told=told: daemon.log.count('msg="clock stepped"') > told)
        daemon.wait_for(lambda before=before: runs(daemon, SITE) >= before + 2, within_s=40)
        last_run = daemon.sample('wallprobe_check_last_run_timestamp_seconds{target="site-1.wall.example"')
        assert last_run is not None
        assert abs(last_run - time.time() - float(step)) < 60
    assert (status(daemon, SITE), status(daemon, FILTERED)) == ("ok", "ok")
    assert "Traceback" not in daemon.log
    daemon.wait_for(lambda: [event["kind"] for event in events(stage)] == ["clock_step", "clock_step"])
    assert crashes(daemon) == 0
    daemon.stop()


def test_a_resolver_that_goes_accuses_nobody_and_is_back_when_it_is(stage: Stage, start: Start) -> None:
    stage.put(SITE, OTHER)
    stage.configure(interval="2s")
    resolv_conf = stage.folder / "resolv.conf"
    daemon = start()
    daemon.wait_until_ready()
    try:
        resolv_conf.write_text(f"nameserver {NOBODY}\noptions timeout:1 attempts:1\n")
        daemon.wait_for(lambda: daemon.sample('wallprobe_vantage_state{state="offline"}') == 1, 80)
        until_s = time.monotonic() + 6
        while time.monotonic() < until_s:
            assert status(daemon, SITE) not in ("blocked", "likely_blocked")
            time.sleep(0.5)
    finally:
        resolv_conf.write_text(f"nameserver {NAMESERVER}\n")
    counted = runs(daemon, SITE)
    daemon.wait_for(lambda: runs(daemon, SITE) > counted + 1 and status(daemon, SITE) == "ok", 60)
    assert not [event for event in events(stage) if event["after"] in ("blocked", "likely_blocked")]
    assert (crashes(daemon), daemon.sample("wallprobe_sham_interference_total")) == (0, 0)


def knock(stage: Stage, count: int) -> list[socket.socket]:
    """Ask for the page of metrics so often, and read nothing."""
    slow = []
    for _ in range(count):
        one = socket.socket(socket.AF_UNIX)
        one.settimeout(20)
        with contextlib.suppress(OSError):
            one.connect(str(stage.folder / "web.sock"))
            one.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        slow.append(one)
    return slow


@pytest.mark.parametrize(("count", "targets"), [(120, 40), pytest.param(500, 90, marks=pytest.mark.soak)])
def test_readers_that_do_not_read_cost_little_and_slow_nothing_down(
    stage: Stage, start: Start, count: int, targets: int
) -> None:
    stage.put(*(f"https://site-{100 + number}.wall.example" for number in range(targets)), SITE)
    stage.configure(interval="10s")
    daemon = start()
    daemon.wait_until_ready(90)
    before, counted = rss_bytes(daemon), runs(daemon, SITE)
    slow = knock(stage, count)
    try:
        time.sleep(6)
        assert stage.get("/-/healthy")[0] == 200
    finally:
        for one in slow:
            one.close()
    daemon.wait_for(lambda: runs(daemon, SITE) > counted, 30)
    assert rss_bytes(daemon) - before < 60e6
    assert crashes(daemon) == 0
    assert "Traceback" not in daemon.log


@pytest.mark.parametrize("kills", [2, pytest.param(25, marks=pytest.mark.soak)])
@pytest.mark.timeout(600)
def test_killed_and_started_again_it_counts_on_and_its_database_is_whole(
    stage: Stage, start: Start, kills: int
) -> None:
    stage.put(SITE, OTHER)
    path = stage.configure(interval="2s")
    counted = 0.0
    for _ in range(kills):
        daemon = start()
        daemon.wait_for(lambda daemon=daemon, counted=counted: runs(daemon, SITE) > counted)
        time.sleep(1.2)
        counted = runs(daemon, SITE) - 1  # what is not a second old may be lost
        daemon.kill()
        checked = stage.run("db", "check", "--config.file", str(path))
        assert checked.returncode == 0, checked.stderr


def test_a_backup_made_and_put_back_while_it_runs_is_in_force_after_a_restart(stage: Stage, start: Start) -> None:
    stage.put(SITE)
    path = stage.configure(interval="1s")
    copy = stage.folder / "state" / "copy.db"
    daemon = start()
    daemon.wait_until_ready()
    time.sleep(1.2)
    made = stage.run("db", "backup", str(copy), "--config.file", str(path))
    assert made.returncode == 0, made.stderr
    counted = runs(daemon, SITE)
    daemon.wait_for(lambda: runs(daemon, SITE) >= counted + 4)
    put_back = stage.run("db", "restore", str(copy), "--config.file", str(path))
    assert (put_back.returncode, "restarted" in put_back.stdout) == (0, True), put_back.stderr
    daemon.stop()
    stage.configure(interval="1h")
    again = start()
    again.wait_for(again.metrics)
    assert runs(again, SITE) <= counted + 1
    assert (stage.folder / "state" / "wallprobe.db.before-restore").exists()
    lines = stage.run("db", "export", "--store.path", str(copy)).stdout.splitlines()
    assert {json.loads(line)["record"] for line in lines} >= {"target", "run"}
    assert os.listdir(copy.parent).count("wallprobe.db.restore") == 0
