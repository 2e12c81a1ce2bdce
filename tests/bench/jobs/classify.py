"""How many of OONI's measurements `wallprobe classify --ooni` judges in a second of one core.

Three in four are of sites with eight addresses: one that works, one whose name is reset at each address, one that is
given forged addresses; the fourth is a site with one address. Real ones are about as long.
"""

import time
from typing import Any

import msgspec

from probe.cli.classify import render_row
from probe.knowledge.reference import load_reference
from probe.protocols.ooni_measurement import parse_measurement
from tests.bench.figures import Figure, spread_of
from tests.bench.report import Outcome
from tests.unit.protocols.ooni_worlds import World, page

NEEDS_NAMESPACES = False
LEAST_PER_S = 400
_URL, _NAME = "https://www.example.com/", "www.example.com"
_ADDRESSES = tuple(f"93.184.216.{number}" for number in range(34, 42))
_FORGED = tuple(f"31.13.94.{number}" for number in range(34, 42))
_MEASUREMENTS, _QUICK_MEASUREMENTS = 400, 120


def run(*, quick: bool, rounds: int) -> Outcome:
    """Judge the same lines again and again."""
    reference, _ = load_reference("")
    lines = [msgspec.json.encode(one) for one in (site(), reset(), forged(), site(_ADDRESSES[:1]))]
    count = _QUICK_MEASUREMENTS if quick else _MEASUREMENTS
    cpu_ms: list[float] = []
    for _ in range(rounds + 1):
        started_s = time.process_time()
        for number in range(count):
            render_row(parse_measurement(lines[number % len(lines)]), reference)
        cpu_ms.append((time.process_time() - started_s) / count * 1e3)
    spread = spread_of(cpu_ms[1:])
    return Outcome(
        figures=[Figure(name="CPU per measurement", spread=spread, unit="ms", limit=1000 / LEAST_PER_S)],
        notes=[f"{sum(map(len, lines)) // len(lines)} bytes a measurement, {count} a round"],
    )


def _control(world: World, addresses: tuple[str, ...]) -> World:
    places = {f"{address}:{port}": None for address in addresses for port in (443, 80)}
    return world.control(*addresses, tcp=places, tls={f"{address}:443": None for address in addresses})


def _named(addresses: tuple[str, ...]) -> World:
    world = World(_URL).lookup(_NAME, *addresses).lookup(_NAME, *addresses, engine="udp", resolver="8.8.8.8:53")
    return world.lookup(_NAME, *_ADDRESSES, engine="doh", resolver="https://dns.google/dns-query")


def site(addresses: tuple[str, ...] = _ADDRESSES) -> dict[str, Any]:
    """Return a measurement in which nothing is wrong."""
    world = _named(addresses)
    for number, address in enumerate(addresses):
        world.flow(address, 443, _NAME, page=None if number else page(_URL)).flow(address, 80)
    return _control(world, addresses).verdict(False, True)


def reset() -> dict[str, Any]:
    """Return one in which the name is reset at each address."""
    world = _named(_ADDRESSES)
    for address in _ADDRESSES:
        world.flow(address, 443, _NAME, tls="connection_reset").flow(address, 80)
    return _control(world, _ADDRESSES).verdict("http-failure", False)


def forged() -> dict[str, Any]:
    """Return one in which the name leads to somebody else's addresses, where nobody is."""
    world = _named(_FORGED)
    for address in _FORGED:
        world.flow(address, 443, _NAME, tcp="generic_timeout_error").flow(address, 80, tcp="generic_timeout_error")
    return _control(world, _ADDRESSES).verdict("dns", False)
