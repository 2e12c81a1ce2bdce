"""OONI's records of lookups, connections and handshakes as our observations, one each.

Source: OONI spec df-002 (queries), df-005 (tcp_connect), df-006 (tls_handshakes). Times are as there: seconds since
the measurement began; a record without any gets that of the last one before it.
"""

import itertools

from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError
from probe.model.failure import Failure, FailureCode, Stage
from probe.model.observation import (
    DNSAnswer,
    DNSLookup,
    DNSReply,
    Ending,
    TCPConnect,
    TLSHandshake,
    TLSStage,
    Transport,
)
from probe.protocols.ooni.archive import read_certificate
from probe.protocols.ooni.failure import parse_alert, parse_failure
from probe.protocols.ooni.hops import read_name
from probe.protocols.ooni.places import Places, role_of
from probe.protocols.ooni.records import Answer, Binary, Connect, Handshake, Query
from probe.protocols.ooni.small_parts import build_endpoint, read_address, read_endpoint

ENDINGS = {
    FailureCode.CONNECTION_RESET: Ending.RESET,
    FailureCode.EOF: Ending.FIN,
    FailureCode.TIMEOUT: Ending.SILENCE,
    FailureCode.TLS_ALERT: Ending.ALERT,
}
_UNTRUSTED = frozenset(
    {FailureCode.SSL_INVALID_CERTIFICATE, FailureCode.SSL_INVALID_HOSTNAME, FailureCode.SSL_UNKNOWN_AUTHORITY}
)
_HOSTNAME_MISMATCH, _NO_ISSUER, _UNSPECIFIED = 62, 20, 1
"""X509_V_ERR_HOSTNAME_MISMATCH, …_UNABLE_TO_GET_ISSUER_CERT_LOCALLY and …_UNSPECIFIED."""
_NOT_YET_VALID, _EXPIRED = 9, 10
_RCODES = {FailureCode.DNS_NXDOMAIN: 3, FailureCode.DNS_SERVFAIL: 2, FailureCode.DNS_REFUSED: 5}
_BOGON = "dns_bogon_error"


