"""Asks somebody else's OONI test helper, and reads its answer as observations, as far as it says.

What it does not say is left out: no chains, no times, no redirect hops, no body. `verified` is what it calls success.
"""

import itertools

import msgspec

from probe.control import ooni_wire as wire
from probe.control.wire import encode
from probe.model.control import ControlRequest
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
from probe.net.lookup import is_literal
from probe.protocols.http1 import USER_AGENT, OutgoingRequest

RESOLVER = Resolver(transport=Transport.DOH, endpoint=Endpoint(address="8.8.8.8", port=443), server_name="dns.google")
"""What helpers ask, by their source."""
_WORDS = {
    "dns_name_error": FailureCode.DNS_NXDOMAIN,
    "dns_server_failure": FailureCode.DNS_SERVFAIL,
    "dns_lookup_error": FailureCode.DNS_NON_RECOVERABLE,
    "connection_refused_error": FailureCode.CONNECTION_REFUSED,
}
_CODES = {code.value: code for code in FailureCode}


class _Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    http_request: str
    http_request_headers: dict[str, list[str]]
    tcp_connect: list[str]
    x_quic_enabled: bool = False


def build_helper_request(request: ControlRequest) -> bytes:
    """Return what a probe would send for this target."""
    explicit = request.port != (443 if request.secure else 80)
    ports = (request.port,) if explicit else (443, 80)
    endpoints = [str(Endpoint(address=address, port=port)) for address in request.addresses for port in ports]
    return encode(
        _Outgoing(
            http_request=_url_of(request),
            http_request_headers={
                "Accept": ["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
                "Accept-Language": ["en-US,en;q=0.9"],
                "User-Agent": [USER_AGENT],
            },
            tcp_connect=endpoints,
        )
    )


def _url_of(request: ControlRequest) -> str:
    return OutgoingRequest(host=request.host, port=request.port, secure=request.secure, path=request.path).url


def read_observations(answer: wire.HelperAnswer, request: ControlRequest) -> tuple[Observation, ...]:
    """Return what the helper saw."""
    serial = itertools.count(1)
    seen: list[Observation] = []
    if not is_literal(request.host):
        seen += _read_names(answer.dns, request, serial)
    for text, connected in answer.tcp_connect.items():
        if (endpoint := _read_endpoint(text)) is not None:
            failure = None if connected.status else _read_failure(Stage.CONNECT, connected.failure)
            seen.append(
                TCPConnect(
                    transaction=next(serial), t0_s=0.0, t_s=0.0, endpoint=endpoint, failure=failure, role=Role.CONTROL
                )
            )
    for text, shaken in (answer.tls_handshake or {}).items():
        if (endpoint := _read_endpoint(text)) is not None:
            seen.append(_read_handshake(shaken, endpoint, next(serial)))
    if answer.http_request.failure != "dns_lookup_error":
        seen.append(_read_page(answer, request, next(serial)))
    return tuple(seen)


def _read_names(names: wire.DNSOutcome, request: ControlRequest, serial: "itertools.count[int]") -> list[DNSLookup]:
    """Return one lookup per family that has addresses, or one that failed."""
    addresses = [address for address in names.addrs or () if is_literal(address)]
    failure: Failure | None = None
    if not addresses:
        code = None if names.failure is None else _read_failure(Stage.RESOLVE, names.failure)
        failure = code or Failure(stage=Stage.RESOLVE, code=FailureCode.DNS_NO_ANSWER)
    lookups = []
    for query_type in ("A", "AAAA"):
        answers = tuple(
            DNSAnswer(type=query_type, value=address, ttl_s=0, name=request.host)
            for address in addresses
            if (":" in address) == (query_type == "AAAA")
        )
        if answers or (failure is not None and query_type == "A"):
            lookups.append(
                DNSLookup(
                    transaction=next(serial),
                    t0_s=0.0,
                    t_s=0.0,
                    resolver=RESOLVER,
                    name=request.host,
                    query_type=query_type,
                    replies=(DNSReply(t_s=0.0, answers=answers),) if answers else (),
                    failure=failure,
                    role=Role.CONTROL,
                )
            )
    return lookups


def _read_handshake(shaken: wire.TLSOutcome, endpoint: Endpoint, transaction: int) -> TLSHandshake:
    failure = None if shaken.status else _read_failure(Stage.TLS, shaken.failure)
    return TLSHandshake(
        transaction=transaction,
        t0_s=0.0,
        t_s=0.0,
        endpoint=endpoint,
        server_name=shaken.server_name,
        stage=TLSStage.DONE if shaken.status else TLSStage.NOTHING,
        verified=shaken.status,
        failure=failure,
        role=Role.CONTROL,
    )


def _read_page(answer: wire.HelperAnswer, request: ControlRequest, transaction: int) -> HTTPExchange:
    """Return the last page; over which address it came is not said, so it is filed under the first that connected."""
    page = answer.http_request
    connected = (text for text, outcome in answer.tcp_connect.items() if outcome.status)
    endpoints = [one for text in connected if (one := _read_endpoint(text)) is not None and one.port == request.port]
    endpoint = endpoints[0] if endpoints else Endpoint(address="", port=request.port)
    return HTTPExchange(
        transaction=transaction,
        t0_s=0.0,
        t_s=0.0,
        endpoint=endpoint,
        method="GET",
        url=_url_of(request),
        secure=request.secure,
        status=max(0, page.status_code),
        headers=tuple(page.headers.items()),
        title=page.title,
        body_bytes=max(0, page.body_length),
        failure=None if page.failure is None else _read_failure(Stage.HTTP, page.failure),
        role=Role.CONTROL,
    )


def _read_failure(stage: Stage, text: str | None) -> Failure:
    word = text or "unknown_error"
    return Failure(stage=stage, code=_WORDS.get(word) or _CODES.get(word, FailureCode.UNKNOWN), detail=word[:120])


def _read_endpoint(text: str) -> Endpoint | None:
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    if not is_literal(host) or not (port.isascii() and port.isdecimal()) or not 0 < int(port) < 65536:
        return None
    return Endpoint(address=host, port=int(port))
