"""The one place where an operating system's error becomes a `Failure`."""

import errno
import ssl

from probe.model.failure import INSTRUMENT_CODES, Failure, FailureCode, IcmpError, Stage

_BY_ERRNO: dict[int, FailureCode] = {
    errno.EADDRNOTAVAIL: FailureCode.ADDRESS_NOT_AVAILABLE,
    errno.EADDRINUSE: FailureCode.ADDRESS_NOT_AVAILABLE,
    errno.ECONNABORTED: FailureCode.CONNECTION_ABORTED,
    errno.ECONNREFUSED: FailureCode.CONNECTION_REFUSED,
    errno.ECONNRESET: FailureCode.CONNECTION_RESET,
    errno.EPIPE: FailureCode.CONNECTION_RESET,
    errno.ETIMEDOUT: FailureCode.TIMEOUT,
    errno.EHOSTUNREACH: FailureCode.HOST_UNREACHABLE,
    errno.EHOSTDOWN: FailureCode.HOST_UNREACHABLE,
    errno.EMSGSIZE: FailureCode.MESSAGE_SIZE,
    errno.ENETDOWN: FailureCode.NETWORK_DOWN,
    errno.ENETUNREACH: FailureCode.NETWORK_UNREACHABLE,
    errno.ENOBUFS: FailureCode.NO_BUFFER_SPACE,
    errno.ENOMEM: FailureCode.NO_BUFFER_SPACE,
    errno.ENOPROTOOPT: FailureCode.NO_PROTOCOL_OPTION,
    errno.EPROTO: FailureCode.NO_PROTOCOL_OPTION,
    errno.EAFNOSUPPORT: FailureCode.NETWORK_UNREACHABLE,
    errno.EACCES: FailureCode.PERMISSION_DENIED,
    errno.EPERM: FailureCode.PERMISSION_DENIED,
    errno.EMFILE: FailureCode.OUT_OF_DESCRIPTORS,
    errno.ENFILE: FailureCode.OUT_OF_DESCRIPTORS,
}

_NAME_MISMATCH = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH."""
_UNKNOWN_AUTHORITY = (2, 18, 19, 20, 21)
"""X509_V_ERR_*: no issuer, self-signed leaf, self-signed in chain, no local issuer, unverifiable leaf."""


def build_failure(stage: Stage, error: BaseException, icmp: IcmpError | None = None) -> Failure:
    """Say what an exception of a socket or of the TLS engine means.

    Classified by type and errno, never by message text; the text goes into `detail` for a reader.
    """
    if isinstance(error, TimeoutError) and not error.errno:
        return Failure(stage=stage, code=FailureCode.TIMEOUT, icmp=icmp)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(stage=stage, code=verify_code_to_failure(error.verify_code), detail=error.verify_message)
    if isinstance(error, ssl.SSLError):
        return Failure(stage=stage, code=FailureCode.SSL_FAILED_HANDSHAKE, detail=getattr(error, "reason", None) or "")
    if isinstance(error, EOFError):
        return Failure(stage=stage, code=FailureCode.EOF)
    if isinstance(error, OSError):
        code = _BY_ERRNO.get(error.errno or 0, FailureCode.UNKNOWN)
        if icmp is not None and code in INSTRUMENT_CODES:
            # EACCES, EPROTO and ENOPROTOOPT are our own host's refusals, unless an ICMP error came: then a router
            # refused.
            code = FailureCode.HOST_UNREACHABLE
        return Failure(stage=stage, code=code, errno=error.errno, icmp=icmp, detail=error.strerror or "")
    return Failure(stage=stage, code=FailureCode.UNKNOWN, detail=str(error))


def verify_code_to_failure(verify_code: int) -> FailureCode:
    """Map OpenSSL's X509_V_ERR number to df-007's three certificate failures."""
    if verify_code in _NAME_MISMATCH:
        return FailureCode.SSL_INVALID_HOSTNAME
    if verify_code in _UNKNOWN_AUTHORITY:
        return FailureCode.SSL_UNKNOWN_AUTHORITY
    return FailureCode.SSL_INVALID_CERTIFICATE
