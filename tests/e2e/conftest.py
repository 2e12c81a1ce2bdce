"""The daemon as a process in a sealed network, and ways to look at it."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from probe.model.measurement import Measurement
from probe.model.settings import StoreSettings
from probe.net.clock import SystemClock
from probe.store.store import Store

ROOT = Path(__file__).parents[2]
NAMESERVER = "45.90.0.53"
PATIENCE_S = 60.0
"""With a machine that does other things as well: no limit of the agent's own, those are said where they are tested."""
CONFIG = """
vantage: {{id: e2e, country: DE}}
targets: [{{file: {folder}/sites.txt}}]
defaults: {{interval: {interval}, timeout: 3s}}
anchors:
  foreign: [https://anchor-1.wall.example, https://anchor-2.wall.example]
  domestic: [https://anchor-1.wall.example]
  portal: ""
  sham: [https://site-9.wall.example]
resolvers: []
tls: {{ca_file: {folder}/root.pem}}
limits: {{cool_down: {cool_down}}}
store: {{path: {folder}/state/wallprobe.db}}
"""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=10)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(self._path))


class Stage:
    """The sealed network, seen from outside."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes]") -> None:
        self.folder = folder
        self.process = process
        self.block()
        self.fail()

    def block(self, *names: str) -> None:
        """Let the filter reset these names from now on."""
        (self.folder / "blocked").write_text(" ".join(names))

    def fail(self, *names: str) -> None:
        """Let these sites answer 503 from now on."""
        (self.folder / "answers").write_text(json.dumps(names))

    def put(self, *targets: str, lists: str = "sites.txt") -> None:
        (self.folder / lists).write_text("".join(f"{target}\n" for target in targets))

    def configure(self, *, interval: str = "2s", cool_down: str = "1s", more: str = "") -> Path:
        """Write the configuration; `more` is put at its end."""
        path = self.folder / "wallprobe.yml"
        text = CONFIG.format(folder=self.folder, interval=interval, cool_down=cool_down)
        path.write_text(text + more)
        return path

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that runs `wallprobe` inside."""
        inside = ["nsenter", "-t", str(self.process.pid), "-U", "--preserve-credentials", "-n", "-m", f"--wd={ROOT}"]
        return [*inside, sys.executable, "-m", "probe", *arguments]

    def run(self, *arguments: str, timeout_s: float = 100.0, **environ: str) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end."""
        return subprocess.run(
            self.command(*arguments), capture_output=True, text=True, timeout=timeout_s, check=False,
            env={**os.environ, **environ},
        )  # fmt: skip

    def start(self, *arguments: str, **environ: str) -> "Daemon":
        return Daemon(self, arguments, environ)

    def stored(self) -> list[Measurement]:
        """Return all measurements that are kept whole."""
        settings = StoreSettings(path=str(self.folder / "state" / "wallprobe.db"))
        with Store.open(settings, SystemClock(), read_only=True) as store:
            return list(store.iterate_measurements())

    def get(self, path: str, method: str = "GET") -> tuple[int, str]:
        """Ask the daemon's web server."""
        connection = _UnixConnection(self.folder / "web.sock")
        with contextlib.closing(connection):
            connection.request(method, path, headers={"Host": "localhost"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


class Daemon:
    """`wallprobe run` inside; its log goes to a file."""

    def __init__(self, stage: Stage, arguments: tuple[str, ...], environ: dict[str, str]) -> None:
        self.stage = stage
        self.log_path = stage.folder / f"log-{time.monotonic_ns()}"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                stage.command("run", "--config.file", str(stage.folder / "wallprobe.yml"), *arguments),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, **environ},
            )  # fmt: skip

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def wait_for(self, found: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
        """Return what `found` returns once it is true."""
        until_s = time.monotonic() + within_s
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if value := found():
                    return value
            assert self.process.poll() is None, f"the daemon ended:\n{self.log}"
            assert time.monotonic() < until_s, f"not within {within_s} s:\n{self.log[-3000:]}"
            time.sleep(0.1)

    def wait_until_ready(self, within_s: float = PATIENCE_S) -> None:
        self.wait_for(lambda: self.stage.get("/-/ready")[0] == 200, within_s)

    def metrics(self) -> str:
        with contextlib.suppress(OSError, http.client.HTTPException):
            return self.stage.get("/metrics")[1]
        return ""

    def sample(self, start: str) -> float | None:
        """Return the value of the first line that begins so."""
        line = next((line for line in self.metrics().splitlines() if line.startswith(start)), None)
        return None if line is None else float(line.split(" # ")[0].rsplit(" ", 1)[1])

    def stop(self) -> float:
        """End it as systemd would; return how long it took."""
        started_s = time.monotonic()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return time.monotonic() - started_s

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(5)


@pytest.fixture(scope="module")
def sealed() -> Iterator[Stage]:
    """A network for the tests of one file."""
    tools = all(shutil.which(tool) for tool in ("unshare", "nsenter", "ip", "mount"))
    if not tools or subprocess.run(["unshare", "-rnm", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this host allows no namespaces")
    with tempfile.TemporaryDirectory(prefix="wallprobe-e2e-") as name:
        folder = Path(name)
        (folder / "resolv.conf").write_text(f"nameserver {NAMESERVER}\n")
        (folder / "blocked").touch()
        process = subprocess.Popen(
            ["unshare", "-rnm", sys.executable, str(Path(__file__).with_name("stage.py")), name],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield Stage(folder, process)
        finally:
            process.stdin.close()
            process.wait(10)


@pytest.fixture
def stage(sealed: Stage) -> Stage:
    """The network with an empty state folder."""
    sealed.block()
    sealed.fail()
    shutil.rmtree(sealed.folder / "state", ignore_errors=True)
    return sealed


@pytest.fixture
def start(stage: Stage) -> Iterator[Callable[..., Daemon]]:
    """Start daemons that do not outlive the test."""
    started: list[Daemon] = []

    def begin(*arguments: str, **environ: str) -> Daemon:
        started.append(stage.start(*arguments, **environ))
        return started[-1]

    yield begin
    for daemon in started:
        if daemon.process.poll() is None:
            daemon.kill()
