"""Certificates that a control makes for itself: one for the interface, pinned by clients, one for the echo services.

Source: RFC 5280 section 4.1. Nobody verifies these by name or chain; the pin is the SHA-256 of the DER.
"""

import datetime
import hashlib
import ssl
import tempfile
from pathlib import Path

from probe.model.errors import UserError

_LIFETIME = datetime.timedelta(days=3650)
"""A pin has no use for an early end."""
_CERTIFICATE_FILE = "control-cert.pem"
_KEY_FILE = "control-key.pem"


def make_certificate(name: str, now: datetime.datetime) -> tuple[bytes, bytes]:
    """Return a new self-signed certificate and its key (ECDSA P-256), both as PEM."""
    # Imported where it is needed: 16 MB of library.
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.PEM
    key_pem = key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(encoding), key_pem


def keep_certificate(folder: Path, name: str, now: datetime.datetime) -> tuple[Path, Path]:
    """Return the files of the certificate kept in this folder, made the first time.

    Raises:
        UserError: the folder cannot be used.
    """
    certificate_file, key_file = folder / _CERTIFICATE_FILE, folder / _KEY_FILE
    try:
        if not (certificate_file.exists() and key_file.exists()):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            certificate, key = make_certificate(name, now)
            key_file.unlink(missing_ok=True)
            key_file.touch(mode=0o600)
            key_file.write_bytes(key)
            certificate_file.write_bytes(certificate)
    except OSError as error:
        remedy = "give a folder with `state:`, or a certificate with `tls:`"
        raise UserError(str(folder), f"the certificate cannot be kept ({error.strerror})", remedy) from error
    return certificate_file, key_file


def hash_certificate(pem: str) -> str:
    """Return the SHA-256 of the first certificate in a PEM text, as clients pin it.

    Raises:
        ValueError: there is no certificate in it.
    """
    end = "-----END CERTIFICATE-----"
    first = pem[pem.find("-----BEGIN CERTIFICATE-----") :].split(end, 1)[0] + end + "\n"
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()


def build_server_context(
    certificate_file: Path, key_file: Path, client_ca_file: str, *, required: bool
) -> ssl.SSLContext:
    """Return the context of the interface; `required` = nobody comes in without a certificate of that authority.

    Raises:
        UserError: a file cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate_file, key_file, password=_no_password)
        if client_ca_file:
            context.load_verify_locations(client_ca_file)
            context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError("tls", f"certificate, key or client CA cannot be used ({reason})", "check the files") from error
    return context


def _no_password() -> str:
    """Stop OpenSSL from asking at the terminal: a server has none."""
    raise ValueError("the key is encrypted")


def build_echo_context(certificate: bytes, key: bytes) -> tuple[ssl.SSLContext, str]:
    """Return a context that shows one throw-away certificate for any name, and that certificate's SHA-256."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory(prefix="wallprobe-") as folder:
        # OpenSSL reads keys from files only; the folder is nobody else's.
        pair = Path(folder) / "pair.pem"
        pair.write_bytes(key + certificate)
        context.load_cert_chain(pair)
    context.num_tickets = 0
    return context, hash_certificate(certificate.decode())
