"""What OONI's test helper saw, as a control's observations.

Source: probe-cli, `internal/model/th.go` and `internal/oohelperd`. The helper asks for the name by DoH, connects to the
probe's addresses and its own, shakes hands on 443, and fetches the page with redirects followed. It does not say
which address the page came from: ours is the first that it found the name at. Its TLS is verified by Mozilla's roots.
"""

import itertools

from probe.model.control import ControlKind, ControlReport
from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import (
    DNSAnswer,
    DNSLookup,
    DNSReply,
    HTTPExchange,
    Observation,
    Resolver,
    Role,
    TCPConnect,
    TLSHandshake,
    TLSStage,
    Transport,
)
from probe.protocols.http.redirect import WebAddress
from probe.protocols.ooni.archive import read_text
from probe.protocols.ooni.failure import parse_alert, parse_failure
from probe.protocols.ooni.records import Control, ControlStatus
from probe.protocols.ooni.small_parts import UNKNOWN_ADDRESS, read_address, read_endpoint, write_url

_DNS_GOOGLE = Resolver(transport=Transport.DOH, server_name="dns.google")
_KEPT_OUT = frozenset(
    {FailureCode.CONNECTION_RESET, FailureCode.EOF, FailureCode.TIMEOUT, FailureCode.SSL_UNKNOWN_AUTHORITY}
    | {FailureCode.SSL_INVALID_HOSTNAME, FailureCode.CONNECTION_REFUSED}
)


def build_control_report(
    control: Control | None, failure: str | None, site: WebAddress, *, name: str, asked_at: float
) -> ControlReport | None:
    """Return what the helper said, or why it said nothing; `None` = a file tells neither."""
    if control is None or failure is not None:
        if failure is None:
            return None
        read = parse_failure(failure, Stage.CONNECT)
        return ControlReport(
            control=name,
            kind=ControlKind.OONI,
            asked_at=asked_at,
            failure=failure[:200] or FailureCode.UNKNOWN.value,
            unreachable=read is not None and read.code in _KEPT_OUT,
        )
    observations = build_control_observations(control, site)
    return ControlReport(control=name, kind=ControlKind.OONI, asked_at=asked_at, observations=observations)


def build_control_observations(control: Control, site: WebAddress) -> tuple[Observation, ...]:
    """Return a helper's answer as observations; all times are 0, because it tells none."""
    numbers = itertools.count(1)
    lookups = _read_dns(control, site.host, numbers)
    connects = [
        TCPConnect(
            transaction=next(numbers),
            t0_s=0.0,
            t_s=0.0,
            endpoint=endpoint,
            failure=_read_status(status, Stage.CONNECT),
            role=Role.CONTROL,
            asn=_asn_of(control, endpoint.address),
        )
        for endpoint, status in _read_endpoints(control.tcp_connect)
    ]
    handshakes = [
        _build_handshake(next(numbers), endpoint, status, site.host)
        for endpoint, status in _read_endpoints(control.tls_handshake)
    ]
    pages = _read_page(control, site, numbers, connects)
    return (*lookups, *connects, *handshakes, *pages)


def _read_dns(control: Control, host: str, numbers: "itertools.count[int]") -> list[DNSLookup]:
    """Return the helper's lookups, one for each family that it tells of.

    It gives one list for both families, and `null` for a name that has no address. Helpers before 2022 list the aliases
    they came by as well: an alias is no address.
    """
    if control.dns is None or ":" in host or host.replace(".", "").isdigit():
        return []
    failure = parse_failure(control.dns.failure, Stage.RESOLVE)
    addresses = [address for given in control.dns.addrs or () if (address := read_address(given))]
    lookups = []
    for query_type in ("A", "AAAA"):
        mine = [address for address in addresses if (":" in address) == (query_type == "AAAA")]
        if query_type == "AAAA" and not mine and addresses:
            continue
        answers = tuple(DNSAnswer(type=query_type, value=address, ttl_s=0, name=host) for address in mine)
        silent = failure or Failure(stage=Stage.RESOLVE, code=FailureCode.DNS_NO_ANSWER)
        lookups.append(
            DNSLookup(
                transaction=next(numbers),
                t0_s=0.0,
                t_s=0.0,
                resolver=_DNS_GOOGLE,
                name=host,
                query_type=query_type,
                replies=_build_replies(answers, None if mine else silent),
                failure=None if mine else silent,
                role=Role.CONTROL,
                asns=tuple(_asn_of(control, address) for address in mine),
            )
        )
    return lookups


def _build_replies(answers: tuple[DNSAnswer, ...], failure: Failure | None) -> tuple[DNSReply, ...]:
    if failure is None:
        return (DNSReply(t_s=0.0, answers=answers),)
    if failure.code is FailureCode.DNS_NXDOMAIN:
        return (DNSReply(t_s=0.0, rcode=3),)
    return (DNSReply(t_s=0.0),) if failure.code is FailureCode.DNS_NO_ANSWER else ()


def _read_endpoints(given: dict[str, ControlStatus] | None) -> list[tuple[Endpoint, ControlStatus]]:
    pairs = ((read_endpoint(text), status) for text, status in (given or {}).items())
    return [(endpoint, status) for endpoint, status in pairs if endpoint is not None]


def _read_status(status: ControlStatus, stage: Stage) -> Failure | None:
    """Return the failure; old helpers wrote `false` where there is none, and left the words out where there was one."""
    if isinstance(status.failure, str):
        return parse_failure(status.failure, stage)
    return Failure(stage=stage, code=FailureCode.UNKNOWN) if status.status is False else None


def _build_handshake(number: int, endpoint: Endpoint, status: ControlStatus, host: str) -> TLSHandshake:
    failure = _read_status(status, Stage.TLS)
    alert = parse_alert(status.failure) if isinstance(status.failure, str) else None
    return TLSHandshake(
        transaction=number,
        t0_s=0.0,
        t_s=0.0,
        endpoint=endpoint,
        server_name=status.server_name or host,
        stage=TLSStage.DONE if failure is None else TLSStage.ALERT if alert else TLSStage.NOTHING,
        verified=failure is None,
        alert=alert,
        failure=failure,
        role=Role.CONTROL,
    )


def _read_page(
    control: Control, site: WebAddress, numbers: "itertools.count[int]", connects: list[TCPConnect]
) -> list[HTTPExchange]:
    page = control.http_request
    if page is None:
        return []
    status = page.status_code or 0
    failure = parse_failure(page.failure, Stage.HTTP)
    if failure is None and status <= 0:
        return []
    found = set((control.dns.addrs if control.dns else None) or ())
    mine = [c.endpoint for c in connects if c.failure is None and c.endpoint.port == site.port]
    named = [endpoint for endpoint in mine if endpoint.address in found]
    literal = Endpoint(address=UNKNOWN_ADDRESS, port=site.port)
    length = max(page.body_length or 0, 0)
    return [
        HTTPExchange(
            transaction=next(numbers),
            t0_s=0.0,
            t_s=0.0,
            endpoint=(named or mine or [literal])[0],
            method="GET",
            url=write_url(site),
            secure=site.secure,
            status=status if 100 <= status <= 999 else 0,
            headers=tuple((name, read_text(value)) for name, value in (page.headers or {}).items()),
            title=page.title or "",
            body_bytes=length,
            failure=failure,
            role=Role.CONTROL,
        )
    ]


def _asn_of(control: Control, address: str) -> int:
    known = (control.ip_info or {}).get(address)
    return known.asn or 0 if known is not None else 0
