"""blackbox_exporter as the peer: its cheapest honest setting, scraped with gzip as Prometheus does.

`GOMAXPROCS=1`; the private root as system root, since a `ca_file` in the module is read again for each probe; IPv4
alone, because that is what this world has and what we ask for.
"""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlencode

from tests.bench.children import Child
from tests.bench.host import find_program
from tests.bench.scrape import fetch, probe_all, read_body
from tests.bench.servers import World, name_of

PORT = 9115
_READY_S = 20.0
_MODULES = """
modules:
  http_2xx:
    prober: http
    timeout: 10s
    http: {preferred_ip_protocol: ip4, ip_protocol_fallback: false}
"""
_PROOF = (b"\nprobe_success 1\n", b"\nprobe_http_status_code 200\n", b"probe_ssl_last_chain_expiry_timestamp_seconds")


class Blackbox:
    """A running exporter."""

    def __init__(self, child: Child) -> None:
        self.child = child

    def answers(self) -> bool:
        """Tell whether it serves."""
        try:
            return bool(fetch(PORT, "/-/healthy"))
        except (OSError, RuntimeError):
            return False

    def check(self, numbers: range, *, connections: int) -> float:
        """Probe these names once each; return the CPU seconds of one probe.

        Raises:
            RuntimeError: not every probe was complete.
        """
        paths = ["/probe?" + urlencode({"target": f"https://{name_of(n)}", "module": "http_2xx"}) for n in numbers]
        before_s = self.child.cpu_s()
        answers = probe_all(PORT, paths, connections=connections)
        used_s = self.child.cpu_s() - before_s
        complete = sum(all(proof in page for proof in _PROOF) for page in map(read_body, answers))
        if complete != len(paths):
            raise RuntimeError(f"blackbox_exporter: {complete} of {len(paths)} probes complete")
        return used_s / len(paths)


@contextlib.contextmanager
def run_blackbox(world: World, *, core: int) -> Iterator[Blackbox | None]:
    """Run one for as long as the block lasts; `None` = it is not installed."""
    program = find_program("prometheus-blackbox-exporter") or find_program("blackbox_exporter")
    if program is None:
        yield None
        return
    path = world.folder / "blackbox.yml"
    path.write_text(_MODULES, encoding="utf-8")
    argv = [program, f"--config.file={path}", f"--web.listen-address=127.0.0.1:{PORT}", "--log.level=error"]
    environment = {"GOMAXPROCS": "1", "SSL_CERT_FILE": str(world.root_file), "SSL_CERT_DIR": str(world.folder)}
    with Child(argv, core=core, log=world.folder / "blackbox.log", environment=environment) as child:
        blackbox = Blackbox(child)
        child.wait_until(blackbox.answers, _READY_S)
        yield blackbox
