"""`wallprobe run` as a job's subject: the daemon that ships, told what to do by its configuration alone."""

import contextlib
import http.client
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import yaml

from tests.bench.children import Child
from tests.bench.scrape import fetch, sum_samples
from tests.bench.servers import ZONE, World

PORT = 9785
_READY_S = 60.0
_RUNS = "wallprobe_check_runs_total"


class Daemon:
    """One running daemon."""

    def __init__(self, world: World, child: Child, configuration: dict[str, Any]) -> None:
        self.child = child
        self._world = world
        self._configuration = configuration

    def scrape(self) -> bytes:
        """Return its metrics, as a scraper gets them."""
        return fetch(PORT, "/metrics")

    def answers(self) -> bool:
        """Tell whether it serves."""
        try:
            return bool(fetch(PORT, "/-/healthy"))
        except (OSError, http.client.HTTPException, RuntimeError):
            return False

    def runs(self) -> int:
        """Return how many checks it has finished."""
        return int(sum_samples(self.scrape(), _RUNS))

    def wait_for_runs(self, count: int, timeout_s: float) -> None:
        """Wait until so many checks are finished.

        Raises:
            RuntimeError: that took too long.
        """
        deadline_s = time.monotonic() + timeout_s
        while (done := self.runs()) < count:
            if time.monotonic() > deadline_s:
                raise RuntimeError(f"{done} of {count} checks in {timeout_s} s")
            time.sleep(0.5)

    def reload(self, interval: str) -> None:
        """Give all targets another interval and have the configuration read again."""
        self._configuration["targets"][0]["interval"] = interval
        _write(self._world, self._configuration)
        fetch(PORT, "/-/reload", method="POST")


def _write(world: World, configuration: dict[str, Any]) -> str:
    path = world.folder / "wallprobe.yml"
    path.write_text(yaml.safe_dump(configuration, sort_keys=False), encoding="utf-8")
    return str(path)


@contextlib.contextmanager
def run_daemon(
    world: World, addresses: Sequence[str], *, core: int, interval: str, sockets: int, **sections: Any
) -> Iterator[Daemon]:
    """Start a daemon with these targets and a fresh database; it is stopped with the block."""
    folder = world.folder
    (folder / "targets.txt").write_text("\n".join((*addresses, "")), encoding="utf-8")
    database = folder / "bench.db"
    for left in folder.glob("bench.db*"):
        left.unlink()
    configuration = {
        "vantage": {"id": "bench", "country": "ZZ"},
        "targets": [{"file": "targets.txt", "interval": interval}],
        "anchors": {
            "foreign": [f"https://t{number}.{ZONE}" for number in range(1, 6)],
            "domestic": [f"https://t{number}.{ZONE}" for number in range(6, 8)],
            "portal": f"http://t8.{ZONE}/generate_204",
            "sham": [f"https://t9.{ZONE}"],
        },
        "resolvers": [],
        "limits": {"connections_per_s": 100_000, "dns_per_s": 100_000, "sockets": sockets, "bytes_per_day": "1TB"},
        "store": {"path": str(database)},
        "web": {"listen": f"127.0.0.1:{PORT}"},
        **sections,
    }
    path = _write(world, configuration)
    argv = [sys.executable, "-m", "probe", "run", "--config.file", path, "--accept-risk", "--log.level", "error"]
    environment = {"SSL_CERT_FILE": str(world.root_file)}
    with Child(argv, core=core, log=folder / "daemon.log", environment=environment) as child:
        daemon = Daemon(world, child, configuration)
        child.wait_until(daemon.answers, _READY_S)
        yield daemon
