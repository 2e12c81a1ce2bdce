"""`web.config_file`: what protects the server when others can reach it, as it is written.

Source: prometheus/exporter-toolkit, docs/web-configuration.md: the same file format, so a file written for another
exporter works here. Less than it: no certificate that is asked for and not verified, one curve at most, and HTTP/1.1
whatever `http2` says. What we cannot enforce is an error, because a protection that is written down and not in force
is worse than none. Whether health paths are open is no part of that format: see `web.open_health`.
"""

import re
from pathlib import Path
from typing import Any

import msgspec
import yaml

from probe.model.errors import UserError
from probe.model.units import parse_duration

LONGEST_FILE_BYTES = 1024 * 1024
HEADERS = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""The headers that a file may set, and the values that they may have; none listed = any."""
MOST_USERS = 1000
_HASH = re.compile(r"\$2[abxy]\$(0[4-9]|[12][0-9]|3[01])\$[./A-Za-z0-9]{53}", re.ASCII).fullmatch
_PRINTABLE = re.compile(r"[\x20-\x7e]{1,4096}", re.ASCII).fullmatch


class TlsServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`tls_server_config`; paths are relative to the file's folder, and `cert`, `key`, `client_ca` stand in line."""

    cert: str = ""
    cert_file: str = ""
    key: str = ""
    key_file: str = ""
    client_ca: str = ""
    client_ca_file: str = ""
    client_auth_type: str = ""
    client_allowed_sans: tuple[str, ...] = ()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()


class HttpServer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`http_server_config`."""

    http2: bool = True
    """Read and of no effect: this server speaks HTTP/1.1, which every client of an exporter does."""
    headers: dict[str, str] = {}


class RateLimit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`rate_limit`: one request every so often, and a few at once; for all clients together."""

    interval: str = "0s"
    """A duration of Go, such as `100ms`; zero = no limit."""
    burst: int = 1

    @property
    def interval_s(self) -> float:
        """Return the time in which one more request is allowed."""
        return 0.0 if self.interval in ("", "0") else parse_duration(self.interval)


class WebConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    tls_server_config: TlsServer | None = None
    http_server_config: HttpServer = HttpServer()
    basic_auth_users: dict[str, str] = {}
    """User to bcrypt hash."""
    rate_limit: RateLimit = RateLimit()

    @property
    def protects(self) -> bool:
        """Tell whether it keeps anybody out or hides anything: else it is no reason to listen beyond loopback."""
        return self.tls_server_config is not None or bool(self.basic_auth_users)


def load_web_config(config_file: str) -> WebConfig:
    """Read the file; certificates are not opened yet.

    Raises:
        UserError: it cannot be read, or asks for what we do not have. It never quotes a value: they may be secrets.
    """
    where = f"web.config_file {config_file}"
    try:
        with Path(config_file).open("rb") as file:
            data = file.read(LONGEST_FILE_BYTES + 1)
    except OSError as error:
        raise UserError(where, f"cannot be read ({error.strerror})", "give a readable file") from error
    if len(data) > LONGEST_FILE_BYTES:
        raise UserError(where, "is longer than 1 MiB", "put certificates into files of their own")
    return parse_web_config(data, where)


def parse_web_config(data: bytes, where: str) -> WebConfig:
    """Read the text of a file.

    Raises:
        UserError: as for `load_web_config`.
    """
    try:
        written: Any = yaml.safe_load(data)
        config = msgspec.convert({} if written is None else written, WebConfig)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, msgspec.ValidationError):
            raise UserError(where, str(error), "write it as exporter-toolkit's web-configuration.md says") from None
        raise UserError(where, "not YAML", "write it as exporter-toolkit's web-configuration.md says") from None
    except TypeError:
        raise UserError(where, "a key is no text", "write it as exporter-toolkit's web-configuration.md says") from None
    _check_headers(config.http_server_config.headers, where)
    _check_users(config.basic_auth_users, where)
    _check_rate(config.rate_limit, where)
    return config


def _check_headers(headers: dict[str, str], where: str) -> None:
    for name, value in headers.items():
        if name not in HEADERS:
            raise UserError(
                where, f"http_server_config: header {name[:40]!r} cannot be set", f"one of {_list(HEADERS)}"
            )
        allowed = HEADERS[name]
        if _PRINTABLE(value) is None or (allowed and value.lower() not in allowed):
            remedy = f"one of {_list(allowed)}" if allowed else "give one line of plain text"
            raise UserError(where, f"http_server_config: the value of {name} is no good", remedy)


def _check_users(users: dict[str, str], where: str) -> None:
    if len(users) > MOST_USERS:
        raise UserError(where, f"basic_auth_users: more than {MOST_USERS}", "give a group one user")
    for user, hashed in users.items():
        if not user or ":" in user:
            raise UserError(where, "basic_auth_users: a user's name is empty or has a colon", "give another name")
        if _HASH(hashed) is None:
            remedy = "make one with `htpasswd -nBC 10 NAME`: it starts with $2y$; keep the quotes around it"
            raise UserError(where, f"basic_auth_users: what stands for {user[:40]!r} is no bcrypt hash", remedy)


def _check_rate(rate: RateLimit, where: str) -> None:
    try:
        limited = rate.interval_s > 0
    except ValueError:
        raise UserError(where, "rate_limit.interval is no duration", "write 1s or 100ms") from None
    if limited and rate.burst < 1:
        raise UserError(where, "rate_limit.burst lets nothing through", "give at least 1")


def _list(names: dict[str, tuple[str, ...]] | tuple[str, ...]) -> str:
    return ", ".join(names)
