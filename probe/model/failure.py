"""What went wrong on the network, as data.

Source: the strings are OONI's df-007 ("errors"), so our observations can be read by whoever reads theirs.
Deviation: `tls_alert` and `too_many_redirects` are ours, because df-007 hides both in free text; the five after them
are of conversations that OONI does not have.
"""

from enum import StrEnum

import msgspec


class FailureCode(StrEnum):
    """Closed set of failures; it is also a metric label, so it stays under 40 members."""

    ADDRESS_NOT_AVAILABLE = "address_not_available"
    CONNECTION_ABORTED = "connection_aborted"
    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    EOF = "eof_error"
    TIMEOUT = "generic_timeout_error"
    HOST_UNREACHABLE = "host_unreachable"
    MESSAGE_SIZE = "message_size"
    NETWORK_DOWN = "network_down"
    NETWORK_UNREACHABLE = "network_unreachable"
    NO_BUFFER_SPACE = "no_buffer_space"
    NO_PROTOCOL_OPTION = "no_protocol_option"
    PERMISSION_DENIED = "permission_denied"
    DNS_NO_ANSWER = "dns_no_answer"
    DNS_NON_RECOVERABLE = "dns_non_recoverable_failure"
    DNS_NXDOMAIN = "dns_nxdomain_error"
    DNS_REFUSED = "dns_refused_error"
    DNS_MISBEHAVING = "dns_server_misbehaving"
    DNS_SERVFAIL = "dns_servfail_error"
    DNS_TEMPORARY = "dns_temporary_failure"
    SSL_FAILED_HANDSHAKE = "ssl_failed_handshake"
    SSL_INVALID_CERTIFICATE = "ssl_invalid_certificate"
    SSL_INVALID_HOSTNAME = "ssl_invalid_hostname"
    SSL_UNKNOWN_AUTHORITY = "ssl_unknown_authority"
    TLS_ALERT = "tls_alert"
    QUIC_INCOMPATIBLE_VERSION = "quic_incompatible_version"
    QUIC_CLOSED = "quic_closed"
    HTTP_REQUEST_FAILED = "http_request_failed"
    HTTP_INVALID_REDIRECT = "http_invalid_redirect_location_host"
    HTTP_UNEXPECTED_STATUS = "http_unexpected_status_code"
    HTTP_UNEXPECTED_CONTENT = "http_unexpected_content"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    UNEXPECTED_ANSWER = "unexpected_answer"
    REFUSED_BY_PEER = "refused_by_peer"
    TOO_SOON = "too_soon"
    CREDENTIALS_MISSING = "credentials_missing"
    CREDENTIALS_EXPIRED = "credentials_expired"
    OUT_OF_DESCRIPTORS = "out_of_descriptors"
    UNKNOWN = "unknown_error"


INSTRUMENT_CODES = frozenset(
    {
        FailureCode.ADDRESS_NOT_AVAILABLE,
        FailureCode.CONNECTION_ABORTED,
        FailureCode.NO_BUFFER_SPACE,
        FailureCode.NO_PROTOCOL_OPTION,
        FailureCode.OUT_OF_DESCRIPTORS,
        FailureCode.PERMISSION_DENIED,
        FailureCode.TOO_SOON,
        FailureCode.CREDENTIALS_MISSING,
    }
)
"""Our own host refused, or gave up: these say nothing about the target and are never evidence of interference.

`connection_aborted` is such a one: what comes from elsewhere is a reset. Android and `ss -K` end sockets so when the
network changes, Windows (WSAECONNABORTED) when software on the machine does.
"""


class Stage(StrEnum):
    """The step in which a failure happened."""

    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    HTTP = "http"
    QUIC = "quic"
    ECHO = "echo"
    DIALOGUE = "dialogue"
    EXPECT = "expect"


_PROHIBITED = ((3, 9), (3, 10), (3, 13))
"""Network, host, communication administratively prohibited. A route that is merely missing has other codes."""
_PROHIBITED_V6 = ((1, 1),)


class IcmpError(msgspec.Struct, frozen=True, kw_only=True):
    """An ICMP error read from a socket's error queue (ip(7), `IP_RECVERR`)."""

    type: int
    code: int
    offender: str
    """Address of the router or host that sent it."""
    asn: int = 0
    """AS of that address; 0 = not known."""

    @property
    def is_prohibition(self) -> bool:
        """Tell whether a filter speaks, not a missing route (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1)."""
        return (self.type, self.code) in (_PROHIBITED_V6 if ":" in self.offender else _PROHIBITED)


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Why a step failed."""

    stage: Stage
    code: FailureCode
    errno: int | None = None
    icmp: IcmpError | None = None
    detail: str = ""
    """Free text for a reader; never judged, never a metric label."""
