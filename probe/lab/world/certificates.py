"""The world's certificate authorities, one trusted by the client and one not, and the contexts of its servers.

Source: RFC 5280 sections 4.2.1.1-4.2.1.6: strict verifiers want key identifiers and key usage in every certificate.
"""

import datetime
import ssl
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from probe.lab.world.plan import Certificate

LARGE_BYTES = 3000
_FILLER = x509.ObjectIdentifier("1.3.6.1.4.1.32473.1")
"""Of the numbers for documentation (RFC 5612)."""


class Authority:
    """A private certificate authority that issues what it is asked for."""

    def __init__(self, name: str, folder: Path) -> None:
        self._folder = folder
        self.clock_offset_s = 0.0
        """How far what it issues is from our clock; its own root is not."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(name)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self._certificate = (
            self._builder(subject, subject, self._key, days=(-400, 3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self._serial = 0

    @property
    def pem(self) -> bytes:
        """Return the root certificate."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def build_context(self, names: tuple[str, ...], kind: Certificate = Certificate.VALID) -> ssl.SSLContext:
        """Return a server context with a fresh certificate for the names, good or bad as told."""
        return self._load(*self.issue(names, kind))

    def issue(
        self, names: tuple[str, ...], kind: Certificate = Certificate.VALID, *, for_client: bool = False
    ) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """Return a fresh key with a certificate for the names, good or bad as told; of a server, or of a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        shown = ("mismatch.invalid.example",) if kind is Certificate.WRONG_NAME else names
        days = (-120, -30) if kind is Certificate.EXPIRED else (-30, 60)
        purpose = ExtendedKeyUsageOID.CLIENT_AUTH if for_client else ExtendedKeyUsageOID.SERVER_AUTH
        subject = _name(shown[0])
        self_signed = kind is Certificate.SELF_SIGNED
        issuer, signer = (subject, key) if self_signed else (self._certificate.subject, self._key)
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        builder = self._builder(subject, issuer, key, days=days, issuer_key=signer)
        if kind is Certificate.LARGE:
            builder = builder.add_extension(x509.UnrecognizedExtension(_FILLER, bytes(LARGE_BYTES)), critical=False)
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in shown]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        return key, certificate

    def _load(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> ssl.SSLContext:
        self._serial += 1
        path = self._folder / f"{id(self)}-{self._serial}.pem"
        chain = certificate.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(chain)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.set_alpn_protocols(["http/1.1"])
        path.unlink()
        return context

    def _builder(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        days: tuple[int, int],
        issuer_key: ec.EllipticCurvePrivateKey | None = None,
    ) -> x509.CertificateBuilder:
        signer = key if issuer_key is None else issuer_key
        now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=self.clock_offset_s)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
