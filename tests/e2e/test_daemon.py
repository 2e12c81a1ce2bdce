"""The daemon as an operator meets it: a process, a configuration, signals, a database and a page of metrics."""

import contextlib
import json
import re
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Daemon, Stage
from tests.yardstick import measure_slowness

Start = Callable[..., Daemon]

SITE, OTHER, FILTERED, SILENT = (f"https://{name}.wall.example" for name in ("site-1", "site-2", "filtered", "silent"))


def runs(daemon: Daemon, target: str) -> float:
    return daemon.sample(f'wallprobe_check_runs_total{{target="{target.removeprefix("https://")}"') or 0.0


def status(daemon: Daemon, target: str) -> str:
    """Return the status on the page; empty = the target is not on it."""
    name = re.escape(target.removeprefix("https://"))
    found = re.search(rf'wallprobe_target_status{{target="{name}",[^}}]*status="(\w+)"}} 1', daemon.metrics())
    return found[1] if found else ""


def events(stage: Stage) -> list[dict[str, Any]]:
    answer: dict[str, list[dict[str, Any]]] = json.loads(stage.get("/api/v1/events")[1])
    return answer["events"]


def test_a_reload_swaps_targets_and_a_bad_one_changes_nothing(stage: Stage, start: Start) -> None:
    stage.put(SITE, FILTERED)
    stage.configure()
    daemon = start()
    daemon.wait_until_ready()
    daemon.wait_for(lambda: runs(daemon, SITE) >= 2)
    assert (status(daemon, SITE), status(daemon, FILTERED), status(daemon, OTHER)) == ("ok", "ok", "")
    before = runs(daemon, SITE)

    stage.put(SITE, OTHER)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_for(lambda: status(daemon, OTHER) == "ok")
    assert status(daemon, FILTERED) == ""
    assert "filtered" not in daemon.metrics()
    assert runs(daemon, SITE) >= before

    stage.configure(more="\nnonsense: [\n")
    answer = stage.get("/-/reload", "POST")
    assert answer[0] == 500
    assert "wallprobe.yml" in answer[1]
    assert daemon.sample("wallprobe_config_last_reload_successful") == 0
    assert status(daemon, OTHER) == "ok"
    stage.configure()
    assert stage.get("/-/reload", "POST")[0] == 200
    assert daemon.sample("wallprobe_config_last_reload_successful") == 1
    assert stage.get("/-/reload")[0] == 405
    assert runs(daemon, SITE) >= before


def test_a_stop_takes_less_than_five_seconds_and_loses_nothing(stage: Stage, start: Start) -> None:
    stage.put(SITE, SILENT)
    stage.configure(interval="5s")
    daemon = start()
    daemon.wait_for(lambda: runs(daemon, SITE) >= 1 and daemon.sample("wallprobe_scheduler_in_flight") == 1)
    time.sleep(3)  # private addresses look odd, so the answer is held for two seconds: before that nothing is seen
    counted = runs(daemon, SITE)
    assert daemon.stop() < 5 * measure_slowness()
    assert daemon.process.returncode == 0
    stored = {(m.target.address, m.interrupted) for m in stage.stored()}
    assert (SILENT, True) in stored

    again = start()
    again.wait_for(again.metrics)
    assert runs(again, SITE) >= counted
    assert status(again, SITE) == "ok"
    again.wait_for(lambda: runs(again, SITE) > counted)


@pytest.mark.slow
def test_a_reset_name_is_an_onset_within_a_minute_even_over_a_kill(stage: Stage, start: Start) -> None:
    stage.put(FILTERED, SITE)
    stage.configure(interval="15s", cool_down="200s")
    daemon = start()
    daemon.wait_for(lambda: status(daemon, FILTERED) == "ok")
    stage.block("filtered.wall.example")
    daemon.wait_for(lambda: status(daemon, FILTERED) == "likely_blocked")
    time.sleep(2)
    counted = runs(daemon, FILTERED)
    daemon.kill()
    killed_at = time.time()

    again = start()
    again.wait_for(lambda: events(stage), within_s=70)
    (onset,) = events(stage)
    assert (onset["kind"], onset["before"], onset["after"]) == ("onset", "ok", "likely_blocked")
    assert (onset["patterns"], onset["cause"], onset["confidence"]) == (["tls.reset.sni"], "network", 2)
    assert onset["since"]["last_before"] < onset["since"]["first_in"] < killed_at
    assert onset["at"] - onset["since"]["first_in"] < 75
    assert runs(again, FILTERED) > counted
    assert status(again, SITE) == "ok"
    assert again.sample("wallprobe_measurement_crashes_total") == 0
    assert again.sample("wallprobe_sham_interference_total") == 0
    again.stop()
    judged = stage.run("reclassify", "--config.file", str(stage.folder / "wallprobe.yml")).stdout
    assert judged.endswith(" judged again, 0 would change\n"), judged


def test_readiness_comes_with_the_first_round_though_the_vantage_is_offline(stage: Stage, start: Start) -> None:
    stage.put(SITE, SILENT)
    text = stage.configure().read_text()
    cut = re.sub(r"anchor-(\d)\.wall", r"closed-\1.wall", text)
    (stage.folder / "wallprobe.yml").write_text(cut)
    stage.block("site-1.wall.example")
    daemon = start()
    daemon.wait_until_ready()
    assert daemon.sample('wallprobe_vantage_state{state="offline"}') == 1
    assert status(daemon, SITE) == "insufficient"
    assert events(stage) == []


