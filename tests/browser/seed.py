"""A vantage that has run for a week, made up: 10,000 targets with hours, episodes, events and some whole measurements.

Rows go into the database directly, as the writer would have put them: 24 hours of runs one by one would take minutes.
"""

import itertools
import random
from pathlib import Path

import msgspec

from probe.model.episode import Episode, Event, EventKind, Interval
from probe.model.measurement import Measurement
from probe.model.pattern import Pattern
from probe.model.settings import StoreSettings
from probe.model.snapshot import Phase, TargetSnapshot
from probe.model.target import CheckName, Target
from probe.model.vantage import AnchorResult, Baseline, Vantage, VantageState
from probe.model.verdict import Cause, Confidence, Depth, Status, Verdict
from probe.net.clock import SystemClock
from probe.store.cards import HOUR_MS
from probe.store.schema import connect, prepare
from probe.store.segments import encode_phases
from probe.store.store import Store
from tests.golden.test_golden import read

NOW = 1_795_975_500.0
"""A Sunday in November 2026, 18:05 UTC."""
WHOLE = {
    7: ("tls.reset.sni.injected", Pattern.TLS_RESET_SNI, Status.BLOCKED, Cause.NETWORK),
    19: ("dns.injection.race.truth_shown", Pattern.DNS_INJECTION_RACE, Status.BLOCKED, Cause.NETWORK),
    31: ("ip.drop.elsewhere_ok", Pattern.IP_DROP, Status.LIKELY_BLOCKED, Cause.NETWORK),
    43: ("http.blockpage.country_fingerprint", Pattern.HTTP_BLOCKPAGE, Status.BLOCKED, Cause.NETWORK),
    55: ("srv.cert_expired.chain_valid", Pattern.SRV_CERT_EXPIRED, Status.SERVER_SIDE, Cause.SERVER),
    67: ("vpn.closed.unproven", Pattern.VPN, Status.INSUFFICIENT, Cause.UNKNOWN),
}
"""Number of a target → the golden case that its last measurement is, and how it stands."""
_KINDS = (
    (Status.BLOCKED, Pattern.TLS_RESET_SNI, Cause.NETWORK, Confidence.C3),
    (Status.BLOCKED, Pattern.DNS_INJECTION_RACE, Cause.NETWORK, Confidence.C3),
    (Status.LIKELY_BLOCKED, Pattern.TLS_TIMEOUT_SNI, Cause.NETWORK, Confidence.C2),
    (Status.LIKELY_BLOCKED, Pattern.IP_DROP, Cause.NETWORK, Confidence.C2),
    (Status.DEGRADED, Pattern.QUIC_TIMEOUT_SNI, Cause.NETWORK, Confidence.C2),
    (Status.SERVER_SIDE, Pattern.SRV_GEOBLOCK_HTTP, Cause.SERVER, Confidence.C2),
    (Status.DOWN, Pattern.SRV_DOWN, Cause.OUTAGE, Confidence.C2),
    (Status.IMPAIRED, Pattern.TCP, Cause.UNKNOWN, Confidence.C1),
)
_WORDS = (
    "amber",
    "birch",
    "cedar",
    "delta",
    "ember",
    "fable",
    "grove",
    "haven",
    "iris",
    "juniper",
    "heron",
    "linden",
)
_ENDS = ("courier", "forum", "gazette", "library", "mail", "news", "post", "radio", "review", "times", "video", "wiki")
_CATEGORIES = ("NEWS", "HUMR", "COMM", "SRCH", "MMED", "ANON", "CULTR", "GRP")
_SENTENCES = {
    Pattern.TLS_RESET_SNI: "The connection is reset as soon as the name is sent; a neutral name goes through.",
    Pattern.DNS_INJECTION_RACE: "A forged DNS answer arrives before the real one.",
}


