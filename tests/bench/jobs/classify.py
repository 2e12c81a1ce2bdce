"""How many of OONI's measurements `wallprobe classify --ooni` judges in a second of one core, of the slowest kind.

All but one kind are of sites with eight addresses, which is about the longest that real ones are. Beside them, without
a limit: a long page held against a list as long as OONI's own fingerprints.
"""

import gc
import random
import time
from typing import Any

import msgspec

from probe.cli.commands.classify import render_row
from probe.knowledge.reference import load_reference
from probe.model.fingerprint import Fingerprint, FoundIn, Matching, Reference
from probe.protocols.ooni.measurement import parse_measurement
from tests.bench.figures import Figure, Spread, spread_of
from tests.bench.report import Outcome
from tests.unit.protocols.ooni_worlds import CLEAR, DENIED, World, page

NEEDS_NAMESPACES = False
LEAST_PER_S = 400
_URL, _NAME = "https://www.example.com/", "www.example.com"
_THERE, _THERE_NAME = "https://www.example.org/", "www.example.org"
_ADDRESSES = tuple(f"93.184.216.{number}" for number in range(34, 42))
_FORGED = tuple(f"31.13.94.{number}" for number in range(34, 42))
_SILENT = "generic_timeout_error"
_MEASUREMENTS, _QUICK_MEASUREMENTS = 100, 30
_LONG = "a page of 60 KB and 1,800 fingerprints"
_LETTERS = "etaoinshrdluдоступ"


def run(*, quick: bool, rounds: int) -> Outcome:
    """Judge the same lines of each kind again and again, kind after kind in each round."""
    own, _ = load_reference()
    references = {_LONG: make_list()}
    lines = {kind: msgspec.json.encode(one) for kind, one in {**make_kinds(), _LONG: make_long_page()}.items()}
    count = _QUICK_MEASUREMENTS if quick else _MEASUREMENTS
    cpu_ms: dict[str, list[float]] = {kind: [] for kind in lines}
    gc.collect()
    for turn in range(rounds + 1):
        for kind, line in lines.items():
            started_s = time.process_time()
            reference = references.get(kind, own)
            for _ in range(count):
                render_row(parse_measurement(line), reference)
            if turn:  # the first warms up
                cpu_ms[kind].append((time.process_time() - started_s) / count * 1e3)
    spreads = {kind: spread_of(readings) for kind, readings in cpu_ms.items()}
    slowest = max((spread for kind, spread in spreads.items() if kind != _LONG), key=lambda spread: spread.median)
    return Outcome(
        figures=[
            *(_figure(kind, spread, limit=None) for kind, spread in spreads.items()),
            _figure("the slowest kind", slowest, limit=1000 / LEAST_PER_S),
        ],
        notes=[f"{sum(map(len, lines.values())) // len(lines)} bytes a measurement, {count} of each kind a round"],
    )


def _figure(kind: str, spread: Spread, *, limit: float | None) -> Figure:
    return Figure(name=f"CPU per measurement, {kind}", spread=spread, unit="ms", limit=limit)


def make_kinds() -> dict[str, dict[str, Any]]:
    """Return a measurement of each kind."""
    nowhere = World(_URL).lookup(_NAME, failure="dns_nxdomain_error")
    nowhere.lookup(_NAME, *_ADDRESSES, engine="doh", resolver="https://dns.google/dns-query")
    return {
        "all well": _secure(_ADDRESSES),
        "one address": _secure(_ADDRESSES[:1]),
        "reset": _secure(_ADDRESSES, tls="connection_reset", says="http-failure"),
        "closed": _secure(_ADDRESSES, tls="eof_error", says="http-failure"),
        "silent name": _secure(_ADDRESSES, tls=_SILENT, says="http-failure"),
        "foreign certificate": _secure(_ADDRESSES, tls="ssl_unknown_authority", says=False),
        "silent address": _secure(_ADDRESSES, tcp=_SILENT, says="tcp_ip"),
        "forged answer": _control(_flows(_named(_FORGED), _FORGED, tcp=_SILENT), _ADDRESSES).verdict("dns", False),
        "name denied": _control(_flows(nowhere, _ADDRESSES), _ADDRESSES).verdict("dns", False),
        "block page": _clear(page(CLEAR, body=DENIED)),
        "reset request": _clear(page(CLEAR, failure="connection_reset")),
        "reset after a redirect": _redirected(),
    }