def test_systemd_is_told_of_start_reload_life_and_stop(stage: Stage, start: Start) -> None:
    stage.put(SITE)
    stage.configure()
    path = stage.folder / "notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(60)
        daemon = start(NOTIFY_SOCKET=str(path), WATCHDOG_USEC="1000000")
        told = [listener.recv(4096).decode() for _ in range(4)]
        assert told[0] == "READY=1"
        assert sum(text.startswith("WATCHDOG=1\nSTATUS=vantage ") for text in told) == 3
        daemon.process.send_signal(signal.SIGHUP)
        while not told[-1].startswith("RELOADING=1\nMONOTONIC_USEC="):
            told.append(listener.recv(4096).decode())
        assert daemon.stop() < 5 * measure_slowness()
        listener.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                told.append(listener.recv(4096).decode())
            assert told[-1] == "STOPPING=1"
    path.unlink()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_thousand_targets_that_fail_at_once_stay_within_the_storm_guard(stage: Stage, start: Start) -> None:
    stage.put(*(f"https://closed-{number}.wall.example" for number in range(1000)))
    stage.configure(interval="60s")
    rewrite(stage, "limits: {", "limits: {profile: server, ")
    daemon = start()
    # Not until every one had its turn: how fast that goes is for the benchmark to say, on an idle host.
    daemon.wait_for(lambda: (daemon.sample("wallprobe_store_measurements_total") or 0) >= 300, within_s=150)
    page = daemon.metrics()
    assert page.count("wallprobe_check_runs_total{") == 1001
    assert daemon.sample("wallprobe_measurement_crashes_total") == 0
    assert "Traceback" not in daemon.log
    memory = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{daemon.process.pid}/status").read_text())
    assert memory is not None
    assert int(memory[1]) < 250_000
    assert daemon.stop() < 5 * measure_slowness()


BROKEN: dict[str, Callable[[Stage], str]] = {}


def broken(change: Callable[[Stage], str]) -> Callable[[Stage], str]:
    """Register a way to break what the daemon starts from; it returns what the error must name."""
    BROKEN[change.__name__] = change
    return change


def rewrite(stage: Stage, old: str, new: str) -> None:
    path = stage.folder / "wallprobe.yml"
    path.write_text(path.read_text().replace(old, new))


@broken
def no_folder_to_write_to(stage: Stage) -> str:
    rewrite(stage, str(stage.folder / "state"), "/proc/nowhere")
    return "/proc/nowhere"


@broken
def read_only_folder(stage: Stage) -> str:
    rewrite(stage, str(stage.folder / "state"), str(stage.folder / "read-only"))
    return "read-only"


@broken
def list_that_is_not_there(stage: Stage) -> str:
    rewrite(stage, "sites.txt", "missing.txt")
    return "missing.txt"


@broken
def list_of_nonsense(stage: Stage) -> str:
    stage.put("https://", lists="nonsense.txt")
    rewrite(stage, "sites.txt", "nonsense.txt")
    return "nonsense.txt:1"


@broken
def bad_yaml(stage: Stage) -> str:
    rewrite(stage, "defaults: {", "defaults: {{")
    return "wallprobe.yml:"


@broken
def unknown_key(stage: Stage) -> str:
    rewrite(stage, "defaults: {", "default: {")
    return "default"


@broken
def no_configuration(stage: Stage) -> str:
    (stage.folder / "wallprobe.yml").unlink()
    return "wallprobe.yml"


@broken
def database_of_somebody_else(stage: Stage) -> str:
    (stage.folder / "state").mkdir()
    (stage.folder / "state" / "wallprobe.db").write_text("hello " * 1000)
    return "wallprobe.db"


@broken
def full_disk(stage: Stage) -> str:
    rewrite(stage, str(stage.folder / "state"), str(stage.folder / "tiny"))
    return "tiny"


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_started_from_is_one_line_and_exit_code_2(stage: Stage, name: str) -> None:
    stage.put(SITE)
    stage.configure()
    named = BROKEN[name](stage)
    done = stage.run("run", "--config.file", str(stage.folder / "wallprobe.yml"))
    lines = [line for line in done.stderr.splitlines() if not line.startswith("time=")]
    assert done.returncode == 2, done.stderr
    assert len(lines) == 1, done.stderr
    assert named in lines[0]


def test_a_port_in_use_and_a_second_daemon_are_refused(stage: Stage, start: Start) -> None:
    stage.put(SITE)
    stage.configure(interval="1h")
    daemon = start()
    daemon.wait_until_ready()
    config = str(stage.folder / "wallprobe.yml")
    second = stage.run("run", "--config.file", config)
    assert second.returncode == 2
    assert "wallprobe.db" in second.stderr
    elsewhere = stage.run("run", "--config.file", config, "--store.path", str(stage.folder / "other" / "w.db"))
    assert elsewhere.returncode == 2
    assert "127.0.0.1:9785" in elsewhere.stderr.splitlines()[-1]
    assert runs(daemon, SITE) >= 1


def test_a_disk_that_runs_full_stops_the_storing_and_nothing_else(stage: Stage, start: Start) -> None:
    stage.put(*(f"https://closed-{number}.wall.example" for number in range(60)))
    stage.configure(interval="1s")
    rewrite(stage, str(stage.folder / "state"), str(stage.folder / "small"))
    rewrite(stage, "limits: {", "limits: {profile: server, ")
    daemon = start()
    daemon.wait_until_ready()
    daemon.wait_for(lambda: (daemon.sample("wallprobe_store_commit_failures_total") or 0) > 0, within_s=40)
    before = runs(daemon, "https://closed-1.wall.example")
    daemon.wait_for(lambda: runs(daemon, "https://closed-1.wall.example") > before)
    assert "Traceback" not in daemon.log
    assert daemon.log.count("the database cannot be written") == 1, "a refusal is told, and not at every try"
    assert daemon.stop() < 10 * measure_slowness()
