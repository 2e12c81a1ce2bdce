"""OONI's failure strings, read into ours and written from ours.

Source: OONI spec df-007 ("errors"); the test helper's own words (probe-cli, `internal/oohelperd`); the names that the
probes before 2020 took from Twisted and Measurement Kit, which the archive still holds; Go's texts for TLS alerts
(RFC 8446 section 6).
"""

from probe.model.failure import Failure, FailureCode, Stage

TLS_CODES = frozenset(
    {
        FailureCode.SSL_FAILED_HANDSHAKE,
        FailureCode.SSL_INVALID_CERTIFICATE,
        FailureCode.SSL_INVALID_HOSTNAME,
        FailureCode.SSL_UNKNOWN_AUTHORITY,
        FailureCode.TLS_ALERT,
    }
)
DNS_CODES = frozenset(code for code in FailureCode if code.value.startswith("dns_"))

_CODES = {code.value: code for code in FailureCode}
_OTHER_WORDS = {
    "android_dns_cache_no_data": FailureCode.DNS_NO_ANSWER,
    "connect_error": FailureCode.UNKNOWN,
    "connection_already_closed": FailureCode.CONNECTION_ABORTED,  # Go's net.ErrClosed: the probe itself had closed it
    "connection_done": FailureCode.EOF,
    "connection_refused_error": FailureCode.CONNECTION_REFUSED,
    "deferred_timeout_error": FailureCode.TIMEOUT,
    "dns_bogon_error": FailureCode.DNS_MISBEHAVING,
    "dns_lookup_error": FailureCode.DNS_MISBEHAVING,
    "dns_name_error": FailureCode.DNS_NXDOMAIN,
    "dns_name_failure": FailureCode.DNS_SERVFAIL,
    "dns_reply_with_wrong_query_id": FailureCode.DNS_MISBEHAVING,
    "dns_server_misbehaving": FailureCode.DNS_SERVFAIL,  # Go's word for any answer that reports a fault
    "dns_server_failure": FailureCode.DNS_SERVFAIL,
    "host_unreachable_error": FailureCode.HOST_UNREACHABLE,
    "http_invalid_redirect_url": FailureCode.HTTP_INVALID_REDIRECT,
    "no_answer": FailureCode.DNS_NO_ANSWER,
    "ssl_unknown_autority": FailureCode.SSL_UNKNOWN_AUTHORITY,
    "task_timed_out": FailureCode.TIMEOUT,
    "tcp_timed_out_error": FailureCode.TIMEOUT,
    "timed_out": FailureCode.TIMEOUT,
}
_UNKNOWN_PREFIX = "unknown_failure: "
_ALERT_PREFIX = "remote error: tls: "
_ALERTS = {
    "close notify": 0,
    "unexpected message": 10,
    "bad record MAC": 20,
    "handshake failure": 40,
    "bad certificate": 42,
    "unsupported certificate": 43,
    "illegal parameter": 47,
    "unknown certificate authority": 48,
    "access denied": 49,
    "error decoding message": 50,
    "error decrypting message": 51,
    "protocol version not supported": 70,
    "insufficient security level": 71,
    "internal error": 80,
    "inappropriate fallback": 86,
    "user canceled": 90,
    "missing extension": 109,
    "unsupported extension": 110,
    "unrecognized name": 112,
    "certificate required": 116,
    "no application protocol": 120,
}
_FREE_TEXTS = {
    "certificate verify failed": FailureCode.SSL_INVALID_CERTIFICATE,
    "stopped after too many redirects": FailureCode.TOO_MANY_REDIRECTS,
    "stopped after 10 redirects": FailureCode.TOO_MANY_REDIRECTS,
    "tls: first record does not look like a TLS handshake": FailureCode.SSL_FAILED_HANDSHAKE,
    "ssl_error": FailureCode.SSL_FAILED_HANDSHAKE,
}
"""What OONI has no word for: its free text is all there is to go by, here Go's and, of 2017 to 2020, OpenSSL's."""


def parse_failure(text: str | None, stage: Stage) -> Failure | None:
    """Return what a failure string of an OONI record means; `None` = it says success.

    A word that is not known becomes `unknown_error`, with the word as its detail.
    """
    if text is None:
        return None
    code = _OTHER_WORDS.get(text) or _CODES.get(text) or _read_free_text(text)
    return Failure(stage=stage, code=code, detail="" if code.value == text else text[:200])


def _read_free_text(text: str) -> FailureCode:
    rest = text.removeprefix(_UNKNOWN_PREFIX)
    if _ALERT_PREFIX in rest:
        return FailureCode.TLS_ALERT
    return next((code for words, code in _FREE_TEXTS.items() if words in rest), FailureCode.UNKNOWN)


def parse_alert(text: str | None) -> tuple[int, int] | None:
    """Return level and description of the alert that a failure string tells of; `None` = of none that we know."""
    _, found, words = (text or "").partition(_ALERT_PREFIX)
    description = _ALERTS.get(words.strip()) if found else None
    return None if description is None else (2, description)


def write_failure(failure: Failure | None, alert: tuple[int, int] | None = None) -> str | None:
    """Return the string that df-007 has for a failure; what it has none for goes behind `unknown_failure:`."""
    if failure is None:
        return None
    match failure.code:
        case FailureCode.TLS_ALERT:
            known = {number: words for words, number in _ALERTS.items()}
            return f"{_UNKNOWN_PREFIX}{_ALERT_PREFIX}{known.get(alert[1] if alert else -1, 'alert')}"
        case FailureCode.TOO_MANY_REDIRECTS:
            return f"{_UNKNOWN_PREFIX}stopped after too many redirects"
        case (
            FailureCode.HTTP_UNEXPECTED_CONTENT
            | FailureCode.OUT_OF_DESCRIPTORS
            | FailureCode.QUIC_CLOSED
            | FailureCode.UNEXPECTED_ANSWER
            | FailureCode.REFUSED_BY_PEER
            | FailureCode.TOO_SOON
            | FailureCode.CREDENTIALS_MISSING
            | FailureCode.CREDENTIALS_EXPIRED
        ):
            return f"{_UNKNOWN_PREFIX}{failure.code.value}"
        case _:
            return failure.code.value


def map_dns_failure(code: FailureCode) -> str | None:
    """Return the test helper's word for a failed lookup; `None` = there was no answer, which it calls no failure."""
    match code:
        case FailureCode.DNS_NXDOMAIN:
            return "dns_name_error"
        case FailureCode.DNS_NO_ANSWER:
            return None
        case FailureCode.DNS_SERVFAIL | FailureCode.DNS_REFUSED | FailureCode.DNS_MISBEHAVING:
            return "dns_server_failure"
        case FailureCode.DNS_TEMPORARY | FailureCode.DNS_NON_RECOVERABLE:
            return "dns_server_failure"
        case _:
            return "unknown_error"


def map_tcp_failure(code: FailureCode) -> str:
    """Return the test helper's word for a failed connection."""
    return _map_timeout_or_refused(code) or "connect_error"


def map_http_failure(code: FailureCode) -> str:
    """Return the test helper's word for a page that did not come."""
    return _map_timeout_or_refused(code) or "unknown_error"


def _map_timeout_or_refused(code: FailureCode) -> str:
    match code:
        case FailureCode.TIMEOUT:
            return "generic_timeout_error"
        case FailureCode.CONNECTION_REFUSED:
            return "connection_refused_error"
        case _:
            return ""
