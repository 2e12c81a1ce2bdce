"""Measurements of realistic shape and size, made by number: two addresses, a three-certificate chain, a page."""

import functools
import hashlib
import random
from typing import Any

import msgspec

from probe.model.endpoint import Endpoint
from probe.model.episode import Episode, Event, EventKind, Interval
from probe.model.experiment import Design, Experiment, NameKind, Step
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.measurement import Citation, Measurement
from probe.model.observation import (
    BytesAt,
    DNSAnswer,
    DNSLookup,
    DNSReply,
    Ending,
    HTTPExchange,
    Observation,
    RecordSeen,
    Resolver,
    Role,
    TCPConnect,
    TLSHandshake,
    TLSStage,
    Transport,
)
from probe.model.pattern import Pattern
from probe.model.target import CheckName, Target
from probe.model.vantage import Vantage
from probe.model.verdict import Cause, Confidence, Depth, Evidence, EvidenceFamily, Status, Verdict

START = 1_700_000_000.0
VANTAGE = Vantage(id="test", asn=4134, as_name="CHINANET", country_code="CN", families=(4,), software_version="0.1.0")
RESOLVER = Resolver(transport=Transport.UDP, endpoint=Endpoint(address="192.0.2.53", port=53), system=True)
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def make_id(at: float, number: int = 0) -> str:
    """Return 26 characters, sortable by time."""
    value = (int(at * 1000) << 80) | int.from_bytes(hashlib.sha256(b"%d" % number).digest()[:10])
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))


def make_target(number: int = 0, **fields: Any) -> Target:
    """Return a web target."""
    host = f"www.example{number}.org"
    given: dict[str, Any] = {
        "id": f"https-{host.replace('.', '-')}",
        "check": CheckName.WEB,
        "address": f"https://{host}/",
        "host": host,
        "port": 443,
        "category": "NEWS",
        "labels": {"team": "research"},
        "source": f"sites.yaml:{number}",
    }
    return Target(**(given | fields))


def make_chain(number: int) -> tuple[bytes, ...]:
    """Return about 4 KB of incompressible DER: own leaf, one of five intermediates, one of two roots."""
    leaf = random.Random(f"leaf{number}").randbytes(1500)
    return (leaf, random.Random(f"mid{number % 5}").randbytes(1250), random.Random(f"root{number % 2}").randbytes(1300))


