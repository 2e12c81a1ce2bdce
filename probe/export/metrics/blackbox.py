"""A run in the words of blackbox_exporter, so that jobs, rules and dashboards written for it go on working.

Source: prometheus/blackbox_exporter 0.23, its answers on /probe (names, help, units, phases) as seen on the wire, and
FNV-1a for `probe_ip_addr_hash`. Deviations: `probe_success` is our verdict, so a block page that answers 200 is 0, and
a target that works although somebody interferes with it is 1; phases are those of the fastest address, and those that
came before a failure stay. Where nothing but figures is kept of a run, what needs more is absent.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

import msgspec

from probe.export.metrics.families import Format
from probe.export.metrics.labels import render_labels
from probe.model.errors import ProtocolError
from probe.model.expectation import unmet_expectations
from probe.model.measurement import Measurement
from probe.model.observation import DNSLookup, HTTPExchange, ICMPEcho, Observation, Role, TLSHandshake
from probe.model.snapshot import TargetSnapshot
from probe.model.target import CheckName
from probe.model.verdict import Status
from probe.protocols.tls.certificate import Certificate, parse_certificate

NO_LABELS: Mapping[str, str] = {}
_FNV_OFFSET, _FNV_PRIME = 0x811C9DC5, 0x01000193


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One sample and the family it belongs to; all are gauges, as there."""

    name: str
    about: str
    value: float
    labels: Mapping[str, str] = NO_LABELS


def render_probe(snapshot: TargetSnapshot, run: Measurement | None, age_s: float | None, wanted: Format) -> bytes:
    """Return the page for one target; `run` is what is kept of the last one, `age_s` is `None` if there was none."""
    families: dict[str, list[Figure]] = {}
    for figure in (*_general(snapshot), *_details(snapshot, run), *_ours(snapshot, age_s)):
        families.setdefault(figure.name, []).append(figure)
    lines: list[str] = []
    for name, figures in families.items():
        lines += [f"# HELP {name} {figures[0].about}", f"# TYPE {name} gauge"]
        lines += [_render_sample(figure) for figure in figures]
    if wanted is Format.OPENMETRICS:
        lines.append("# EOF")
    return "".join(f"{line}\n" for line in lines).encode()


def _render_sample(figure: Figure) -> str:
    labels = f"{{{render_labels(figure.labels)}}}" if figure.labels else ""
    return f"{figure.name}{labels} {figure.value:.12g}"


def _general(snapshot: TargetSnapshot) -> Iterable[Figure]:
    verdict = snapshot.verdict
    success = verdict is not None and verdict.status.reachable
    resolve_s = min((phase.duration_s for phase in snapshot.phases if phase.name == "resolve"), default=0.0)
    yield Figure(name="probe_success", about="Displays whether or not the probe was a success", value=success)
    about = "Returns how long the probe took to complete in seconds"
    yield Figure(name="probe_duration_seconds", about=about, value=snapshot.duration_s)
    about = "Returns the time taken for probe dns lookup in seconds"
    yield Figure(name="probe_dns_lookup_time_seconds", about=about, value=resolve_s)


def _details(snapshot: TargetSnapshot, run: Measurement | None) -> Iterable[Figure]:
    own: list[Observation] = []
    if run is not None:
        own = [seen for seen in run.observations if seen.role is Role.TARGET and not seen.experiment]
        yield from _address(own)
    check = snapshot.target.check
    if check is CheckName.WEB:
        yield from _web_phases(snapshot)
        if run is not None:
            yield from _web(run, own)
    elif check is CheckName.ICMP:
        yield from _icmp(snapshot, own)
    elif check is CheckName.DNS and run is not None:
        yield from _dns(snapshot, own)
    elif check in (CheckName.TCP, CheckName.TLS):
        # There a scripted conversation may fail by its expressions. Our targets have none, so it never does.
        about = "Indicates if probe failed due to regex"
        yield Figure(name="probe_failed_due_to_regex", about=about, value=0)
    yield from _tls(snapshot, own)


