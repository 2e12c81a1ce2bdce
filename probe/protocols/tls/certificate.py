"""Facts of an X.509 certificate, read only when somebody asks: the happy path keeps DER and parses nothing.

Source: RFC 5280 for the fields, RFC 9525 section 6.3 for names (whole-label wildcards, leftmost label only, no common
name). `cryptography` does the parsing. Callers cache by DER.
Deviation: extensions that cannot be read count as absent, because middleboxes make such certificates and the rest of
them still says who did it.
"""

import hashlib
import ipaddress

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from probe.model.errors import ProtocolError

_UNREADABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.ExtensionNotFound,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What a reader or a rule asks of a certificate."""

    sha256: str
    """Of the DER, lower-case hex."""
    subject: str
    """Whole name, RFC 4514."""
    issuer: str
    """Whole name, RFC 4514."""
    not_before: float
    """Seconds since the epoch (UTC)."""
    not_after: float
    """Seconds since the epoch (UTC)."""
    dns_names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    public_key_sha256: str = ""
    """Of the SubjectPublicKeyInfo; empty when the key is of no known kind."""


def parse_certificate(der: bytes) -> Certificate:
    """Read a certificate.

    Raises:
        ProtocolError: the bytes are not one.
    """
    try:
        parsed = x509.load_der_x509_certificate(der)
        return Certificate(
            sha256=hashlib.sha256(der).hexdigest(),
            subject=parsed.subject.rfc4514_string(),
            issuer=parsed.issuer.rfc4514_string(),
            not_before=parsed.not_valid_before_utc.timestamp(),
            not_after=parsed.not_valid_after_utc.timestamp(),
            dns_names=_read_dns_names(parsed),
            addresses=_read_addresses(parsed),
            public_key_sha256=_hash_public_key(parsed),
        )
    except _UNREADABLE as error:
        raise ProtocolError(f"not a certificate: {der[:32].hex()}") from error


def matches_name(certificate: Certificate, name: str) -> bool:
    """Tell whether the certificate names this host or address literal."""
    try:
        address = str(ipaddress.ip_address(name))
    except ValueError:
        return any(_matches_pattern(pattern, name) for pattern in certificate.dns_names)
    return address in certificate.addresses


def _matches_pattern(pattern: str, name: str) -> bool:
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if not pattern.startswith("*."):
        return pattern == name
    label, _, parent = name.partition(".")
    return bool(label) and "." in parent and parent == pattern[2:]


def _read_alternatives(parsed: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except _UNREADABLE:
        return None


def _read_dns_names(parsed: x509.Certificate) -> tuple[str, ...]:
    alternatives = _read_alternatives(parsed)
    return tuple(alternatives.get_values_for_type(x509.DNSName)) if alternatives is not None else ()


def _read_addresses(parsed: x509.Certificate) -> tuple[str, ...]:
    alternatives = _read_alternatives(parsed)
    if alternatives is None:
        return ()
    return tuple(str(address) for address in alternatives.get_values_for_type(x509.IPAddress))


def _hash_public_key(parsed: x509.Certificate) -> str:
    try:
        key = parsed.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except _UNREADABLE:
        return ""
    return hashlib.sha256(key).hexdigest()