def make_page(number: int, at: float, size: int = 40_000) -> bytes:
    """Return a page: its site's own text, of which a tenth is another every hour, and a nonce."""
    nonce = random.Random(at).randbytes(16).hex().encode()
    head = b"<html><head><title>Site %d</title><script nonce=%s>" % (number, nonce)
    return (head + _make_text(number, int(at // 3600), size))[:65536]


@functools.lru_cache(maxsize=256)
def _make_text(number: int, hour: int, size: int) -> bytes:
    site, news = random.Random(f"site{number}"), random.Random(f"{number}-{hour}")
    words = [random.Random(f"w{i}").randbytes(3).hex()[: 2 + i % 5] for i in range(1000)]
    parts: list[str] = []
    length = 0
    while length < size:
        source = news if len(parts) % 10 == 9 else site
        text = " ".join(source.choices(words, k=12))
        parts.append(f'<div class="card item-{source.choice(words)}"><p>{text}</p></div>')
        length += len(parts[-1])
    return "".join(parts).encode()


def make_ok(
    number: int = 0, at: float = START, *, serial: int = 0, body: bytes | None = None, target: Target | None = None
) -> Measurement:
    """Return a healthy https measurement along two addresses."""
    target = target or make_target(number)
    dice = random.Random(f"{number}-{at}-{serial}")
    addresses = (f"198.51.100.{number % 250}", f"198.51.100.{number % 250 + 1}")
    body = make_page(number, at) if body is None else body
    observations: list[Observation] = [_lookup(target.host, addresses, dice)]
    for position, address in enumerate(addresses):
        endpoint = Endpoint(address=address, port=target.port)
        tcp_s, tls_s = dice.gauss(0.05, 0.004), dice.gauss(0.06, 0.004)
        t0_s = observations[0].t_s + dice.random() * 1e-4
        observations.append(_connect(endpoint, t0_s, tcp_s, 2 + position * 3, dice))
        observations.append(
            _handshake(endpoint, target.host, t0_s + tcp_s, tls_s, 3 + position * 3, make_chain(number))
        )
        if position == 0:
            observations.append(_exchange(endpoint, target.host, t0_s + tcp_s + tls_s, body, 4, dice))
    verdict = Verdict(
        status=Status.OK, confidence=Confidence.C2, depth=Depth.PAGE, summary="It works.", addresses=(2, 2, 0, 0)
    )
    return Measurement(
        id=make_id(at, serial or number),
        target=target,
        vantage=VANTAGE,
        started_at=at,
        runtime_s=max(o.t_s for o in observations),
        observations=tuple(observations),
        verdict=verdict,
    )


def make_blocked(
    number: int = 0, at: float = START, *, serial: int = 0, cites: tuple[Measurement, ...] = (), experiments: int = 10
) -> Measurement:
    """Return a measurement reset by SNI, with its follow-ups, or leaning on those of earlier ones."""
    target = make_target(number)
    dice = random.Random(f"{number}-{at}-{serial}")
    address = f"198.51.100.{number % 250}"
    endpoint = Endpoint(address=address, port=443)
    observations: list[Observation] = [_lookup(target.host, (address,), dice)]
    tries: list[Experiment] = []
    for attempt in range(1 if cites else 1 + experiments):
        neutral = attempt % 2 == 1
        name = f"sni.{'neutral' if neutral else 'test'}.own.{attempt}" if attempt else ""
        t0_s = observations[-1].t_s
        observations.append(_connect(endpoint, t0_s, dice.gauss(0.05, 0.004), 2 + attempt * 2, dice, name))
        host = "www.example.com" if neutral else target.host
        observations.append(
            _reset(endpoint, host, observations[-1].t_s, 3 + attempt * 2, dice, name, failed=not neutral)
        )
        if attempt:
            kind = NameKind.NEUTRAL if neutral else NameKind.TEST
            tries.append(
                Experiment(
                    id=name,
                    design=Design.SNI,
                    step=Step.HANDSHAKE,
                    name=host,
                    name_kind=kind,
                    endpoint=endpoint,
                    about=address,
                )
            )
    evidence = Evidence(
        rule_id="tls.reset.sni.neutral_ok",
        family=EvidenceFamily.DIFFERENTIAL,
        pattern=Pattern.TLS_RESET_SNI,
        cause=Cause.NETWORK,
        confidence=Confidence.C2,
        reason="The handshake is reset for this name and completes for a neutral one at the same address.",
        path=address,
        transactions=tuple(o.transaction for o in observations),
        measurement=cites[0].id if cites else "",
    )
    verdict = Verdict(
        status=Status.LIKELY_BLOCKED,
        patterns=(Pattern.TLS_RESET_SNI,),
        cause=Cause.NETWORK,
        confidence=Confidence.C2,
        depth=Depth.REACH,
        evidence=(evidence,),
        summary="The connection is reset as soon as the name is sent.",
        rule_id=evidence.rule_id,
        addresses=(1, 0, 0, 0),
    )
    return Measurement(
        id=make_id(at, serial or number),
        target=target,
        vantage=VANTAGE,
        started_at=at,
        runtime_s=observations[-1].t_s,
        observations=tuple(observations),
        experiments=tuple(tries),
        cites=tuple(
            Citation(measurement=m.id, age_s=at - m.started_at, observations=m.observations, experiments=m.experiments)
            for m in cites
        ),
        verdict=verdict,
    )


def make_episode(measurement: Measurement, *, since: float | None = None) -> Episode:
    """Return the open episode that this measurement would be in."""
    verdict = measurement.verdict
    return Episode(
        target=measurement.target.id,
        since=Interval(last_before=None, first_in=measurement.started_at if since is None else since),
        status=verdict.status,
        patterns=verdict.patterns,
        cause=verdict.cause,
        confidence=verdict.confidence,
        last_run_at=measurement.started_at,
    )


def make_event(measurement: Measurement, kind: EventKind = EventKind.ONSET) -> Event:
    """Return an event that rests on this measurement."""
    return Event(
        kind=kind,
        at=measurement.started_at,
        target=measurement.target.id,
        after=measurement.verdict.status,
        patterns=measurement.verdict.patterns,
        measurement=measurement.id,
        text=f"{measurement.target.address} is {measurement.verdict.status}",
    )


def with_serial(measurement: Measurement, at: float, serial: int) -> Measurement:
    """Return the same run at another time: cheap, for tests that need many."""
    return msgspec.structs.replace(measurement, id=make_id(at, serial), started_at=at)


def _lookup(name: str, addresses: tuple[str, ...], dice: random.Random) -> DNSLookup:
    answers = tuple(DNSAnswer(type="A", value=a, ttl_s=dice.randrange(300), name=name) for a in addresses)
    took_s = abs(dice.gauss(0.02, 0.003))
    reply = DNSReply(t_s=took_s, flags=0x8180, answers=answers, ip_ttl=58)
    return DNSLookup(
        transaction=1, t0_s=0.0, t_s=took_s, resolver=RESOLVER, name=name, query_type="A", replies=(reply,)
    )


def _connect(
    endpoint: Endpoint, t0_s: float, took_s: float, transaction: int, dice: random.Random, experiment: str = ""
) -> TCPConnect:
    return TCPConnect(
        transaction=transaction,
        t0_s=t0_s,
        t_s=t0_s + took_s,
        endpoint=endpoint,
        local_port=dice.randrange(32768, 60999),
        kernel_rtt_s=round(took_s, 6),
        asn=15169,
        role=Role.EXPERIMENT if experiment else Role.TARGET,
        experiment=experiment,
    )


def _handshake(
    endpoint: Endpoint, name: str, t0_s: float, took_s: float, transaction: int, chain: tuple[bytes, ...]
) -> TLSHandshake:
    return TLSHandshake(
        transaction=transaction,
        t0_s=t0_s,
        t_s=t0_s + took_s,
        endpoint=endpoint,
        server_name=name,
        stage=TLSStage.DONE,
        alpn_offered=("http/1.1",),
        alpn="http/1.1",
        hello_bytes=517,
        version="TLSv1.3",
        cipher="TLS_AES_256_GCM_SHA384",
        chain=chain,
        verified=True,
        root_store="certifi 2026.05.20",
        bytes_sent=597,
        bytes_received=4321,
    )


def _reset(
    endpoint: Endpoint, name: str, t0_s: float, transaction: int, dice: random.Random, experiment: str, *, failed: bool
) -> TLSHandshake:
    t_s = t0_s + dice.gauss(0.05, 0.004)
    role = Role.EXPERIMENT if experiment else Role.TARGET
    if not failed:
        done = _handshake(endpoint, name, t0_s, t_s - t0_s, transaction, make_chain(9999))
        return msgspec.structs.replace(done, role=role, experiment=experiment, verified=False)
    return TLSHandshake(
        transaction=transaction,
        t0_s=t0_s,
        t_s=t_s,
        endpoint=endpoint,
        server_name=name,
        stage=TLSStage.NOTHING,
        alpn_offered=("http/1.1",),
        hello_bytes=517,
        ending=Ending.RESET,
        records=(RecordSeen(sent=True, type=22, length=512),),
        bytes_sent=517,
        bytes_acked=517,
        root_store="certifi 2026.05.20",
        failure=Failure(
            stage=Stage.TLS, code=FailureCode.CONNECTION_RESET, errno=104, detail="Connection reset by peer"
        ),
        role=role,
        experiment=experiment,
    )


def _exchange(
    endpoint: Endpoint, host: str, t0_s: float, body: bytes, transaction: int, dice: random.Random
) -> HTTPExchange:
    headers = (
        ("date", f"Wed, 15 Nov 2023 12:{dice.randrange(60):02}:{dice.randrange(60):02} GMT"),
        ("server", "nginx/1.22.1"),
        ("content-type", "text/html; charset=utf-8"),
        ("content-length", str(len(body))),
        ("connection", "keep-alive"),
        ("vary", "Accept-Encoding"),
        ("cache-control", "private, max-age=0, must-revalidate"),
        ("set-cookie", f"session={dice.randbytes(16).hex()}; Path=/; Secure; HttpOnly; SameSite=Lax"),
        ("strict-transport-security", "max-age=63072000; includeSubDomains; preload"),
        ("x-request-id", dice.randbytes(16).hex()),
        ("content-security-policy", "default-src 'self'; img-src * data:; script-src 'self' 'unsafe-inline'"),
        ("x-frame-options", "SAMEORIGIN"),
    )
    head = "HTTP/1.1 200 OK\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    first_byte_s = abs(dice.gauss(0.08, 0.01))
    return HTTPExchange(
        transaction=transaction,
        t0_s=t0_s,
        t_s=t0_s + first_byte_s + 0.02,
        endpoint=endpoint,
        method="GET",
        url=f"https://{host}/",
        secure=True,
        status=200,
        reason="OK",
        headers=headers,
        head=head.encode(),
        title="Site",
        body=body,
        body_bytes=len(body),
        body_sha256=hashlib.sha256(body).hexdigest() if body else "",
        timeline=tuple(
            BytesAt(t_s=t0_s + first_byte_s + i * 0.004, body_bytes=len(body) * i // 5) for i in range(1, 6)
        ),
        first_byte_s=t0_s + first_byte_s,
        bytes_sent=212,
        bytes_received=len(head) + len(body),
    )


def make_server_side(number: int = 0, at: float = START, *, serial: int = 0) -> Measurement:
    """Return a measurement of a server that answers with an error page."""
    healthy = make_ok(number, at, serial=serial, body=make_page(number, at, 3000))
    observations = tuple(
        msgspec.structs.replace(o, status=503, reason="Service Unavailable") if isinstance(o, HTTPExchange) else o
        for o in healthy.observations
    )
    verdict = Verdict(status=Status.SERVER_SIDE, cause=Cause.SERVER, confidence=Confidence.C2, depth=Depth.PAGE)
    return msgspec.structs.replace(healthy, observations=observations, verdict=verdict)
