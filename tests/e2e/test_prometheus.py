"""The real Prometheus scrapes the daemon, with the rules that we ship: from a reset name to an alert and back."""

import contextlib
import json
import re
import shutil
import signal
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.conftest import ROOT, Daemon, Stage

SITE, FILTERED = "https://site-1.wall.example", "https://filtered.wall.example"
RULES = ROOT / "deploy" / "prometheus" / "wallprobe.rules.yml"
CONFIG = """
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{folder}/wallprobe.rules.yml]
scrape_configs:
  - job_name: wallprobe
    static_configs: [{{targets: ["127.0.0.1:9785"], labels: {{instance: e2e}}}}]
  - job_name: blackbox
    metrics_path: /probe
    params: {{module: [http_2xx]}}
    static_configs: [{{targets: ["https://site-1.wall.example", "https://filtered.wall.example"]}}]
    relabel_configs:
      - {{source_labels: [__address__], target_label: __param_target}}
      - {{source_labels: [__param_target], target_label: instance}}
      - {{target_label: __address__, replacement: "127.0.0.1:9785"}}
"""
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(not all(shutil.which(tool) for tool in ("prometheus", "curl")), reason="prometheus is missing"),
]


class Prometheus:
    """One that runs beside the daemon, in its network."""

    def __init__(self, stage: Stage) -> None:
        self._inside = stage.command()[: stage.command().index(f"--wd={ROOT}") + 1]
        rules = re.sub(r"for: (30s|\d+m|1h)\n", "for: 2s\n", RULES.read_text()).replace("keep_firing_for: 2s", "")
        self.folder = stage.folder
        (self.folder / "wallprobe.rules.yml").write_text(rules)
        config = self.folder / "prometheus.yml"
        config.write_text(CONFIG.format(folder=stage.folder))
        place = "--web.listen-address=127.0.0.1:9090"
        with (self.folder / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*self._inside, "prometheus", f"--config.file={config}", place,
                 f"--storage.tsdb.path={self.folder}/tsdb"], stdout=log, stderr=log,
            )  # fmt: skip

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query; none while it does not answer."""
        url = f"http://127.0.0.1:9090/api/v1/query?query={urllib.parse.quote(query)}"
        done = subprocess.run([*self._inside, "curl", "-s", url], capture_output=True, check=False, timeout=20)
        with contextlib.suppress(ValueError, KeyError):
            samples: list[dict[str, Any]] = json.loads(done.stdout)["data"]["result"]
            return samples
        return []

    def value(self, query: str) -> float | None:
        samples = self.ask(query)
        return float(samples[0]["value"][1]) if samples else None


@pytest.fixture
def prometheus(stage: Stage) -> Iterator[Callable[[], Prometheus]]:
    """Start one that does not outlive the test."""
    started: list[Prometheus] = []

    def begin() -> Prometheus:
        started.append(Prometheus(stage))
        return started[-1]

    yield begin
    for one in started:
        one.process.send_signal(signal.SIGTERM)
        one.process.wait(20)
        shutil.rmtree(one.folder / "tsdb", ignore_errors=True)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_block_becomes_an_alert_and_what_leaves_the_list_goes_stale(
    stage: Stage, start: Callable[..., Daemon], prometheus: Callable[[], Prometheus]
) -> None:
    stage.put(SITE, FILTERED)
    stage.configure(interval="3s")
    daemon = start()
    daemon.wait_until_ready()
    watching = prometheus()

    daemon.wait_for(lambda: watching.value('up{job="wallprobe"}') == 1, 40)
    daemon.wait_for(lambda: len(watching.ask("probe_success == 1")) == 2, 20)
    assert watching.ask("ALERTS{alertname='WallprobeTargetBlocked'}") == []
    daemon.wait_for(lambda: watching.value(f'probe_http_status_code{{instance="{SITE}"}}') == 200)
    assert watching.value("max(wallprobe_probe_age_seconds)") is not None

    stage.block("filtered.wall.example")
    firing = 'ALERTS{alertname="WallprobeTargetBlocked",alertstate="firing"}'
    (alert,) = daemon.wait_for(lambda: watching.ask(firing), 60)
    assert (alert["metric"]["target"], alert["metric"]["instance"]) == ("filtered.wall.example", "e2e")
    daemon.wait_for(lambda: watching.value(f'probe_success{{instance="{FILTERED}"}}') == 0, 20)
    assert watching.value(f'probe_success{{instance="{SITE}"}}') == 1

    stage.put(SITE)
    daemon.process.send_signal(signal.SIGHUP)
    gone = 'wallprobe_target_status{target="filtered.wall.example"}'
    began_s = time.monotonic()
    daemon.wait_for(lambda: not watching.ask(gone), 30)
    assert time.monotonic() - began_s < 30, "a stale marker, not the look-back of five minutes"
    assert watching.value('wallprobe_target_reachable{target="site-1.wall.example"}') == 1
    daemon.wait_for(lambda: watching.value(f'up{{instance="{FILTERED}"}}') == 0, 20)

    daemon.stop()
    deadline_s = time.monotonic() + 40
    while watching.value('up{job="wallprobe"}') != 0 and time.monotonic() < deadline_s:
        time.sleep(0.5)
    assert watching.value('up{job="wallprobe"}') == 0
    assert watching.ask("wallprobe_target_reachable") == []
    kept = "instance_target:wallprobe_interfered:max"
    time.sleep(5)
    assert {one["metric"]["target"] for one in watching.ask(kept)} >= {"site-1.wall.example"}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus-blackbox-exporter") is None, reason="blackbox_exporter is missing")
def test_a_probe_has_the_names_that_blackbox_exporter_gives_the_same_target(
    stage: Stage, start: Callable[..., Daemon]
) -> None:
    stage.put(SITE)
    stage.configure(interval="2s")
    daemon = start()
    daemon.wait_until_ready()
    config = stage.folder / "blackbox.yml"
    roots = f"tls_config: {{ca_file: {stage.folder}/root.pem}}"
    config.write_text(f"modules: {{http_2xx: {{prober: http, http: {{preferred_ip_protocol: ip4, {roots}}}}}}}\n")
    inside = stage.command()[: stage.command().index(f"--wd={ROOT}") + 1]
    with (stage.folder / "blackbox.log").open("wb") as log:
        process = subprocess.Popen(
            [*inside, "prometheus-blackbox-exporter", f"--config.file={config}",
             "--web.listen-address=127.0.0.1:9115"], stdout=log, stderr=log,
        )  # fmt: skip

    def names(port: int) -> set[str]:
        url = f"http://127.0.0.1:{port}/probe?target={SITE}&module=http_2xx"
        page = subprocess.run([*inside, "curl", "-s", url], capture_output=True, text=True, check=False).stdout
        assert port != 9115 or "probe_success 1" in page or not page, page
        found = re.findall(r"^(probe_\w+(?:\{phase=[^}]*\})?)", page, re.MULTILINE)
        return set(found)

    try:
        theirs = daemon.wait_for(lambda: names(9115))
        daemon.wait_for(lambda: names(9785) >= theirs, 15)
    finally:
        process.terminate()
        process.wait(10)
        assert names(9785) >= theirs, sorted(theirs - names(9785))
