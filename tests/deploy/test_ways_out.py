"""The three ways to get metrics out of a vantage, each as deploy/README.md says, with the real Prometheus."""

import contextlib
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.commands import find_commands

ROOT = Path(__file__).parents[2]
README = ROOT / "deploy" / "README.md"
PROMETHEUS = ROOT / "deploy" / "prometheus"
SSHD = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is missing"),
]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def wait_for(found: Callable[[], Any], within_s: float = 30.0) -> Any:
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        with contextlib.suppress(OSError, ValueError):
            if value := found():
                return value
        time.sleep(0.2)
    raise AssertionError(f"not within {within_s} s")


def answers(port: int) -> bool:
    socket.create_connection(("127.0.0.1", port), 1).close()
    return True


class Start:
    """Starts processes that do not outlive the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: list[subprocess.Popen[bytes]] = []

    def __call__(self, *command: str, port: int, **options: Any) -> "subprocess.Popen[bytes]":
        log = (self.folder / f"log-{len(self._running)}").open("wb")
        with log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=self.folder, **options
            )
        self._running.append(process)
        try:
            wait_for(lambda: answers(port))
        except AssertionError:
            raise AssertionError((self.folder / f"log-{len(self._running) - 1}").read_text()[-2000:]) from None
        return process

    def agent(self, port: int, *more: str) -> None:
        self(sys.executable, "-m", "tests.deploy.serve", str(port), *more, port=port, env={"PYTHONPATH": str(ROOT)})

    def prometheus(self, config: dict[str, Any], port: int, *flags: str) -> "subprocess.Popen[bytes]":
        path = self.folder / f"prometheus-{port}.yml"
        path.write_text(yaml.safe_dump(config))
        place = f"--web.listen-address=127.0.0.1:{port}"
        return self("prometheus", f"--config.file={path}", place, *flags, port=port)

    def end(self) -> None:
        for process in reversed(self._running):
            if process.poll() is None:
                process.terminate()
        for process in self._running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    starting = Start(tmp_path)
    yield starting
    starting.end()


def ask(port: int, query: str) -> list[dict[str, Any]]:
    url = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        samples: list[dict[str, Any]] = json.load(answer)["data"]["result"]
        return samples


def job(number: int, place: str) -> dict[str, Any]:
    """Return a job of the scrape configuration that we ship, every second and at another place."""
    shipped = yaml.safe_load((PROMETHEUS / "scrape.yml").read_text())
    wanted: dict[str, Any] = shipped["scrape_configs"][number]
    wanted |= {"scrape_interval": "1s", "scrape_timeout": "1s"}
    wanted["static_configs"][0]["targets"] = [place]
    return wanted


def reachable(port: int) -> list[dict[str, Any]]:
    return ask(port, "wallprobe_target_reachable")


@pytest.mark.skipif(SSHD is None, reason="sshd is missing")
def test_through_a_tunnel(start: Start) -> None:
    agent, near, ssh, prometheus = (free_port() for _ in range(4))
    start.agent(agent)
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(start.folder / name)], check=True)
    allowed = start.folder / "authorized_keys"
    allowed.write_text((start.folder / "user.pub").read_text())
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # root's sshd does not start without it
    settings = ("UsePAM=no", "StrictModes=no", "PidFile=none", f"AuthorizedKeysFile={allowed}", "LogLevel=VERBOSE")
    options = [word for setting in settings for word in ("-o", setting)]
    start(str(SSHD), "-D", "-e", "-p", str(ssh), "-h", str(start.folder / "host"), "-o", "ListenAddress=127.0.0.1",
          *options, "-f", "/dev/null", port=ssh)  # fmt: skip
    (written,) = [command.text for command in find_commands(README) if command.text.startswith("ssh ")]
    words = shlex.split(written.replace("9785:127.0.0.1:9785", f"{near}:127.0.0.1:{agent}"))
    assert words.pop() == "vantage"
    key = ("-i", str(start.folder / "user"), "-p", str(ssh), "-o", "StrictHostKeyChecking=no")
    start(*words, *key, "-o", "UserKnownHostsFile=/dev/null", "127.0.0.1", port=near)
    start.prometheus({"scrape_configs": [job(0, f"127.0.0.1:{near}")]}, prometheus)
    samples = wait_for(lambda: reachable(prometheus))
    assert {sample["metric"]["instance"] for sample in samples} == {"sh-telecom-1"}


def test_over_tls_with_a_certificate_on_both_sides(start: Start) -> None:
    agent, prometheus, stranger = (free_port() for _ in range(3))
    text = README.read_text()
    for command in find_commands(README):
        if command.text.startswith("openssl "):
            subprocess.run(shlex.split(command.text), check=True, cwd=start.folder, capture_output=True)
    written = re.search(r"```yaml\n(   tls_server_config:.*?)```", text, re.DOTALL)
    assert written is not None
    (start.folder / "web.yml").write_text("\n".join(line[3:] for line in written[1].splitlines()))
    start.agent(agent, str(start.folder / "web.yml"))
    wanted = job(1, f"127.0.0.1:{agent}")
    names = {"ca_file": "ca.pem", "cert_file": "prometheus.pem", "key_file": "prometheus.key"}
    wanted["tls_config"] |= {key: str(start.folder / name) for key, name in names.items()}
    wanted["tls_config"]["server_name"] = "vantage.example"
    start.prometheus({"scrape_configs": [wanted]}, prometheus, "--storage.tsdb.path=data-1")
    assert len(wait_for(lambda: reachable(prometheus))) == 3

    other = job(1, f"127.0.0.1:{agent}")
    other["tls_config"] = {"ca_file": str(start.folder / "ca.pem"), "server_name": "vantage.example"}
    wrong = wanted | {"job_name": "wrong", "tls_config": dict(wanted["tls_config"])}
    wrong["tls_config"] |= {
        "cert_file": str(start.folder / "vantage.pem"),
        "key_file": str(start.folder / "vantage.key"),
    }
    start.prometheus({"scrape_configs": [other, wrong]}, stranger, "--storage.tsdb.path=data-2")
    wait_for(lambda: len(ask(stranger, "up == 0")) == 2)
    assert reachable(stranger) == []


@pytest.mark.timeout(180)
def test_by_an_agent_on_the_vantage_that_outlasts_a_cut(start: Start) -> None:
    agent, forwarder, receiver = (free_port() for _ in range(3))
    start.agent(agent)
    config = yaml.safe_load((PROMETHEUS / "agent.yml").read_text())
    config["global"]["scrape_interval"] = "1s"
    config["global"]["scrape_timeout"] = "1s"
    config["scrape_configs"][0]["static_configs"][0]["targets"] = [f"127.0.0.1:{agent}"]
    (remote,) = config["remote_write"]
    remote["url"] = f"http://127.0.0.1:{receiver}/api/v1/write"
    del remote["tls_config"]
    remote["queue_config"] |= {"batch_send_deadline": "1s", "max_backoff": "1s"}
    receive = ("--web.enable-remote-write-receiver", "--storage.tsdb.path=data-receiver")
    first = start.prometheus({"scrape_configs": []}, receiver, *receive)
    start.prometheus(config, forwarder, "--enable-feature=agent", "--storage.agent.path=data-agent")
    (up,) = wait_for(lambda: ask(receiver, 'up{job="wallprobe"} == 1'))
    assert up["metric"]["vantage"] == "sh-telecom-1"

    first.terminate()
    first.wait(20)
    cut_at = time.time()
    time.sleep(6)
    start.prometheus({"scrape_configs": []}, receiver, *receive)
    mended_at = time.time()

    def filled() -> bool:
        span = f"[{int(time.time() - cut_at) + 1}s]"
        (row,) = ask(receiver, f'up{{job="wallprobe"}}{span}')
        times = [at for at, _ in row["values"]]
        during = [at for at in times if cut_at + 1 < at < mended_at]
        return len(during) >= 3 and max(times) > mended_at

    wait_for(filled, 60)
