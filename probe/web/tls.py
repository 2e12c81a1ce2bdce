"""`web.config_file`: how the server is protected when others can reach it.

Source: prometheus/exporter-toolkit, docs/web-configuration.md: the same file format, so a file written for another
exporter works here. Less than it: certificates from files only, the interpreter's default ciphers, no
`basic_auth_users` and no `rate_limit`. Whatever we do not know is an error, because a protection that is written down
and not in force is worse than none.
"""

import ssl
from pathlib import Path

import msgspec
import yaml

from probe.model.errors import UserError

_CLIENT_AUTH = {
    "NoClientCert": ssl.CERT_NONE,
    "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL,
    "RequireAndVerifyClientCert": ssl.CERT_REQUIRED,
}
_VERSIONS = {"TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3}


class TlsServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tls_server_config`; paths are relative to the file's folder."""

    cert_file: str
    key_file: str
    client_ca_file: str = ""
    client_auth_type: str = "NoClientCert"
    min_version: str = "TLS12"
    max_version: str = "TLS13"


class WebConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    tls_server_config: TlsServer


def load_tls(config_file: str) -> ssl.SSLContext:
    """Read the file and what it names.

    Raises:
        UserError: a file cannot be read, or asks for what we do not have.
    """
    path = Path(config_file)
    where = f"web.config_file {config_file}"
    try:
        written = yaml.safe_load(path.read_bytes())
        config = msgspec.convert(written, WebConfig)
    except OSError as error:
        raise UserError(where, f"cannot be read ({error.strerror})", "give a readable file") from error
    except yaml.YAMLError as error:
        raise UserError(where, "not YAML", "write it as exporter-toolkit's web-configuration.md says") from error
    except msgspec.ValidationError as error:
        raise UserError(where, str(error), "only tls_server_config with files is supported") from error
    return _build_context(config.tls_server_config, path.parent, where)


def _build_context(config: TlsServer, folder: Path, where: str) -> ssl.SSLContext:
    if config.client_auth_type not in _CLIENT_AUTH:
        raise UserError(where, f"client_auth_type {config.client_auth_type!r}", f"one of {', '.join(_CLIENT_AUTH)}")
    if config.min_version not in _VERSIONS or config.max_version not in _VERSIONS:
        raise UserError(where, "min_version or max_version unknown", f"one of {', '.join(_VERSIONS)}")
    wanted = _CLIENT_AUTH[config.client_auth_type]
    if wanted is not ssl.CERT_NONE and not config.client_ca_file:
        raise UserError(where, "client certificates are asked for without client_ca_file", "name the file")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[config.min_version]
    context.maximum_version = _VERSIONS[config.max_version]
    try:
        context.load_cert_chain(folder / config.cert_file, folder / config.key_file, password=_no_password)
        if config.client_ca_file:
            context.load_verify_locations(folder / config.client_ca_file)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UserError(where, f"certificate, key or client CA cannot be used ({reason})", "check the files") from error
    context.verify_mode = wanted
    return context


def _no_password() -> str:
    """Stop OpenSSL from asking at the terminal: a daemon has none."""
    raise ValueError("the key is encrypted")