def make_list() -> Reference:
    """Return a list with as many rows of each kind as OONI's has."""
    dice = random.Random(1)
    phrases = [" ".join(_invent(dice) for _ in range(dice.randint(2, 12))) for _ in range(1300)]
    found = [_mark(f"<p>{phrase}", FoundIn.BODY) for phrase in phrases]
    found += [_mark(f"http://block{number}.isp.example", FoundIn.HEADER) for number in range(400)]
    found += [_mark(f"<title>(Blocked|Denied) {n}[^<]*</title>", FoundIn.BODY, Matching.REGEXP) for n in range(14)]
    return Reference(fingerprints=tuple(found))


def _invent(dice: random.Random) -> str:
    """Return a word of a language of its own."""
    return "".join(dice.choices(_LETTERS, k=dice.randint(3, 9)))


def _mark(pattern: str, found_in: FoundIn, matching: Matching = Matching.CONTAINS) -> Fingerprint:
    return Fingerprint(
        name=pattern, scope="isp", found_in=found_in, header="location", matching=matching, pattern=pattern
    )  # fmt: skip


def make_long_page() -> dict[str, Any]:
    """Return a measurement with a page in the list's language, of about the length of a portal's."""
    dice = random.Random(2)
    text = "".join(f"<p>{_invent(dice)} {_invent(dice)}</p>" for _ in range(2700))
    world = _named(_ADDRESSES, CLEAR)
    for number, address in enumerate(_ADDRESSES):
        world.flow(address, 80, page=None if number else page(CLEAR, body=text)).flow(address, 443, _NAME)
    return _control(world, _ADDRESSES).verdict(False, True)


def _named(addresses: tuple[str, ...], url: str = _URL) -> World:
    world = World(url).lookup(_NAME, *addresses).lookup(_NAME, *addresses, engine="udp", resolver="8.8.8.8:53")
    return world.lookup(_NAME, *_ADDRESSES, engine="doh", resolver="https://dns.google/dns-query")


def _flows(world: World, addresses: tuple[str, ...], **how: Any) -> World:
    """Dial each address at both ports, and ask the first for the page."""
    for number, address in enumerate(addresses):
        world.flow(address, 443, _NAME, page=None if number else page(_URL), **how)
        world.flow(address, 80, tcp=how.get("tcp"))
    return world


def _control(world: World, addresses: tuple[str, ...]) -> World:
    places = {f"{address}:{port}": None for address in addresses for port in (443, 80)}
    return world.control(*addresses, tcp=places, tls={f"{address}:443": None for address in addresses})


def _secure(addresses: tuple[str, ...], *, says: str | bool = False, **how: Any) -> dict[str, Any]:
    return _control(_flows(_named(addresses), addresses, **how), addresses).verdict(says, not says)


def _clear(shown: dict[str, Any]) -> dict[str, Any]:
    world = _named(_ADDRESSES, CLEAR)
    for address in _ADDRESSES:
        world.flow(address, 80, page=shown).flow(address, 443, _NAME)
    return _control(world, _ADDRESSES).verdict("http-diff", False)


def _redirected() -> dict[str, Any]:
    world = _named(_ADDRESSES)
    for number, address in enumerate(_ADDRESSES):
        world.flow(address, 443, _NAME, page=None if number else page(_URL, 308, "", location=_THERE))
    world.lookup(_THERE_NAME, *_FORGED, depth=1)
    for address in _FORGED:
        world.flow(address, 443, _THERE_NAME, tls="connection_reset", depth=1)
    return _control(world, _ADDRESSES).verdict("http-failure", False)
