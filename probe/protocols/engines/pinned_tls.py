"""TLS as OpenVPN uses it: the roots are a file's own, the name is not looked at, the client may have a certificate.

Source: openvpn-manual, `--ca`, `--cert`, `--key`, `--tls-cert-profile legacy` (security level 1),
`--tls-version-min 1.2`.
"""

import os
import ssl

from probe.protocols.dialogue import Refused
from probe.protocols.engines.tls import TLSEngine


def open_engine(ca: bytes, certificate: bytes = b"", key: bytes = b"") -> TLSEngine:
    """Return a client that trusts these roots alone, without any whoever answers; all three are PEM.

    Raises:
        ValueError: one of them cannot be used; what is in them is not quoted.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if ca else ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT:!kRSA:@SECLEVEL=1")  # with kRSA a server would prove its key too late
    try:
        if ca:
            context.load_verify_locations(cadata=ca.decode("ascii"))
        if certificate and key:
            load_pair(context, certificate, key)
    except (ssl.SSLError, UnicodeDecodeError):
        raise ValueError("the file's CA, certificate or key cannot be used") from None
    return TLSEngine(context, "")


def open_records(engine: TLSEngine, payloads: list[bytes]) -> list[bytes]:
    """Return what these bytes from the wire say inside TLS, record by record.

    Raises:
        Refused: the server ends TLS, as it does when it does not like our certificate.
    """
    for data in payloads:
        engine.add(data)
    records: list[bytes] = []
    try:
        while record := engine.open():
            records.append(record)
    except ssl.SSLError as error:
        raise Refused(f"the server ends TLS: {(error.reason or 'alert')[:80]}") from None
    return records


def load_pair(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a pair from memory: OpenSSL's wrapper here reads files only, so one that is on no disk stands in.

    Raises:
        ssl.SSLError: they are none, or the key has a passphrase.
    """
    descriptor = os.memfd_create("pair")
    try:
        os.write(descriptor, certificate + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}", password=lambda: b"")
    finally:
        os.close(descriptor)