class Timeline:
    """Numbers and times of the observations of one measurement."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._last_s = 0.0

    def next_transaction(self) -> int:
        """Return the next number."""
        return next(self._numbers)

    def read(self, t0: float | None, t: float | None) -> tuple[float, float]:
        """Return when a step began and ended."""
        end = t if t is not None else t0 if t0 is not None else self._last_s
        self._last_s = max(self._last_s, end)
        return (t0 if t0 is not None else end), end


def build_lookup(
    query: Query, later: list[Query], places: Places, times: Timeline, hosts: frozenset[str]
) -> DNSLookup | None:
    """Return a lookup with its replies, those that came later too; `None` = it is of no page of ours.

    The system's resolver function answers for both families at once: it is filed under A, as our own is.
    """
    name = read_name(query.hostname)
    hop = places.find_hop(query.tags, name=name)
    if hop is None or name not in hosts:
        return None
    resolver, experiment = places.file_lookup(query, hop)
    t0_s, t_s = times.read(query.t0, query.t)
    addresses = [answer for answer in query.answers or () if answer.ipv4 or answer.ipv6]
    failure = parse_failure(query.failure, Stage.RESOLVE)
    if addresses and query.failure == _BOGON:
        failure = None  # it is an answer all the same, and the rules look at what it says
    asked = query.query_type if query.query_type not in ("", "ANY") else "A"
    silent = resolver.transport is Transport.GETADDRINFO
    replies = _build_replies(query, failure, t_s, silent=silent) + tuple(
        reply
        for other in later
        for reply in _build_replies(
            other, parse_failure(other.failure, Stage.RESOLVE), times.read(other.t0, other.t)[1], silent=False
        )
    )
    return DNSLookup(
        transaction=times.next_transaction(),
        t0_s=t0_s,
        t_s=t_s,
        resolver=resolver,
        name=name,
        query_type=asked,
        replies=replies,
        failure=failure,
        role=role_of(experiment),
        hop=hop.number,
        experiment=experiment,
        asns=tuple(answer.asn or 0 for answer in addresses),
    )


def _build_replies(query: Query, failure: Failure | None, t_s: float, *, silent: bool) -> tuple[DNSReply, ...]:
    answers = tuple(found for answer in query.answers or () if (found := _read_answer(answer, query.hostname)))
    if answers:
        return (DNSReply(t_s=t_s, answers=answers),)
    if failure is None or failure.code is FailureCode.DNS_NO_ANSWER:
        return () if silent else (DNSReply(t_s=t_s),)
    rcode = _RCODES.get(failure.code)
    return () if silent or rcode is None else (DNSReply(t_s=t_s, rcode=rcode),)


def _read_answer(answer: Answer, name: str) -> DNSAnswer | None:
    ttl_s = int(answer.ttl) if answer.ttl is not None and 0 <= answer.ttl <= 2**31 else 0
    for kind, text in (("A", answer.ipv4), ("AAAA", answer.ipv6)):
        address = read_address(text) if text else None
        if address is not None:
            return DNSAnswer(type=kind, value=address, ttl_s=ttl_s, name=name)
    if answer.answer_type == "CNAME" and answer.hostname:
        return DNSAnswer(type="CNAME", value=answer.hostname, ttl_s=ttl_s, name=name)
    return None


def build_connect(record: Connect, places: Places, times: Timeline) -> TCPConnect | None:
    """Return a connection attempt; `None` = it goes nowhere, or to no page of ours."""
    endpoint = build_endpoint(record.ip, record.port)
    hop = places.find_hop(record.tags, address=record.ip, port=record.port)
    if endpoint is None or hop is None:
        return None
    experiment = places.file_flow(endpoint, hop)
    t0_s, t_s = times.read(record.t0, record.t)
    failure: Failure | None = None
    if isinstance(record.status.failure, str):
        failure = parse_failure(record.status.failure, Stage.CONNECT)
    elif record.status.success is False:
        failure = Failure(stage=Stage.CONNECT, code=FailureCode.UNKNOWN)
    return TCPConnect(
        transaction=times.next_transaction(),
        t0_s=t0_s,
        t_s=t_s,
        endpoint=endpoint,
        failure=failure,
        role=role_of(experiment),
        hop=hop.number,
        experiment=experiment,
    )


def build_handshake(
    record: Handshake, endpoint: Endpoint | None, places: Places, times: Timeline, started_at: float
) -> TLSHandshake | None:
    """Return a handshake; `endpoint` is where its connection went. `None` = it goes nowhere, or to no page of ours."""
    endpoint = read_endpoint(record.address) or endpoint
    name = read_name(record.server_name or "")
    if endpoint is None:
        return None
    hop = places.find_hop(record.tags, name=name, address=endpoint.address, port=endpoint.port)
    if hop is None:
        return None
    experiment = places.file_flow(endpoint, hop)
    t0_s, t_s = times.read(record.t0, record.t)
    failure = parse_failure(record.failure, Stage.TLS)
    given = (c.data for c in record.peer_certificates or () if isinstance(c, Binary))
    chain = tuple(der for data in given if (der := read_certificate(data)))
    alert = parse_alert(record.failure)
    return TLSHandshake(
        transaction=times.next_transaction(),
        t0_s=t0_s,
        t_s=t_s,
        endpoint=endpoint,
        server_name=name,
        stage=_read_stage(failure, chain),
        alpn=record.negotiated_protocol or "",
        version=record.tls_version or "",
        cipher=record.cipher_suite or "",
        alert=alert,
        ending=None if failure is None else ENDINGS.get(failure.code, Ending.ERROR),
        chain=chain,
        verified=failure is None and not record.no_tls_verify,
        verify_code=_read_verify_code(failure, chain, started_at),
        root_store="" if record.no_tls_verify else "mozilla",
        failure=failure,
        role=role_of(experiment),
        hop=hop.number,
        experiment=experiment,
    )


def _read_stage(failure: Failure | None, chain: tuple[bytes, ...]) -> TLSStage:
    if failure is None:
        return TLSStage.DONE
    if failure.code is FailureCode.TLS_ALERT:
        return TLSStage.ALERT
    if failure.code in _UNTRUSTED or chain:
        return TLSStage.SERVER_HELLO
    return TLSStage.GARBAGE if failure.code is FailureCode.SSL_FAILED_HANDSHAKE else TLSStage.NOTHING


def _read_verify_code(failure: Failure | None, chain: tuple[bytes, ...], started_at: float) -> int:
    """Return OpenSSL's number; OONI has one word for all that is wrong with a certificate itself."""
    if failure is None or failure.code not in _UNTRUSTED:
        return 0
    if failure.code is FailureCode.SSL_INVALID_HOSTNAME:
        return _HOSTNAME_MISMATCH
    if failure.code is FailureCode.SSL_UNKNOWN_AUTHORITY:
        return _NO_ISSUER
    # Imported where it is needed: 16 MB of library.
    from probe.protocols.tls.certificate import parse_certificate

    for der in chain:
        try:
            certificate = parse_certificate(der)
        except ProtocolError:
            continue
        if started_at and started_at > certificate.not_after:
            return _EXPIRED
        if started_at and started_at < certificate.not_before:
            return _NOT_YET_VALID
    return _UNSPECIFIED
