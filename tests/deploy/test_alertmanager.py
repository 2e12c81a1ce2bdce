"""The shipped routing in the real Alertmanager: who silences whom, and what comes in one message."""

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

CONFIG = Path(__file__).parents[2] / "deploy" / "alertmanager" / "alertmanager.yml"
PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
pytestmark = [pytest.mark.peers, pytest.mark.skipif(PROGRAM is None, reason="prometheus-alertmanager is missing")]
Labels = dict[str, str]


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    process, place = start(tmp_path_factory.mktemp("alerts"))
    try:
        until_s = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://{place}/-/ready", timeout=2).close()
                break
            except OSError:
                assert time.monotonic() < until_s
                if process.poll() is not None:  # somebody else has taken the port
                    process, place = start(tmp_path_factory.mktemp("alerts"))
                time.sleep(0.1)
        yield f"http://{place}/api/v2"
    finally:
        process.terminate()
        process.wait(10)


def start(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    assert PROGRAM is not None
    flags = [f"--config.file={CONFIG}", f"--web.listen-address={place}", "--cluster.listen-address="]
    argv = [PROGRAM, *flags, f"--storage.path={folder}"]
    return subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL), place


def tell(manager: str, *alerts: Labels) -> None:
    body = json.dumps([{"labels": alert} for alert in alerts]).encode()
    request = urllib.request.Request(f"{manager}/alerts", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()


def ask(manager: str, path: str) -> Any:
    with urllib.request.urlopen(f"{manager}/{path}", timeout=10) as answer:
        return json.load(answer)


def alert(name: str, instance: str = "", target: str = "", severity: str = "warning") -> Labels:
    labels = {"alertname": f"Wallprobe{name}", "instance": instance, "target": target, "severity": severity}
    return {key: value for key, value in labels.items() if value}


Found = TypeVar("Found")


def eventually(ask_again: Callable[[], Found], wanted: Found, within_s: float = 30.0) -> None:
    """Ask until the answer is this one: Alertmanager takes in what it is told beside the requests that tell it."""
    until_s = time.monotonic() + within_s
    while (found := ask_again()) != wanted:
        assert time.monotonic() < until_s, found
        time.sleep(0.02)


def silenced(manager: str, instance: str) -> dict[str, bool]:
    """Return for each alert of a vantage whether another one stands for it."""
    shown = [one for one in ask(manager, "alerts") if one["labels"].get("instance") == instance]
    return {one["labels"]["alertname"].removeprefix("Wallprobe"): bool(one["status"]["inhibitedBy"]) for one in shown}


DOUBTS = ("VerdictStale", "TargetImpaired", "ControlUnreachable")


@pytest.mark.parametrize(
    ("cause", "quiet", "loud"),
    [
        ("AgentDown", DOUBTS, ("TargetBlocked", "CertificateExpiresSoon")),
        ("VantageOffline", (*DOUBTS, "VantageDegraded"), ("TargetBlocked",)),
        ("VantageOffline", ("MassEvent", "ForeignCut"), ("TargetBlocked",)),
        ("MassEvent", ("TargetImpaired", "ControlUnreachable"), ("TargetBlocked", "VerdictStale")),
        ("ForeignCut", ("TargetImpaired", "ControlUnreachable"), ("TargetBlocked", "VerdictStale")),
        ("ShamInterference", ("TargetBlocked",), ("TargetImpaired",)),
    ],
)
def test_what_a_vantage_cannot_judge_is_not_told_and_what_is_known_of_it_is(
    manager: str, cause: str, quiet: tuple[str, ...], loud: tuple[str, ...]
) -> None:
    here, elsewhere = f"{cause}-{quiet[0]}-1", f"{cause}-{quiet[0]}-2"
    tell(manager, *(alert(name, place, "news") for place in (here, elsewhere) for name in (*quiet, *loud)))
    assert not any(silenced(manager, here).values())
    tell(manager, alert(cause, here, severity="critical"))
    told = {cause: False} | dict.fromkeys(quiet, True) | dict.fromkeys(loud, False)
    eventually(lambda: silenced(manager, here), told)
    assert not any(silenced(manager, elsewhere).values())


def test_a_block_is_told_through_an_offline_vantage_and_a_mass_event(manager: str) -> None:
    tell(manager, alert("TargetBlocked", "both-1", "news", "critical"), alert("MassEvent", "both-1"))
    tell(manager, alert("VantageOffline", "both-1", severity="critical"))
    # What came first was taken in first: by then both count.
    eventually(lambda: silenced(manager, "both-1")["MassEvent"], True)
    assert silenced(manager, "both-1")["TargetBlocked"] is False


def test_a_server_that_is_down_everywhere_is_told_once_and_no_other_target_with_it(manager: str) -> None:
    tell(manager, alert("TargetImpaired", "sh-9", "dead"), alert("TargetImpaired", "sh-8", "alive"))
    tell(manager, alert("TargetDownEverywhere", target="dead"))
    eventually(lambda: silenced(manager, "sh-9"), {"TargetImpaired": True})
    assert silenced(manager, "sh-8") == {"TargetImpaired": False}


def test_targets_of_one_vantage_come_in_one_message_and_another_vantage_in_its_own(manager: str) -> None:
    places = ("group-1", "group-2")
    tell(
        manager, *(alert("TargetBlocked", place, f"t-{number}", "critical") for place in places for number in range(5))
    )

    def messages() -> list[tuple[str, int]]:
        groups = [one for one in ask(manager, "alerts/groups") if one["labels"].get("instance") in places]
        return sorted((one["labels"]["instance"], len(one["alerts"])) for one in groups)

    def receivers() -> set[str]:
        groups = [one for one in ask(manager, "alerts/groups") if one["labels"].get("instance") == "group-1"]
        return {one["receiver"]["name"] for one in groups if one["labels"]["alertname"] == "WallprobeOverloaded"}

    eventually(messages, [("group-1", 5), ("group-2", 5)])
    tell(manager, alert("Overloaded", "group-1", severity="info"))
    eventually(receivers, {"quiet"})
