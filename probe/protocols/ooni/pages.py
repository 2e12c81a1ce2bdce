"""OONI's records of HTTP requests as our observations.

Source: OONI spec df-001 (requests). Probes before 0.5 record the fetch apart from the connections that they test, and
not where it went: there a page that came proves the connection under it, and a failure of TLS or DNS belongs to those
layers. What cannot be told apart stays a failed request that is no path.
"""

import hashlib

from probe.model.endpoint import Endpoint
from probe.model.failure import Failure, Stage
from probe.model.observation import DNSLookup, HTTPExchange, Observation, Role, TCPConnect, TLSHandshake, TLSStage
from probe.protocols.http.content import extract_title
from probe.protocols.ooni.archive import read_bytes, read_text
from probe.protocols.ooni.failure import DNS_CODES, TLS_CODES, parse_alert, parse_failure
from probe.protocols.ooni.hops import Hop
from probe.protocols.ooni.places import SYSTEM, Places, role_of
from probe.protocols.ooni.records import HTTPRequest, HTTPResponse, Transaction
from probe.protocols.ooni.small_parts import UNKNOWN_ADDRESS, read_endpoint, write_url
from probe.protocols.ooni.steps import ENDINGS, Timeline

_MAX_HEADERS = 256


def build_page(
    record: Transaction, hop: Hop, places: Places, times: Timeline, steps: list[Observation]
) -> list[Observation]:
    """Return the exchange, and what it implies of the steps under it, where `steps` (those so far) do not say."""
    status = record.response.code or 0 if record.response is not None else 0
    status = status if 100 <= status <= 999 else 0
    given = read_endpoint(record.address)
    endpoint = given or _find_endpoint(hop, steps)
    experiment = places.file_flow(endpoint, hop) if given is not None else ""
    connected = any(isinstance(o, TCPConnect) and o.endpoint == endpoint and o.hop == hop.number for o in steps)
    failure = parse_failure(record.failure, Stage.HTTP)
    if failure is not None and not status and given is None:
        if _is_told_already(hop, steps):
            return []
        if not connected and failure.code in DNS_CODES:
            return [] if hop.resolved else [_imply_lookup(record, hop, times, failure)]
    implied: list[Observation] = []
    if not connected and given is None:
        if status or failure is None:
            implied = _imply_connection(record, hop, endpoint, times, None)
        elif failure.code in TLS_CODES:
            return _imply_connection(record, hop, endpoint, times, failure)
    if not status and failure is None:
        return implied
    return [*implied, _build_exchange(record, hop, endpoint, experiment, times, status, failure)]


def imply_redirect(hop: Hop, following: Hop, times: Timeline, steps: list[Observation]) -> list[Observation]:
    """Return the redirect that a probe followed from its first page without recording it, and what is under it."""
    endpoint = _find_endpoint(hop, steps)
    connected = any(isinstance(o, TCPConnect) and o.endpoint == endpoint and o.hop == hop.number for o in steps)
    record = Transaction(
        request=HTTPRequest(url=write_url(hop.site)),
        response=HTTPResponse(code=302, headers={"Location": write_url(following.site)}),
    )
    implied = [] if connected else _imply_connection(record, hop, endpoint, times, None)
    return [*implied, _build_exchange(record, hop, endpoint, "", times, 302, None)]


def _find_endpoint(hop: Hop, steps: list[Observation]) -> Endpoint:
    """Return where a fetch went that does not say: to the first of the probe's own addresses that could be reached."""
    for step in steps:
        if (
            isinstance(step, TCPConnect)
            and step.hop == hop.number
            and step.role is Role.TARGET
            and step.failure is None
        ):
            return step.endpoint
    return Endpoint(address=min(hop.addresses, default=UNKNOWN_ADDRESS), port=hop.site.port)


def _is_told_already(hop: Hop, steps: list[Observation]) -> bool:
    """Tell whether a step under the fetch failed everywhere, so that the fetch itself cannot have begun."""
    here = [step for step in steps if step.hop == hop.number and step.role is Role.TARGET]
    for kind in (DNSLookup, TCPConnect, TLSHandshake):
        mine = [step for step in here if isinstance(step, kind)]
        if mine and all(step.failure is not None for step in mine):
            return True
    return False


def _imply_lookup(record: Transaction, hop: Hop, times: Timeline, failure: Failure) -> Observation:
    t0_s, t_s = times.read(record.t0, record.t)
    return DNSLookup(
        transaction=times.next_transaction(),
        t0_s=t0_s,
        t_s=t_s,
        resolver=SYSTEM,
        name=hop.site.host,
        query_type="A",
        failure=Failure(stage=Stage.RESOLVE, code=failure.code, detail=failure.detail),
        hop=hop.number,
    )


def _imply_connection(
    record: Transaction, hop: Hop, endpoint: Endpoint, times: Timeline, failure: Failure | None
) -> list[Observation]:
    """Return the connection, and for https the handshake, which `failure` broke; `None` = it went well."""
    t0_s, _ = times.read(record.t0, record.t)
    connect = TCPConnect(
        transaction=times.next_transaction(), t0_s=t0_s, t_s=t0_s, endpoint=endpoint, hop=hop.number
    )  # fmt: skip
    if not hop.site.secure:
        return [connect]
    alert = parse_alert(record.failure)
    handshake = TLSHandshake(
        transaction=times.next_transaction(),
        t0_s=t0_s,
        t_s=t0_s,
        endpoint=endpoint,
        server_name=hop.site.host,
        stage=TLSStage.DONE if failure is None else TLSStage.ALERT if alert else TLSStage.SERVER_HELLO,
        alert=alert,
        ending=None if failure is None else ENDINGS.get(failure.code),
        verified=failure is None,
        failure=None if failure is None else Failure(stage=Stage.TLS, code=failure.code, detail=failure.detail),
        hop=hop.number,
    )
    return [connect, handshake]


def _build_exchange(
    record: Transaction,
    hop: Hop,
    endpoint: Endpoint,
    experiment: str,
    times: Timeline,
    status: int,
    failure: Failure | None,
) -> HTTPExchange:
    t0_s, t_s = times.read(record.t0, record.t)
    response = record.response or HTTPResponse()
    headers = _read_headers(response)
    content_type = next((value for name, value in headers if name.lower() == "content-type"), "")
    body = read_bytes(response.body)
    url = record.request.url if record.request is not None else ""
    return HTTPExchange(
        transaction=times.next_transaction(),
        t0_s=t0_s,
        t_s=t_s,
        endpoint=endpoint,
        method=(record.request.method if record.request is not None else None) or "GET",
        url=url,
        secure=hop.site.secure,
        status=status,
        headers=headers,
        title=extract_title(body, content_type) if body else "",
        body=body,
        body_bytes=len(body),
        body_sha256=hashlib.sha256(body).hexdigest() if body else "",
        body_truncated=bool(response.body_is_truncated) or (failure is not None and bool(status)),
        ending=None if failure is None else ENDINGS.get(failure.code),
        failure=failure,
        role=role_of(experiment),
        hop=hop.number,
        experiment=experiment,
    )


def _read_headers(response: HTTPResponse) -> tuple[tuple[str, str], ...]:
    """Return the headers in their order; old probes keep no order, and one value for each name."""
    pairs = response.headers_list or list((response.headers or {}).items())
    return tuple((read_text(name), read_text(value)) for name, value in pairs[:_MAX_HEADERS])