def make_target(number: int) -> Target:
    word, end = _WORDS[number % 12], _ENDS[number // 12 % 12]
    host = f"www.{word}-{end}-{number:04}.example"
    vpn = number % 40 == 27
    return Target(
        id=f"{'vpn' if vpn else 'web'}-{host.replace('.', '-')}",
        check=CheckName.VPN if vpn else CheckName.WEB,
        address=f"openvpn://{host}:1194" if vpn else f"https://{host}/",
        host=host,
        port=1194 if vpn else 443,
        category="" if vpn else _CATEGORIES[number // 7 % 8],
        group="vpn" if vpn else "sites-foreign" if number % 3 else "customers",
    )


class Made(msgspec.Struct):
    """One target and what became of it."""

    number: int
    target: Target
    status: Status = Status.OK
    pattern: Pattern | None = None
    cause: Cause = Cause.NONE
    confidence: Confidence = Confidence.C0
    began_at: float = NOW - 7 * 86400
    measurement: Measurement | None = None


def make(count: int) -> list[Made]:
    """Return the targets, one in eleven in trouble."""
    dice = random.Random(4711)
    made = []
    for number in range(count):
        one = Made(number=number, target=make_target(number))
        if number in WHOLE:
            rule, one.pattern, one.status, one.cause = WHOLE[number]
            one.confidence = Confidence.C3 if one.status is Status.BLOCKED else Confidence.C2
            one.began_at = NOW - 3600 * (2 + number / 7)
            one.measurement = _rebuild(rule, one)
        elif number % 11 == 3:
            one.status, one.pattern, one.cause, one.confidence = _KINDS[number // 11 % len(_KINDS)]
            one.began_at = NOW - dice.choice((900, 5400, 14_000, 40_000, 90_000, 400_000)) - dice.random() * 900
        made.append(one)
    return made


def _rebuild(rule: str, one: Made) -> Measurement:
    """Return a golden case as a measurement of this target; its names stay those of the case."""
    recorded = read(rule, "fires")
    found = recorded.verdict
    assert (found.status, found.cause) == (one.status, one.cause), f"{rule} says something else today"
    assert found.patterns[:1] == ((one.pattern,) if one.pattern else ())
    return Measurement(
        id=f"01M8{one.number:022}",
        target=one.target,
        vantage=VANTAGE,
        started_at=NOW - 200,
        runtime_s=2.4,
        observations=recorded.case.observations,
        experiments=recorded.case.experiments,
        baseline=recorded.case.baseline,
        verdict=found,
    )


VANTAGE = Vantage(id="sh-telecom-1", asn=64496, country_code="CN", families=(4,), software_version="0.1.0")
BASELINE = Baseline(
    id="b1",
    quick=False,
    started_at=NOW - 21,
    started_boot_s=5000.0,
    runtime_s=0.4,
    state=VantageState.ONLINE,
    gateway_ok=True,
    resolvers_ok=2,
    resolvers_total=2,
    anchors=tuple(
        AnchorResult(address=f"https://anchor-{n}.example/", group="foreign" if n < 4 else "domestic", ok=n != 2,
                     rtt_s=0.04 + n / 90, failure="generic_timeout_error" if n == 2 else "")
        for n in range(6)
    ),
    families=(4,),
    udp_ok=True,
    clock_offset_s=0.2,
)  # fmt: skip


def snapshot_of(one: Made) -> TargetSnapshot:
    """Return what the board would show."""
    ok = one.status is Status.OK
    summary = _SENTENCES.get(one.pattern, "Other names pass, this one does not.") if one.pattern else ""
    verdict = Verdict(
        status=one.status,
        patterns=(one.pattern,) if one.pattern else (),
        cause=one.cause,
        confidence=one.confidence,
        depth=Depth.PAGE if ok else Depth.REACH,
        summary=summary,
        locus="hop 6, AS64500" if one.pattern is Pattern.TLS_RESET_SNI else "unknown",
    )
    since = Interval(last_before=None if ok else one.began_at - 300, first_in=one.began_at)
    return TargetSnapshot(
        target=one.target,
        verdict=one.measurement.verdict if one.measurement is not None else verdict,
        episode=Episode(target=one.target.id, since=since, status=one.status),
        measurement=one.measurement.id if one.measurement is not None else f"01M7{one.number:022}",
        last_run_at=NOW - 197,
        last_ok_at=NOW - 197 if ok else one.began_at - 300,
        valid_until=NOW + 700,
        duration_s=0.21 if ok else 2.4,
        runs_total=2016,
        failures_total=0 if ok else int((NOW - one.began_at) // 300) + 1,
    )


def seed(path: Path, made: list[Made], hours: int = 168) -> Store:
    """Write the database, and open it."""
    # The first opening makes the tables; the rows then go in behind its back.
    with Store.open(StoreSettings(path=str(path)), SystemClock()) as store:
        for one in made:
            if one.measurement is not None:
                store.add(one.measurement, whole=True)
        store.flush_now(20.0)
    connection = connect(str(path))
    prepare(connection, str(path))
    connection.execute("BEGIN")
    connection.executemany(
        "INSERT OR IGNORE INTO targets (id, address) VALUES (?,?)", ((m.target.id, m.target.address) for m in made)
    )
    numbers = dict(connection.execute("SELECT id, no FROM targets"))
    connection.execute("DELETE FROM runs")
    connection.execute("DELETE FROM events")
    connection.executemany(
        "INSERT INTO segments VALUES (?,?,?,?,?,?,?,?,?,?)", itertools.chain.from_iterable(
            _segments(one, numbers[one.target.id], hours) for one in made)
    )  # fmt: skip
    connection.executemany(
        "INSERT INTO runs VALUES (?,?,?,?,?,?,?,?,?,?)",
        itertools.chain.from_iterable(_runs(one, numbers[one.target.id], hours) for one in made),
    )
    for one in made:
        if one.status is Status.OK:
            _write_fine(connection, one, numbers[one.target.id])
        else:
            _write_episode(connection, one, numbers[one.target.id])
    connection.execute("COMMIT")
    connection.close()
    return Store.open(StoreSettings(path=str(path)), SystemClock(), read_only=True)


_PHASES = [
    encode_phases(
        tuple(
            Phase(name=name, family=4, duration_s=took * (1 + 0.5 * ((shake * 7919) % 97) / 97))
            for name, took in (("resolve", 0.021), ("connect", 0.05), ("tls", 0.055), ("first_byte", 0.06))
        )
    )
    for shake in range(97)
]
_FIRST_PHASES = encode_phases(
    tuple(Phase(name=name, family=4, duration_s=took) for name, took in (("resolve", 0.024), ("connect", 0.06)))
)


def _hours(hours: int) -> range:
    last = int(NOW // 3600)
    return range(last - hours + 1, last + 1)


def _segments(one: Made, number: int, hours: int):
    ends = NOW - 197 if one.status is Status.OK else one.began_at - 300
    for hour in _hours(hours):
        first, last = hour * HOUR_MS + number % 300 * 1000, min((hour + 1) * HOUR_MS - 1000, int(ends * 1000))
        if first > last or (hour % 168 in (30, 31, 32) and number % 2):
            continue  # the second half of the list was not measured for three hours
        phases = _PHASES[(number + hour) % 97]
        yield hour, number, 0, first, last, 12, 150_000, 2_400_000, 410_000, phases


def _runs(one: Made, number: int, hours: int):
    if one.status is Status.OK:
        return
    at, first = one.began_at, _hours(hours)[0] * 3600
    pattern = one.pattern.value if one.pattern else ""
    step = 0
    while at < NOW - 150:
        if at >= first:
            yield (int(at // 3600), number, int(at * 1000), f"01M6{number:010}{step:012}", one.status.value, pattern,
                   one.cause.value, int(one.confidence), 2_400_000, _FIRST_PHASES)  # fmt: skip
        at += 300 if at > NOW - 7200 else 3600
        step += 1


def _write_fine(connection, one: Made, number: int) -> None:
    since = Interval(last_before=None, first_in=NOW - 7 * 86400)
    episode = Episode(target=one.target.id, since=since, status=Status.OK, last_run_at=NOW - 197)
    connection.execute(
        "INSERT INTO episodes (target_no, first_ms, ended_ms, data) VALUES (?,?,?,?)",
        (number, int(since.first_in * 1000), None, msgspec.msgpack.encode(episode)),
    )


def _write_episode(connection, one: Made, number: int) -> None:
    since = Interval(last_before=one.began_at - 300, first_in=one.began_at)
    episode = Episode(
        target=one.target.id,
        since=since,
        status=one.status,
        patterns=(one.pattern,) if one.pattern else (),
        cause=one.cause,
        confidence=one.confidence,
        last_run_at=NOW - 197,
    )
    before = Episode(
        target=one.target.id,
        since=Interval(last_before=None, first_in=NOW - 7 * 86400),
        status=Status.OK,
        ended=since,
    )
    for each, ended in ((before, one.began_at * 1000), (episode, None)):
        connection.execute(
            "INSERT INTO episodes (target_no, first_ms, ended_ms, data) VALUES (?,?,?,?)",
            (number, int(each.since.first_in * 1000), ended, msgspec.msgpack.encode(each)),
        )
    event = Event(
        kind=EventKind.ONSET,
        at=one.began_at + 40,
        target=one.target.id,
        since=since,
        before=Status.OK,
        after=one.status,
        patterns=episode.patterns,
        cause=one.cause,
        confidence=one.confidence,
        measurement=one.measurement.id if one.measurement is not None else "",
    )
    connection.execute(
        "INSERT INTO events (at_ms, target_no, measurement, data) VALUES (?,?,?,?)",
        (int(event.at * 1000), number, event.measurement, msgspec.msgpack.encode(event)),
    )
