"""Two thousand tunnel endpoints in a minute on one core: OpenVPN, WireGuard, IKEv2 and STUN, in equal parts.

The daemon that ships, each endpoint an address of its own; WireGuard goes to the proof with a key of its own, the
others to the hello that needs none. CPU is of the whole daemon since it began: start, verdicts, storing and /metrics
included. Beside it what the conversations alone cost, driven without sockets.
"""

import base64
import contextlib
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from probe.model.depth import Depth
from probe.protocols import load_specs
from probe.protocols.dialogue import Ask, Dialogue, Send
from tests.bench.bundled_tunnels import ANSWERS, CLIENT, PORTS, SERVER
from tests.bench.children import Child
from tests.bench.daemon import PORT, run_daemon
from tests.bench.figures import Figure, reading
from tests.bench.host import pick_cores
from tests.bench.isolation import prepare_inside
from tests.bench.report import Outcome
from tests.bench.scrape import fetch
from tests.bench.servers import NETWORK, address_of, serve_world, write_resolv_conf
from tests.dialogues.wireguard_server import public

NEEDS_NAMESPACES = True
ENDPOINTS, QUICK_ENDPOINTS = 2_000, 400
MINUTE_S = 60.0
HANDSHAKE_LIMITS_MS = {"openvpn": 0.5, "wireguard": 1.5}
_READY_S = 20.0
_USABLE = re.compile(
    rb'^wallprobe_target_status\{(?=[^}]*target="(?:%s))(?=[^}]*status="ok")[^}]*\} 1$' % "|".join(PORTS).encode(),
    re.MULTILINE,
)
_CONVERSATIONS = 200


def run(*, quick: bool, rounds: int) -> Outcome:
    """Run the daemon for as long as it takes, then the conversations alone."""
    endpoints = QUICK_ENDPOINTS if quick else ENDPOINTS
    servers_core, measured_core = pick_cores()
    os.umask(0o077)  # the list holds keys
    with tempfile.TemporaryDirectory(prefix="bench-") as name, contextlib.ExitStack() as running:
        folder = Path(name)
        prepare_inside(write_resolv_conf(folder), NETWORK)
        world = running.enter_context(serve_world(folder, names=10, core=servers_core))
        log = folder / "tunnels.log"
        argv = [sys.executable, "-m", "tests.bench.bundled_tunnels"]
        tunnels = running.enter_context(Child(argv, core=servers_core, log=log))
        tunnels.wait_until(lambda: b"ready" in log.read_bytes(), _READY_S)
        figures = _all(world, [link_of(number) for number in range(endpoints)], measured_core)
    for protocol, limit_ms in HANDSHAKE_LIMITS_MS.items():
        cost_ms = time_conversations(protocol) * 1e3
        figures.append(reading(f"CPU of a handshake, {protocol}", cost_ms, "ms", limit=limit_ms))
    return Outcome(figures=figures, notes=[f"{endpoints:,} endpoints, {', '.join(PORTS)}, all of them answering"])


def _all(world: object, links: list[str], core: int) -> list[Figure]:
    count = len(links)
    began_s = time.monotonic()
    with run_daemon(world, links, core=core, interval="1h", sockets=4_000) as daemon:
        while (usable := count_usable()) < count and time.monotonic() - began_s < 3 * MINUTE_S:
            time.sleep(0.5)
        taken_s, used_s = time.monotonic() - began_s, daemon.child.cpu_s()
    share = MINUTE_S * count / ENDPOINTS
    return [
        reading("CPU for all of them", used_s, "s", limit=share, digits=1),
        reading("CPU of an endpoint", used_s / count * 1e3, "ms"),
        reading("from start to the last of them", taken_s, "s", limit=MINUTE_S, digits=1),
        reading("not found usable", count - usable, "", limit=0, digits=0),
    ]


def count_usable() -> int:
    """Return how many of the endpoints are ok; anchors are targets too, and do not count."""
    return len(_USABLE.findall(fetch(PORT, "/metrics")))


def link_of(number: int) -> str:
    """Return the n-th endpoint, as a person writes it."""
    protocol = tuple(PORTS)[number % len(PORTS)]
    place = f"{address_of(number + 1000)}:{PORTS[protocol]}"
    if protocol != "wireguard":
        return f"{protocol}://{place}"
    key, server = (quote(base64.b64encode(one).decode(), safe="") for one in (CLIENT, public(SERVER)))
    return f"wireguard://{key}@{place}?publickey={server}&address=10.0.0.2"


def time_conversations(protocol: str) -> float:
    """Return the CPU seconds of one conversation that is answered at once."""
    spec, answer = load_specs()[protocol], ANSWERS[protocol]
    ask = Ask(
        entropy=os.urandom,
        params={"public_key": base64.b64encode(public(SERVER)).decode()},
        secrets={"private_key": base64.b64encode(CLIENT)},
        stamps=time.time_ns(),
        deepest=Depth.PROOF,
    )
    spent_s = 0.0
    for _ in range(_CONVERSATIONS):
        spent_s += _time_one(spec.start(ask), answer)
    return spent_s / _CONVERSATIONS


def _time_one(dialogue: Dialogue, answer: Callable[[bytes], bytes]) -> float:
    """Drive it, with the clock standing still while the server thinks."""
    spent_s, resume, last = 0.0, None, b""
    while True:
        began_s = time.process_time()
        try:
            event = dialogue.send(resume)
        except StopIteration:
            return spent_s + time.process_time() - began_s
        spent_s += time.process_time() - began_s
        resume = None
        if isinstance(event, Send):
            last = event.data
        elif type(event).__name__ == "Receive":
            resume = answer(last)
