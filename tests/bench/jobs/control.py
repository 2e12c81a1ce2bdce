"""What a control server bears: CPU and time of a full request, 500 at once, memory over many.

A full request is DNS of this host and of one more resolver, TCP, TLS 1.3, the page over HTTPS and the answer with the
chain in it, asked over TLS with a token. The server has a core of its own; who asks shares the other with the servers
that are measured.
"""

import asyncio
import contextlib
import ssl
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import msgspec
import yaml

from probe.control.tokens import hash_token, make_token
from probe.control.wire import parse_answer
from probe.model.control import ControlRequest
from probe.model.observation import DNSLookup, HTTPExchange, TLSHandshake
from probe.model.target import CheckName
from tests.bench.children import Child
from tests.bench.figures import Figure, reading, spread_of
from tests.bench.host import pick_cores
from tests.bench.isolation import prepare_inside
from tests.bench.report import Outcome
from tests.bench.servers import NAME_SERVER, NETWORK, name_of, serve_world, write_resolv_conf

NEEDS_NAMESPACES = True
REQUESTS, QUICK_REQUESTS = 3000, 600
LIMIT_MS = 1000 / 150
"""At least 150 full requests a second on one core."""
TOGETHER = 500
IN_FLIGHT = 64
_NAMES = 200
_PORT = 8443
_READY_S = 15.0


def run(*, quick: bool, rounds: int) -> Outcome:
    """Ask round after round, then everybody at once."""
    servers_core, measured_core = pick_cores()
    requests = QUICK_REQUESTS if quick else REQUESTS
    with tempfile.TemporaryDirectory(prefix="bench-") as name, contextlib.ExitStack() as running:
        folder = Path(name)
        prepare_inside(write_resolv_conf(folder), NETWORK)
        world = running.enter_context(serve_world(folder, names=_NAMES, core=servers_core))
        token = make_token()
        argv = _write_control(folder, token, world.root_file)
        child = running.enter_context(Child(argv, core=measured_core, log=folder / "control.log"))
        child.wait_until(lambda: "listening" in (folder / "control.log").read_text(encoding="utf-8"), _READY_S)
        return asyncio.run(_measure(child, token, requests=requests, rounds=rounds, used=world.used))


def _write_control(folder: Path, token: str, root_file: Path) -> list[str]:
    written = {
        "listen": [f"127.0.0.1:{_PORT}"],
        "state": str(folder / "state"),
        "ca_file": str(root_file),
        "tokens": [{"name": "bench", "sha256": hash_token(token), "per_minute": 1_000_000}],
        "resolvers": [f"udp://{NAME_SERVER}"],
        "limits": {"concurrent": TOGETHER},
    }
    path = folder / "control.yml"
    path.write_text(yaml.safe_dump(written), encoding="utf-8")
    return [sys.executable, "-m", "probe", "control", "serve", "--config.file", str(path)]


async def _measure(child: Child, token: str, *, requests: int, rounds: int, used: str) -> Outcome:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    headers = {"Authorization": f"Bearer {token}"}
    cpu_ms: list[float] = []
    rates: list[float] = []
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:
        await _ask_many(session, requests // 2, IN_FLIGHT)
        before_mb = child.rss_mb()
        for _ in range(rounds):
            started_s, used_s = time.perf_counter(), child.cpu_s()
            await _ask_many(session, requests, IN_FLIGHT)
            cpu_ms.append((child.cpu_s() - used_s) / requests * 1e3)
            rates.append(requests / (time.perf_counter() - started_s))
        grown_mb = child.rss_mb() - before_mb
        started_s = time.perf_counter()
        await _ask_many(session, TOGETHER, TOGETHER)
        together_s = time.perf_counter() - started_s
        with_burst_mb = child.rss_mb()
    return Outcome(
        figures=[
            Figure(name="CPU per full request", spread=spread_of(cpu_ms), unit="ms", limit=LIMIT_MS),
            Figure(name="full requests per second", spread=spread_of(rates), unit="/s"),
            reading(f"{TOGETHER} at once, all answered after", together_s, "s", digits=2),
            reading("memory", before_mb, "MB", digits=1),
            reading(f"memory, grown over {requests * rounds} requests", grown_mb, "MB", digits=1),
            reading(f"memory after {TOGETHER} at once", with_burst_mb, "MB", digits=1),
        ],
        notes=[f"servers: {used}; asked over TLS, {IN_FLIGHT} in flight, {rounds} rounds of {requests}"],
    )


async def _ask_many(session: aiohttp.ClientSession, count: int, in_flight: int) -> None:
    """Ask so many times, so many at once, and see that each answer is whole."""
    numbers = iter(range(count))

    async def ask_on() -> None:
        for number in numbers:
            await _ask(session, number % _NAMES)

    await asyncio.gather(*(ask_on() for _ in range(in_flight)))


async def _ask(session: aiohttp.ClientSession, number: int) -> None:
    """Ask once.

    Raises:
        RuntimeError: something is missing from the answer.
    """
    request = ControlRequest(check=CheckName.WEB, host=name_of(number), port=443)
    async with session.post(f"https://127.0.0.1:{_PORT}/api/v1/measure", data=msgspec.json.encode(request)) as response:
        body = await response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {body[:200]!r}")
    seen = parse_answer(body).observations
    lookups = [one for one in seen if isinstance(one, DNSLookup) and one.addresses]
    shaken = [one for one in seen if isinstance(one, TLSHandshake) and one.verified and one.chain]
    pages = [one for one in seen if isinstance(one, HTTPExchange) and one.status == 200]
    if (len(lookups), len(shaken), len(pages)) != (2, 1, 1):
        raise RuntimeError(f"not a full answer: {body[:400]!r}")
