"""Reloading: what is logged, what is skipped, what is watched, and that doing it often costs nothing that stays."""

import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Daemon, Stage

Start = Callable[..., Daemon]
SITE, OTHER = "https://site-1.wall.example", "https://site-2.wall.example"
QUICK_RELOADS = 30
LONG_RELOADS = 1000


def rss_bytes(daemon: Daemon) -> float:
    return daemon.sample("process_resident_memory_bytes") or 0.0


def runs(daemon: Daemon) -> float:
    return daemon.sample('wallprobe_check_runs_total{target="site-1.wall.example"') or 0.0


def reload(stage: Stage) -> None:
    status, text = stage.get("/-/reload", "POST")
    assert status == 200, text


def test_a_reload_says_what_changed_and_skips_what_did_not(stage: Stage, start: Start) -> None:
    stage.put(SITE)
    stage.configure()
    daemon = start()
    daemon.wait_until_ready()
    reload(stage)
    assert "nothing has changed" in daemon.log
    stage.put(OTHER)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for(lambda: 'msg="targets changed" added=1 removed=1 changed=0' in daemon.log)
    assert "change=added target=site-2.wall.example" in daemon.log
    assert "change=removed target=site-1.wall.example" in daemon.log
    before = daemon.sample("wallprobe_config_last_reload_success_timestamp_seconds")
    stage.configure(interval="3s")
    reload(stage)
    assert re.search(r"added=0 removed=0 changed=\d", daemon.log)
    after = daemon.sample("wallprobe_config_last_reload_success_timestamp_seconds")
    assert before is not None
    assert after is not None
    assert after > before
    assert (daemon.sample('wallprobe_log_lines_total{level="info"}') or 0) >= 5


def test_files_are_watched_when_asked_and_a_bad_one_is_told_once(stage: Stage, start: Start) -> None:
    stage.put(SITE)
    stage.configure()
    daemon = start("--config.enable-auto-reload", "--config.auto-reload-interval", "1s", "--log.prober", "debug")
    daemon.wait_until_ready()
    assert "msg=measured target=site-1.wall.example status=ok" in daemon.log
    stage.put(SITE, OTHER)
    daemon.wait_for(lambda: "change=added target=site-2.wall.example" in daemon.log)
    stage.configure(more="\nnonsense: [\n")
    daemon.wait_for(lambda: daemon.sample("wallprobe_config_last_reload_successful") == 0)
    time.sleep(2.2)
    assert daemon.log.count("not reloaded") == 1
    stage.configure()
    daemon.wait_for(lambda: daemon.sample("wallprobe_config_last_reload_successful") == 1)


def reload_often(stage: Stage, daemon: Daemon, times: int) -> float:
    """Reload with lists that differ each time; return by how much memory and descriptors grew after the first tenth."""
    descriptors = Path(f"/proc/{daemon.process.pid}/fd")
    before_bytes, before_open = 0.0, 0
    for number in range(times):
        stage.put(SITE, f"https://site-{2 + number % 7}.wall.example")
        reload(stage)
        if number == times // 10:
            before_bytes, before_open = rss_bytes(daemon), len(os.listdir(descriptors))
    grown = rss_bytes(daemon) - before_bytes
    assert len(os.listdir(descriptors)) <= before_open + 20
    return grown


@pytest.mark.timeout(900)
@pytest.mark.parametrize("times", [QUICK_RELOADS, pytest.param(LONG_RELOADS, marks=pytest.mark.soak)])
def test_reloading_often_loses_no_count_and_keeps_no_memory(stage: Stage, start: Start, times: int) -> None:
    stage.put(SITE)
    stage.configure()
    daemon = start()
    daemon.wait_until_ready()
    counted = runs(daemon)
    assert reload_often(stage, daemon, times) < 25e6
    assert runs(daemon) >= counted
    assert daemon.sample("wallprobe_measurement_crashes_total") == 0
    assert daemon.sample("wallprobe_config_last_reload_successful") == 1
    daemon.wait_for(lambda: runs(daemon) > counted)
