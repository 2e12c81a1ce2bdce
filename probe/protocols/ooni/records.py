"""OONI's archival records, as far as a judgement rests on them.

Source: OONI spec df-000 (top level), df-001 (requests), df-002 (queries), df-005 (tcp_connect), df-006
(tls_handshakes), ts-017 (test keys, control). Less than these: what no judgement rests on is not read.
"""

import msgspec


class Binary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Bytes that are no text."""

    data: str
    format: str = "base64"


Data = str | Binary | None


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record of a DNS answer."""

    answer_type: str = ""
    ipv4: str | None = None
    ipv6: str | None = None
    hostname: str | None = None
    ttl: float | None = None
    asn: int | None = None


class Query(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One lookup."""

    hostname: str
    engine: str | None = None
    query_type: str = ""
    answers: list[Answer] | None = None
    failure: str | None = None
    raw_response: Data = None
    rcode: int | None = None
    resolver_address: str | None = None
    t0: float | None = None
    t: float | None = None
    tags: list[str] | None = None
    transaction_id: int | None = None


class ConnectStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a connection attempt ended."""

    success: bool | None = None
    failure: str | bool | None = None


class Connect(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One connection attempt."""

    ip: str
    port: int
    status: ConnectStatus
    t0: float | None = None
    t: float | None = None
    tags: list[str] | None = None
    transaction_id: int | None = None


class Handshake(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One TLS handshake."""

    address: str | None = None
    server_name: str | None = None
    failure: str | None = None
    cipher_suite: str | None = None
    negotiated_protocol: str | None = None
    tls_version: str | None = None
    no_tls_verify: bool | None = None
    peer_certificates: list[Data] | None = None
    t0: float | None = None
    t: float | None = None
    tags: list[str] | None = None
    transaction_id: int | None = None


class HTTPRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was asked."""

    url: str = ""
    method: str | None = None


class HTTPResponse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came; no code = nothing came."""

    code: int | None = None
    headers: dict[str, Data] | None = None
    headers_list: list[tuple[Data, Data]] | None = None
    body: Data = None
    body_is_truncated: bool | None = None


class Transaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request and its answer."""

    request: HTTPRequest | None = None
    response: HTTPResponse | None = None
    address: str | None = None
    failure: str | None = None
    t0: float | None = None
    t: float | None = None
    tags: list[str] | None = None
    transaction_id: int | None = None


class ControlDNS(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The name, seen by the test helper."""

    failure: str | None = None
    addrs: list[str] | None = None


class ControlStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One endpoint or handshake, seen by the test helper."""

    status: bool | None = None
    failure: str | bool | None = None
    server_name: str | None = None


class ControlHTTP(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last page, seen by the test helper; −1 stands for none."""

    body_length: int | None = None
    failure: str | None = None
    title: str | None = None
    headers: dict[str, Data] | None = None
    status_code: int | None = None


class IPKnowledge(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the test helper knows of an address."""

    asn: int | None = None
    flags: int | None = None


class Control(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The test helper's answer."""

    dns: ControlDNS | None = None
    http_request: ControlHTTP | None = None
    tcp_connect: dict[str, ControlStatus] | None = None
    tls_handshake: dict[str, ControlStatus] | None = None
    ip_info: dict[str, IPKnowledge] | None = None


class Helper(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which test helper was asked."""

    address: str | None = None


class TestKeys(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What web_connectivity saw and concluded."""

    __test__ = False

    queries: list[Query] | None = None
    x_dns_duplicate_responses: list[Query] | None = None
    tcp_connect: list[Connect] | None = None
    tls_handshakes: list[Handshake] | None = None
    requests: list[Transaction] | None = None
    control: Control | None = None
    control_failure: str | None = None
    client_resolver: str | None = None
    blocking: str | bool | None = None
    accessible: bool | None = None


class Top(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of a report."""

    test_name: str = ""
    test_version: str | None = None
    input: str | None = None
    measurement_start_time: str | None = None
    test_runtime: float | None = None
    probe_asn: str | None = None
    probe_cc: str | None = None
    probe_network_name: str | None = None
    resolver_asn: str | None = None
    software_name: str | None = None
    software_version: str | None = None
    test_helpers: dict[str, Helper] | None = None
    test_keys: TestKeys
