"""CA, certificate and key of a file that keeps all three in one PKCS #12. Source: openvpn-manual, `--pkcs12`; RFC 7292.

Only one without a passphrase is opened: nobody is here to be asked for it. Errors never quote what is in it.
"""

import base64
import binascii
import datetime
from collections.abc import Mapping

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

_BUNDLE = "pkcs12"


def unpack_identity(secrets: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Return the secrets with what their PKCS #12 holds; those that stand by themselves count first.

    Nothing is added of one that cannot be opened.
    """
    if _BUNDLE not in secrets:
        return secrets
    try:
        bundle = load_pkcs12(_read_bytes(secrets[_BUNDLE]), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return secrets
    found: dict[str, bytes] = {}
    authorities = [one.certificate.public_bytes(Encoding.PEM) for one in bundle.additional_certs]
    if authorities:
        found["ca"] = b"".join(authorities)
    if bundle.cert is not None and bundle.key is not None:
        found["cert"] = bundle.cert.certificate.public_bytes(Encoding.PEM)
        found["cert_key"] = bundle.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return found | dict(secrets)


def read_end(certificate: bytes, wall_s: float) -> str:
    """Return the day on which a certificate (PEM) ended, as `2026-11-01`; empty = it is good still, or is none."""
    try:
        end = x509.load_pem_x509_certificate(certificate).not_valid_after_utc
    except ValueError:
        return ""
    return f"{end:%Y-%m-%d}" if end < datetime.datetime.fromtimestamp(wall_s, datetime.UTC) else ""


def _read_bytes(data: bytes) -> bytes:
    """Return the bytes of a file, or of a block, which has them in base64."""
    try:
        return base64.b64decode(b"".join(data.split()), validate=True)
    except binascii.Error:
        return data