def _address(own: list[Observation]) -> Iterable[Figure]:
    """Tell of the address that was used: of the last step that went well, else of the last one at all."""
    tried = [seen for seen in own if not isinstance(seen, DNSLookup)]
    chosen = next((seen for seen in reversed(tried) if seen.failure is None), tried[-1] if tried else None)
    if chosen is None:
        return
    address = chosen.address if isinstance(chosen, ICMPEcho) else chosen.endpoint.address
    family = 6 if ":" in address else 4
    yield Figure(name="probe_ip_protocol", about="Specifies whether probe ip protocol is IP4 or IP6", value=family)
    about = "Specifies the hash of IP address. It's useful to detect if the IP address changes."
    yield Figure(name="probe_ip_addr_hash", about=about, value=hash_address(address))


def hash_address(address: str) -> int:
    """Return FNV-1a (32 bits) of an address's bytes."""
    digest = _FNV_OFFSET
    for byte in ipaddress.ip_address(address.partition("%")[0]).packed:
        digest = (digest ^ byte) * _FNV_PRIME & 0xFFFFFFFF
    return digest


def _fastest(snapshot: TargetSnapshot, name: str) -> float:
    return min((phase.duration_s for phase in snapshot.phases if phase.name == name), default=0.0)


def _web_phases(snapshot: TargetSnapshot) -> Iterable[Figure]:
    about = "Duration of http request by phase, summed over all redirects"
    names = {"connect": "connect", "first_byte": "processing", "resolve": "resolve", "tls": "tls"}
    for ours, theirs in (names | {"transfer": "transfer"}).items():
        yield Figure(
            name="probe_http_duration_seconds", about=about, value=_fastest(snapshot, ours), labels={"phase": theirs}
        )


def _web(run: Measurement, own: list[Observation]) -> Iterable[Figure]:
    exchanges = [seen for seen in own if isinstance(seen, HTTPExchange)]
    last = max(exchanges, key=lambda seen: (seen.hop, seen.status > 0, seen.body_bytes), default=None)
    figures = {
        "probe_http_status_code": ("Response HTTP status code", last.status if last else 0),
        "probe_http_content_length": ("Length of http content response", last.body_bytes if last else 0),
        "probe_http_uncompressed_body_length": (
            "Length of uncompressed response body",
            len(last.body) if last else 0,
        ),
        "probe_http_redirects": ("The number of redirects", max((seen.hop for seen in exchanges), default=0)),
        "probe_http_ssl": ("Indicates if SSL was used for the final redirect", bool(last and last.secure)),
        "probe_http_version": ("Returns the version of HTTP of the probe response", _version(last)),
        "probe_failed_due_to_regex": ("Indicates if probe failed due to regex", _failed_expectation(run, last)),
    }
    for name, (about, value) in figures.items():
        yield Figure(name=name, about=about, value=value)
    if last is not None and (modified := _last_modified(last)) is not None:
        about = "Returns the Last-Modified HTTP response header in unixtime"
        yield Figure(name="probe_http_last_modified_timestamp_seconds", about=about, value=modified)


def _last_modified(exchange: HTTPExchange) -> float | None:
    """Return what the header says, if it is a date (RFC 9110 section 8.8.2)."""
    text = next((value for name, value in exchange.headers if name.lower() == "last-modified"), "")
    try:
        return parsedate_to_datetime(text).replace(tzinfo=UTC).timestamp() if text else None
    except (ValueError, OverflowError):
        return None


def _version(last: HTTPExchange | None) -> float:
    if last is None or not last.status:
        return 0.0
    return 3.0 if last.over_quic else 1.0 if last.head.startswith(b"HTTP/1.0") else 1.1


def _failed_expectation(run: Measurement, last: HTTPExchange | None) -> bool:
    expect = run.target.expect
    if expect is None or last is None or not last.status:
        return False
    content = msgspec.structs.replace(expect, status=(), cert_sha256=(), answer=())
    return bool(unmet_expectations(content, last, (), ()))


