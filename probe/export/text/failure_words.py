"""Why a step failed, in a reader's words: `connection_reset` is for machines."""

from probe.model.failure import Failure, FailureCode

_WORDS = {
    FailureCode.ADDRESS_NOT_AVAILABLE: "this host has no address for it",
    FailureCode.CONNECTION_ABORTED: "given up by this host",
    FailureCode.CONNECTION_REFUSED: "refused",
    FailureCode.CONNECTION_RESET: "reset",
    FailureCode.EOF: "closed",
    FailureCode.TIMEOUT: "no answer",
    FailureCode.HOST_UNREACHABLE: "no way to the host",
    FailureCode.MESSAGE_SIZE: "packet too large for the way",
    FailureCode.NETWORK_DOWN: "the network is down",
    FailureCode.NETWORK_UNREACHABLE: "no route",
    FailureCode.NO_BUFFER_SPACE: "this host has no memory for it",
    FailureCode.PERMISSION_DENIED: "this host does not allow it",
    FailureCode.DNS_NO_ANSWER: "no address for the name",
    FailureCode.DNS_NON_RECOVERABLE: "the resolver failed",
    FailureCode.DNS_NXDOMAIN: "no such name",
    FailureCode.DNS_REFUSED: "the resolver refused",
    FailureCode.DNS_MISBEHAVING: "the resolver's answer makes no sense",
    FailureCode.DNS_SERVFAIL: "the resolver failed",
    FailureCode.DNS_TEMPORARY: "the resolver failed for now",
    FailureCode.SSL_FAILED_HANDSHAKE: "the handshake failed",
    FailureCode.SSL_INVALID_CERTIFICATE: "certificate not valid",
    FailureCode.SSL_INVALID_HOSTNAME: "certificate of another name",
    FailureCode.SSL_UNKNOWN_AUTHORITY: "certificate of an unknown issuer",
    FailureCode.TLS_ALERT: "alert",
    FailureCode.QUIC_INCOMPATIBLE_VERSION: "no version in common",
    FailureCode.QUIC_CLOSED: "closed",
    FailureCode.HTTP_REQUEST_FAILED: "no HTTP answer",
    FailureCode.HTTP_UNEXPECTED_STATUS: "another status than expected",
    FailureCode.HTTP_UNEXPECTED_CONTENT: "other content than expected",
    FailureCode.UNEXPECTED_ANSWER: "an answer of another kind",
    FailureCode.REFUSED_BY_PEER: "refused",
    FailureCode.TOO_SOON: "not asked: too soon after the last time",
    FailureCode.CREDENTIALS_MISSING: "not asked: credentials missing",
    FailureCode.CREDENTIALS_EXPIRED: "ended at our certificate, which is over",
    FailureCode.OUT_OF_DESCRIPTORS: "this host has no more open files",
}


def say_failure(failure: Failure) -> str:
    """Return few words; with who said so, where an ICMP error did."""
    words = _WORDS.get(failure.code, failure.code.value.replace("_", " "))
    icmp = failure.icmp
    return f"{words} (ICMP {icmp.type}/{icmp.code} from {icmp.offender})" if icmp is not None else words
