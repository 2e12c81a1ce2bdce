"""OONI's test helper contract: what its probes send and what they expect back, as JSON.

Source: ooni/probe-cli, `internal/model/th.go` (types) and `internal/oohelperd` (behaviour): `tls_handshake` and
`ip_info` are left out when empty, all else is always there.
"""

from enum import IntFlag
from urllib.parse import urlsplit

import msgspec

from probe.model.errors import ProtocolError
from probe.model.target import Header
from probe.protocols.http.redirect import WebAddress, parse_host

GREETING = {"message": "Hello OONItarian!"}
MAX_REQUEST_BYTES = 1024 * 1024
MAX_ENDPOINTS = 512
HONOURED_HEADERS = ("Accept", "Accept-Language", "User-Agent")


class HelperRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe sends."""

    http_request: str
    http_request_headers: dict[str, list[str]] | None = None
    tcp_connect: list[str] | None = None
    x_quic_enabled: bool = False


class TCPOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint."""

    status: bool
    failure: str | None


class TLSOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One handshake."""

    server_name: str
    status: bool
    failure: str | None


class HTTPOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The last page; −1, −1, "" and {} when there is none."""

    body_length: int = -1
    discovered_h3_endpoint: str = ""
    failure: str | None = None
    title: str = ""
    headers: dict[str, str] = {}
    status_code: int = -1


class DNSOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The name; no addresses for an address literal."""

    failure: str | None
    addrs: list[str] | None


class IPFlag(IntFlag):
    """What is known of an address."""

    RESOLVED_BY_PROBE = 1
    RESOLVED_BY_HELPER = 2
    BOGON = 4
    VALID_FOR_DOMAIN = 8


class IPKnowledge(msgspec.Struct, frozen=True, kw_only=True):
    """One address."""

    asn: int
    flags: int


class HelperAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe gets."""

    tcp_connect: dict[str, TCPOutcome]
    tls_handshake: dict[str, TLSOutcome] | None = None
    quic_handshake: dict[str, TLSOutcome] | None = None
    http_request: HTTPOutcome
    http3_request: HTTPOutcome | None = None
    dns: DNSOutcome
    ip_info: dict[str, IPKnowledge] | None = None


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The order and the gaps of the real thing."""

    tcp_connect: dict[str, TCPOutcome]
    tls_handshake: dict[str, TLSOutcome] | msgspec.UnsetType = msgspec.UNSET
    quic_handshake: dict[str, TLSOutcome]
    http_request: HTTPOutcome
    http3_request: HTTPOutcome | None
    dns: DNSOutcome
    ip_info: dict[str, IPKnowledge] | msgspec.UnsetType = msgspec.UNSET


_requests = msgspec.json.Decoder(HelperRequest)
encode = msgspec.json.Encoder().encode


def parse_helper_request(data: bytes) -> HelperRequest:
    """Read what a probe sent.

    Raises:
        ProtocolError: it is no such request.
    """
    try:
        request = _requests.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ProtocolError(f"not a request: {str(error)[:120]}") from error
    if len(request.tcp_connect or ()) > MAX_ENDPOINTS:
        raise ProtocolError(f"more than {MAX_ENDPOINTS} endpoints")
    return request


def parse_url(text: str) -> tuple[WebAddress, bool]:
    """Read the URL to fetch; also tell whether it names its port.

    Raises:
        ProtocolError: it is no http or https URL.
    """
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ProtocolError(f"not a URL: {text[:80]!r}") from error
    if url.scheme not in ("http", "https") or not url.hostname or port == 0:
        raise ProtocolError(f"not an http URL: {text[:80]!r}")
    secure = url.scheme == "https"
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    address = WebAddress(secure=secure, host=parse_host(url.hostname), port=port or (443 if secure else 80), path=path)
    return address, port is not None


def read_headers(written: dict[str, list[str]] | None) -> tuple[Header, ...]:
    """Return the three headers that are passed on, in whatever case they are written; of several values, a list."""
    found: dict[str, list[str]] = {}
    for name, values in (written or {}).items():
        found.setdefault(canonical_name(name), []).extend(filter(None, values))
    return tuple(Header(name=name, value=", ".join(found[name])) for name in HONOURED_HEADERS if found.get(name))


def canonical_name(name: str) -> str:
    """Return a header name as Go spells it."""
    return "-".join(part.capitalize() for part in name.split("-"))


def encode_answer(answer: HelperAnswer) -> bytes:
    """Return the JSON as the real helper writes it."""
    return encode(
        _Answer(
            tcp_connect=answer.tcp_connect,
            tls_handshake=answer.tls_handshake or msgspec.UNSET,
            quic_handshake=answer.quic_handshake or {},
            http_request=answer.http_request,
            http3_request=answer.http3_request,
            dns=answer.dns,
            ip_info=answer.ip_info or msgspec.UNSET,
        )
    )


def find_h3_endpoint(alt_svc: str, host: str) -> str:
    """Return host and port of the first `h3` alternative (RFC 7838 section 3), or an empty string."""
    for alternative in alt_svc.split(","):
        protocol, equals, rest = alternative.strip().partition("=")
        if protocol == "h3" and equals:
            other, colon, port = rest.partition(";")[0].strip().strip('"').rpartition(":")
            if colon and port.isdecimal() and port.isascii():
                return f"{other or host}:{port}"
    return ""
