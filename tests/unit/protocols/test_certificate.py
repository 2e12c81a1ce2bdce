"""X.509 facts from certificates made on the spot, and from any bytes."""

import contextlib
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.protocols.tls.certificate import Certificate, matches_name, parse_certificate

START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)


def issue(*names: x509.GeneralName, common_name: str = "common.test") -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(START)
        .not_valid_after(END)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


SAMPLE = issue(x509.DNSName("a.test"))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_certificate_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(parse_certificate(data), Certificate)


@given(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255))
def test_a_certificate_with_one_byte_changed_is_read_or_refused(at: int, value: int) -> None:
    with contextlib.suppress(ProtocolError):
        parse_certificate(SAMPLE[:at] + bytes((value,)) + SAMPLE[at + 1 :])


@given(st.integers(0, len(SAMPLE) - 1))
def test_a_certificate_cut_short_is_refused(length: int) -> None:
    with pytest.raises(ProtocolError):
        parse_certificate(SAMPLE[:length])


def test_the_facts_are_those_of_the_certificate() -> None:
    import ipaddress

    der = issue(x509.DNSName("a.test"), x509.DNSName("*.b.test"), x509.IPAddress(ipaddress.ip_address("192.0.2.1")))
    facts = parse_certificate(der)
    assert facts.sha256 == hashlib.sha256(der).hexdigest()
    assert (facts.subject, facts.issuer) == ("CN=common.test", "CN=common.test")
    assert (facts.not_before, facts.not_after) == (START.timestamp(), END.timestamp())
    assert facts.dns_names == ("a.test", "*.b.test")
    assert facts.addresses == ("192.0.2.1",)
    assert len(facts.public_key_sha256) == 64


def test_a_certificate_without_names_has_none() -> None:
    facts = parse_certificate(issue())
    assert facts.dns_names == ()
    assert not matches_name(facts, "common.test")


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("a.test", "a.test", True),
        ("A.Test", "a.tesT", True),
        ("a.test", "a.test.", True),
        ("a.test", "b.a.test", False),
        ("*.a.test", "b.a.test", True),
        ("*.a.test", "c.b.a.test", False),
        ("*.a.test", "a.test", False),
        ("*.a.test", ".a.test", False),
        ("*.test", "a.test", False),
        ("*", "test", False),
        ("b*.a.test", "bc.a.test", False),
        ("127.0.0.1", "127.0.0.1", False),
    ],
)
def test_names_match_as_browsers_match_them(pattern: str, name: str, matches: bool) -> None:
    assert matches_name(parse_certificate(issue(x509.DNSName(pattern))), name) is matches


def test_addresses_match_however_they_are_written() -> None:
    import ipaddress

    facts = parse_certificate(issue(x509.IPAddress(ipaddress.ip_address("2001:db8::1"))))
    assert matches_name(facts, "2001:0db8:0:0::1")
    assert not matches_name(facts, "2001:db8::2")


def test_dates_far_away_are_numbers() -> None:
    facts = parse_certificate(SAMPLE)
    assert facts.not_after - facts.not_before == timedelta(days=365).total_seconds()
