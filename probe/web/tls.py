"""`tls_server_config` of `web.config_file` as a context: certificates, who may connect, versions, ciphers.

Source: prometheus/exporter-toolkit, docs/web-configuration.md and web/tls_config.go for what goes with what; names of
suites and curves are those of Go's crypto/tls (IANA's), RFC 5289 and RFC 7905 for what they stand for.
"""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from probe.model.errors import UserError
from probe.web.web_config import TlsServer

_CLIENT_AUTH = {
    "": ssl.CERT_NONE,
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_ENCRYPTED = "the key is encrypted"
_UNVERIFIED = ("RequestClientCert", "RequireClientCert", "RequireAnyClientCert")
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}
_OLD_VERSIONS = ("TLS10", "TLS11")
_SUITES = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
}
_SUITES_OF_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""Always on, as in Go, which takes their names in the list and changes nothing by them."""
_CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}


def named_files(config: TlsServer | None, folder: Path) -> tuple[Path, ...]:
    """Return the files that a context is made of: when one changes, so must the context."""
    if config is None:
        return ()
    return tuple(folder / name for name in (config.cert_file, config.key_file, config.client_ca_file) if name)


def build_context(config: TlsServer, folder: Path, where: str) -> ssl.SSLContext:
    """Return a context that enforces what is written.

    Raises:
        UserError: something does not fit together, or a certificate or key is no good.
    """
    wanted = _read_client_auth(config, where)
    for one, name in ((config.cert, "cert"), (config.key, "key")):
        if bool(one) == bool(getattr(config, f"{name}_file")):
            raise UserError(where, f"tls_server_config needs exactly one of {name} and {name}_file", "give one of them")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _read_version(config.min_version, "min_version", where)
    context.maximum_version = _read_version(config.max_version, "max_version", where)
    if context.minimum_version > context.maximum_version:
        raise UserError(where, "min_version is above max_version", "swap them")
    _set_suites(context, config, where)
    _set_curve(context, config.curve_preferences, where)
    try:
        with (
            _as_file(config.cert, folder / config.cert_file) as cert,
            _as_file(config.key, folder / config.key_file) as key,
        ):
            context.load_cert_chain(cert, key, password=no_password)
        if config.client_ca_file:
            context.load_verify_locations(folder / config.client_ca_file)
        elif config.client_ca:
            context.load_verify_locations(cadata=config.client_ca)
    except (OSError, ValueError) as error:
        what = f"certificate, key or client CA cannot be used ({why_unusable(error)})"
        raise UserError(where, what, "check the files") from error
    context.verify_mode = wanted
    return context


def why_unusable(error: OSError | ValueError) -> str:
    """Return what was wrong with files of certificates and keys; OpenSSL's own words help nobody."""
    if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
        return "the key belongs to another certificate"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return error.strerror or type(error).__name__
    return "the key is encrypted" if str(error) == _ENCRYPTED else "not in PEM, or a part is missing"


def _read_client_auth(config: TlsServer, where: str) -> ssl.VerifyMode:
    kind = config.client_auth_type
    if kind in _UNVERIFIED:
        raise UserError(where, f"client_auth_type {kind} verifies nothing", "write RequireAndVerifyClientCert")
    if kind not in _CLIENT_AUTH:
        raise UserError(where, f"client_auth_type {kind[:40]!r}", f"one of {', '.join(filter(None, _CLIENT_AUTH))}")
    if config.client_ca and config.client_ca_file:
        raise UserError(where, "both client_ca and client_ca_file are given", "give one of them")
    wanted, has_ca = _CLIENT_AUTH[kind], bool(config.client_ca or config.client_ca_file)
    if wanted is not ssl.CERT_NONE and not has_ca:
        raise UserError(where, "client certificates are asked for without client_ca_file", "name the file")
    if wanted is ssl.CERT_NONE and (has_ca or config.client_allowed_sans):
        what = "a client CA or client_allowed_sans is given, and no client is asked for a certificate"
        raise UserError(where, what, "write client_auth_type: RequireAndVerifyClientCert")
    if wanted is ssl.CERT_OPTIONAL and config.client_allowed_sans:
        what = "client_allowed_sans keeps nobody out who shows no certificate"
        raise UserError(where, what, "write client_auth_type: RequireAndVerifyClientCert")
    return wanted


def _read_version(name: str, key: str, where: str) -> ssl.TLSVersion:
    if name in _OLD_VERSIONS:
        raise UserError(where, f"{key}: {name} is broken and not spoken", "write TLS12 or TLS13")
    if name not in _VERSIONS:
        raise UserError(where, f"{key}: {name[:20]!r} is unknown", f"one of {', '.join(_VERSIONS)}")
    return _VERSIONS[name]


def _set_suites(context: ssl.SSLContext, config: TlsServer, where: str) -> None:
    for name in config.cipher_suites:
        if name not in _SUITES and name not in _SUITES_OF_13:
            raise UserError(where, f"cipher_suites: {name[:60]!r} is unknown or unsafe", f"one of {', '.join(_SUITES)}")
    chosen = list(dict.fromkeys(_SUITES[name] for name in config.cipher_suites if name in _SUITES))
    try:
        if chosen:
            context.set_ciphers(":".join(chosen))
        elif config.cipher_suites:
            context.minimum_version = ssl.TLSVersion.TLSv1_3
    except ssl.SSLError as error:
        raise UserError(where, "cipher_suites: this OpenSSL has none of them", "name others") from error
    if not config.prefer_server_cipher_suites:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE


def _set_curve(context: ssl.SSLContext, names: tuple[str, ...], where: str) -> None:
    if not names:
        return
    if len(names) > 1:
        raise UserError(
            where, "curve_preferences: this server can be held to one curve only", "name one, or leave it out"
        )
    try:
        context.set_ecdh_curve(_CURVES[names[0]])
    except (KeyError, ValueError, ssl.SSLError) as error:
        raise UserError(
            where, f"curve_preferences: {names[0][:20]!r} is unknown", f"one of {', '.join(_CURVES)}"
        ) from error


@contextmanager
def _as_file(text: str, path: Path) -> Iterator[Path]:
    """Give the path of a file with this text, or the path itself: the library reads keys from files only.

    In memory where the system can: a key that is written into a configuration should not be on a disk twice.
    """
    if not text:
        yield path
        return
    if hasattr(os, "memfd_create"):
        number = os.memfd_create("wallprobe-web", os.MFD_CLOEXEC)
        try:
            os.write(number, text.encode())
            yield Path(f"/proc/self/fd/{number}")
        finally:
            os.close(number)
        return
    with tempfile.NamedTemporaryFile(prefix="wallprobe-web-", mode="w") as file:
        file.write(text)
        file.flush()
        yield Path(file.name)


def no_password() -> str:
    """Stop OpenSSL from asking at the terminal: a daemon has none."""
    raise ValueError(_ENCRYPTED)


def has_allowed_san(certificate: object, allowed: tuple[str, ...]) -> bool:
    """Tell whether a verified certificate bears one of the names; `certificate` is what `getpeercert` returns."""
    if not isinstance(certificate, dict):
        return False
    kinds = ("DNS", "IP Address", "email", "URI")
    names = {str(value) for kind, value in certificate.get("subjectAltName", ()) if kind in kinds}
    return not names.isdisjoint(allowed)