def _icmp(snapshot: TargetSnapshot, own: list[Observation]) -> Iterable[Figure]:
    about = "Duration of icmp request by phase"
    for phase, ours in {"resolve": "resolve", "setup": "", "rtt": "echo"}.items():
        yield Figure(
            name="probe_icmp_duration_seconds", about=about, value=_fastest(snapshot, ours), labels={"phase": phase}
        )
    ttl = next((seen.ip_ttl for seen in own if isinstance(seen, ICMPEcho) and seen.ip_ttl), None)
    if ttl:
        about = "Replied packet hop limit (TTL for ipv4)"
        yield Figure(name="probe_icmp_reply_hop_limit", about=about, value=ttl)


def _dns(snapshot: TargetSnapshot, own: list[Observation]) -> Iterable[Figure]:
    lookups = [seen for seen in own if isinstance(seen, DNSLookup)]
    replies = [seen.accepted for seen in lookups if seen.accepted is not None]
    about = "Displays whether or not the query was executed successfully"
    yield Figure(name="probe_dns_query_succeeded", about=about, value=bool(replies))
    about = "Returns number of entries in the answer resource record list"
    yield Figure(name="probe_dns_answer_rrs", about=about, value=max((len(r.answers) for r in replies), default=0))
    about = "Duration of DNS request by phase"
    for phase, value in {"resolve": 0.0, "connect": 0.0, "request": _fastest(snapshot, "resolve")}.items():
        yield Figure(name="probe_dns_duration_seconds", about=about, value=value, labels={"phase": phase})


def _tls(snapshot: TargetSnapshot, own: list[Observation]) -> Iterable[Figure]:
    shaken = [seen for seen in own if isinstance(seen, TLSHandshake) and seen.chain]
    last = max(shaken, key=lambda seen: (seen.hop, seen.verified), default=None)
    chain = _parse_chain(last.chain) if last is not None else []
    earliest = min((one.not_after for one in chain), default=snapshot.certificate_expires_at)
    if earliest:
        about = "Returns earliest SSL cert expiry in unixtime"
        yield Figure(name="probe_ssl_earliest_cert_expiry", about=about, value=earliest)
    if last is None:
        return
    if chain and last.verified:
        about = "Returns last SSL chain expiry in unixtime"
        yield Figure(name="probe_ssl_last_chain_expiry_timestamp_seconds", about=about, value=earliest)
    if chain:
        leaf = chain[0]
        labels = {
            "fingerprint_sha256": leaf.sha256,
            "issuer": leaf.issuer,
            "subject": leaf.subject,
            "subjectalternative": ",".join(leaf.dns_names),
        }
        yield Figure(
            name="probe_ssl_last_chain_info", about="Contains SSL leaf certificate information", value=1, labels=labels
        )
    if last.version:
        version = {"version": last.version.replace("TLSv", "TLS ")}
        yield Figure(
            name="probe_tls_version_info", about="Returns the TLS version used or NaN when unknown", value=1,
            labels=version,
        )  # fmt: skip


def _parse_chain(chain: tuple[bytes, ...]) -> list[Certificate]:
    parsed = []
    for der in chain:
        try:
            parsed.append(parse_certificate(der))
        except ProtocolError:
            continue
    return parsed


def _ours(snapshot: TargetSnapshot, age_s: float | None) -> Iterable[Figure]:
    """Say our verdict beside it, under names of its own: those of /metrics must not be there twice."""
    if age_s is not None:
        about = "How long ago the run ended that is shown here"
        yield Figure(name="wallprobe_probe_age_seconds", about=about, value=max(0.0, age_s))
    verdict = snapshot.verdict
    status = verdict.status if verdict is not None else Status.INSUFFICIENT
    for one in Status:
        about = "Status as last judged: exactly one is 1"
        yield Figure(name="wallprobe_probe_status", about=about, value=one is status, labels={"status": one.value})
    if verdict is None:
        return
    about = "How sure the verdict is, 0 to 3"
    yield Figure(name="wallprobe_probe_confidence_level", about=about, value=int(verdict.confidence))
    if verdict.patterns:
        labels = {"pattern": verdict.patterns[0].value, "cause": verdict.cause.value}
        yield Figure(
            name="wallprobe_probe_pattern_info", about="How it is blocked, and who does it", value=1, labels=labels
        )
