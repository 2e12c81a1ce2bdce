"""A web_connectivity measurement of OONI (0.4 and 0.5) as observations, control and place of ours.

Source: OONI spec df-000 (top level), ts-017 (web_connectivity). What a file lacks is absent here; what it concluded
stands beside, and no judgement reads it.
"""

import re

import msgspec

from probe.model.control import ControlReport
from probe.model.errors import ProtocolError
from probe.model.experiment import Experiment
from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup, HTTPExchange, Observation, TCPConnect, TLSHandshake
from probe.model.vantage import Vantage
from probe.protocols.http.redirect import WebAddress
from probe.protocols.ooni.archive import MOST_RECORDS, parse_top
from probe.protocols.ooni.control import build_control_report
from probe.protocols.ooni.hops import find_hops, order_requests, parse_site
from probe.protocols.ooni.pages import build_page, imply_redirect
from probe.protocols.ooni.places import Places
from probe.protocols.ooni.records import Connect, Query, TestKeys, Top
from probe.protocols.ooni.small_parts import build_endpoint, read_asn, read_country, read_time
from probe.protocols.ooni.steps import Timeline, build_connect, build_handshake, build_lookup

_BLOCKING = re.compile(r"[a-z_-]{1,40}", re.ASCII).fullmatch
_RANKS: dict[type, int] = {DNSLookup: 0, TCPConnect: 1, TLSHandshake: 2, HTTPExchange: 3}


class OoniMeasurement(msgspec.Struct, frozen=True, kw_only=True):
    """What one line of a report says."""

    input: str
    """The URL as it was given to the probe."""
    site: WebAddress
    """The same, taken apart."""
    test_version: str = ""
    measurement_start_time: str = ""
    """As it was written."""
    started_at: float = 0.0
    """The same as seconds since the epoch (UTC); 0 = not known."""
    runtime_s: float = 0.0
    probe_asn: str = "AS0"
    probe_cc: str = "ZZ"
    vantage: Vantage
    observations: tuple[Observation, ...]
    experiments: tuple[Experiment, ...] = ()
    """What the probe did beside a client's own way: other resolvers, their addresses, https beside an http page."""
    control: ControlReport | None = None
    """`None` = the file says nothing of one."""
    blocking: str | bool | None = None
    """OONI's own verdict."""
    accessible: bool | None = None
    """OONI's own verdict."""


def parse_measurement(data: bytes) -> OoniMeasurement:
    """Read one measurement; of a partial one, as much as is there.

    Raises:
        ProtocolError: it is no JSON, no web_connectivity measurement, has no usable input or no test keys.
    """
    top = parse_top(data)
    if top.test_name != "web_connectivity":
        raise ProtocolError(f"not a web_connectivity measurement: {top.test_name[:40]!r}")
    if not top.input:
        raise ProtocolError("no input: the URL that was measured is missing")
    site = parse_site(top.input)
    keys = _bound(top.test_keys)
    started_at = read_time(top.measurement_start_time)
    observations, experiments = _build_observations(keys, site, started_at)
    helper = next(iter((top.test_helpers or {}).values()), None)
    return OoniMeasurement(
        input=top.input,
        site=site,
        test_version=top.test_version or "",
        measurement_start_time=top.measurement_start_time or "",
        started_at=started_at,
        runtime_s=max(top.test_runtime or 0.0, 0.0),
        probe_asn=f"AS{read_asn(top.probe_asn)}",
        probe_cc=read_country(top.probe_cc),
        vantage=_build_vantage(top, observations),
        observations=observations,
        experiments=experiments,
        control=build_control_report(
            keys.control,
            keys.control_failure,
            site,
            name=(helper.address if helper is not None else None) or "OONI test helper",
            asked_at=started_at,
        ),
        blocking=keys.blocking if not isinstance(keys.blocking, str) or _BLOCKING(keys.blocking) else None,
        accessible=keys.accessible,
    )


def _bound(keys: TestKeys) -> TestKeys:
    lists = (keys.queries, keys.tcp_connect, keys.tls_handshakes, keys.requests, keys.x_dns_duplicate_responses)
    if all(len(records or ()) <= MOST_RECORDS for records in lists):
        return keys
    raise ProtocolError(f"more than {MOST_RECORDS} records of one kind")


def _build_vantage(top: Top, observations: tuple[Observation, ...]) -> Vantage:
    """Return the probe's place."""
    return Vantage(
        id="ooni",
        asn=read_asn(top.probe_asn),
        as_name=top.probe_network_name or "",
        country_code=read_country(top.probe_cc),
        resolver_asn=read_asn(top.resolver_asn),
        families=_find_families(observations),
        software_version=f"{top.software_name or ''} {top.software_version or ''}".strip(),
    )


def _find_families(observations: tuple[Observation, ...]) -> tuple[int, ...]:
    """Return the families that the probe had: IPv6 where a connection succeeded, IPv4 unless it had no route at all."""
    connects = [o for o in observations if isinstance(o, TCPConnect)]
    if not any(":" in o.endpoint.address and o.failure is None for o in connects):
        return (4,)
    fours = [o for o in connects if ":" not in o.endpoint.address]
    unrouted = [o for o in fours if o.failure is not None and o.failure.code is FailureCode.NETWORK_UNREACHABLE]
    return (6,) if fours and len(unrouted) == len(fours) else (4, 6)


def _build_observations(
    keys: TestKeys, site: WebAddress, started_at: float
) -> tuple[tuple[Observation, ...], tuple[Experiment, ...]]:
    """Return all that was seen, in the order in which the steps ended."""
    hops = find_hops(site, keys)
    places, times = Places(hops), Timeline()
    hosts = frozenset(hop.site.host for hop in hops.values())
    steps: list[Observation | None] = []
    later = _group_later(keys)
    for query in keys.queries or ():
        replies = later.get(query.transaction_id or 0, []) if query.engine == "udp" else []
        steps.append(build_lookup(query, replies, places, times, hosts))
    connects = keys.tcp_connect or []
    steps += [build_connect(record, places, times) for record in connects]
    flows: dict[int | None, Connect] = {record.transaction_id: record for record in connects if record.transaction_id}
    for handshake in keys.tls_handshakes or ():
        flow = flows.get(handshake.transaction_id)
        endpoint = build_endpoint(flow.ip, flow.port) if flow is not None else None
        steps.append(build_handshake(handshake, endpoint, places, times, started_at))
    seen = [step for step in steps if step is not None]
    requests = order_requests(site, keys)
    if requests and requests[0][0] and {0, 1} <= hops.keys():
        seen += imply_redirect(hops[0], hops[1], times, seen)
    for number, transaction in requests:
        if number in hops:
            seen += build_page(transaction, hops[number], places, times, seen)
    return tuple(sorted(seen, key=_order)), places.experiments


def _group_later(keys: TestKeys) -> dict[int, list[Query]]:
    """Return the second and later replies by the question that they came to."""
    grouped: dict[int, list[Query]] = {}
    for reply in keys.x_dns_duplicate_responses or ():
        if reply.transaction_id:
            grouped.setdefault(reply.transaction_id, []).append(reply)
    return grouped


def _order(observation: Observation) -> tuple[float, int]:
    return observation.t_s, _RANKS.get(type(observation), 9)
