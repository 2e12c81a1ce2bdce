"""Whom QUIC and DTLS believe: the same file of roots as TLS over TCP, for engines that judge a chain afterwards.

Source: RFC 5280 section 6; OpenSSL builds and checks the path.
"""

import datetime
import functools
import re
import ssl

from OpenSSL import crypto

from probe.model.errors import ProtocolError
from probe.protocols.tls.certificate import matches_name, parse_certificate

HOSTNAME_MISMATCH = 62
"""X509_V_ERR_HOSTNAME_MISMATCH."""
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class Roots:
    """Made once (15 ms), from what was read at the start: by now this process may be able to open no file."""

    def __init__(self, pem: str) -> None:
        found = _CERTIFICATE.findall(pem)
        self._certificates = [crypto.load_certificate(crypto.FILETYPE_PEM, root.encode()) for root in found]
        self._store = self._build_store()

    def judge(self, chain: tuple[bytes, ...], meant: str, *, at_s: float | None = None) -> tuple[int, str]:
        """Return OpenSSL's verification code and message; 0 = the chain leads to a root and names the one meant.

        `at_s` is the wall time that it is judged for, or else this moment.
        """
        store = self._store
        if at_s is not None:
            store = self._build_store()  # OpenSSL never changes a store's moment once it has one
            store.set_time(datetime.datetime.fromtimestamp(at_s, datetime.UTC))
        try:
            leaf, *others = (crypto.load_certificate(crypto.FILETYPE_ASN1, der) for der in chain)
            crypto.X509StoreContext(store, leaf, others).verify_certificate()
            named = matches_name(parse_certificate(chain[0]), meant)
        except crypto.X509StoreContextError as error:
            code = error.errors[0] if error.errors and isinstance(error.errors[0], int) else 1
            return code, str(error)
        except (crypto.Error, ProtocolError, ValueError):
            return 1, "the certificate cannot be read"
        return (0, "") if named else (HOSTNAME_MISMATCH, f"the certificate does not name {meant}")

    def _build_store(self) -> crypto.X509Store:
        store = crypto.X509Store()
        for root in self._certificates:
            store.add_cert(root)
        return store


@functools.lru_cache(maxsize=8)
def load_roots(pem: str) -> Roots:
    """Return the certificates of a PEM text as roots, made once."""
    return Roots(pem)


def distrust(code: int, message: str) -> ssl.SSLCertVerificationError:
    """Return what `ssl` would raise for a peer that is not trusted."""
    error = ssl.SSLCertVerificationError(1, message)
    error.verify_code, error.verify_message = code, message
    return error
