"""The `control:` part of the configuration: who measures for us from elsewhere, and how they are reached."""

import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from probe.model.control import ControlKind
from probe.model.errors import UserError
from probe.model.settings import ControlSettings
from probe.model.target import SecretRef
from probe.model.written import Written
from probe.net.tunnel import TunnelKind, parse_way
from probe.protocols.written.fields import Fields

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\[\]-]{0,79}", re.ASCII).fullmatch
_PIN = re.compile(r"(?:sha256[:/])?([0-9a-f]{64})", re.ASCII).fullmatch
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII).fullmatch
_EXAMPLE = "{url: https://control.example:8443, token_file: /etc/wallprobe/token, pin: …}"


class _ServerKind(StrEnum):
    WALLPROBE = ControlKind.WALLPROBE.value
    OONI = ControlKind.OONI.value


def read_controls(fields: Fields, folder: Path) -> tuple[ControlSettings, ...]:
    """Return the controls in their order; what is wrong with one is noted, and it is left out."""
    controls = [_read_control(item, fields, folder) for item in fields.items("control")]
    return tuple(control for control in controls if control is not None)


def _read_control(item: Written, fields: Fields, folder: Path) -> ControlSettings | None:
    if not isinstance(item.value, dict):
        fields.fail(item, "control: not a mapping", f"write {_EXAMPLE}")
        return None
    section = Fields(item, fields.file, fields.errors, "control.")
    before = len(fields.errors)
    if section.has("via") and not section.has("url") and not section.has("peer"):
        tunnel = ControlSettings(
            kind=ControlKind.TUNNEL,
            name=_matching(section, "name", _NAME, "use letters, digits, dots and dashes, such as my-vpn"),
            proxy=_read_way(section),
            asn=section.integer("asn", 0),
            country=_matching(section, "country", _COUNTRY, "give the two letters of ISO 3166, such as DE"),
        )
        section.finish()
        return tunnel if len(fields.errors) == before else None
    is_peer = section.has("peer")
    if is_peer and section.has("url"):
        fields.fail(item, "control has url and peer", "give one of them")
    control = ControlSettings(
        url=_read_url(section, item, "peer" if is_peer else "url"),
        name=_matching(section, "name", _NAME, "use letters, digits, dots and dashes, such as fra-1"),
        kind=ControlKind.PEER if is_peer else _read_kind(section),
        token=_read_token(section, folder),
        pin=_read_pin(section),
        ca_file=_read_path(section, "ca_file", folder),
        cert_file=_read_path(section, "cert_file", folder),
        key_file=_read_path(section, "key_file", folder),
        proxy=_read_proxy(section),
        asn=section.integer("asn", 0),
        country=_matching(section, "country", _COUNTRY, "give the two letters of ISO 3166, such as DE"),
    )
    if bool(control.cert_file) != bool(control.key_file):
        fields.fail(item, "control has one of cert_file and key_file", "give both or neither")
    if control.token is not None and control.url.startswith("http://") and not _is_local(control.url):
        fields.fail(item, "control: the token would travel in the clear", "use https")
    section.finish()
    return control if len(fields.errors) == before else None


def _fail(section: Fields, key: str, what: str, remedy: str) -> None:
    section.errors.append(UserError(section.place(section.line_of(key)), f"control.{key}: {what}", remedy))


def _read_kind(section: Fields) -> ControlKind:
    """Return whose server it is; a tunnel and a peer are told by their keys, not by `type`."""
    return ControlKind(section.choice("type", _ServerKind, _ServerKind.WALLPROBE).value)


def _read_url(section: Fields, item: Written, key: str) -> str:
    text = section.text(key)
    try:
        url = urlsplit(text)
        good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        good = False
    if not good or url.username is not None or url.query or url.fragment:
        section.fail(item, f"control.{key}: {text[:60]!r} is no address of a control", f"write {_EXAMPLE}")
        return ""
    return text.rstrip("/")


def _is_local(text: str) -> bool:
    return urlsplit(text).hostname in ("localhost", "127.0.0.1", "::1")


def _matching(section: Fields, key: str, pattern: Callable[[str], object], remedy: str) -> str:
    text = section.text(key)
    if text and pattern(text) is None:
        _fail(section, key, f"{text[:40]!r} is no good", remedy)
    return text


def _read_token(section: Fields, folder: Path) -> SecretRef | None:
    """Return where the token is; it is read when it is used, so that it can be put there later."""
    file, variable = section.text("token_file"), section.text("token_env")
    if section.has("token"):
        _fail(section, "token", "a secret does not belong here", "put it into a file and name that with token_file")
    if file and variable:
        _fail(section, "token_env", "there is a token_file too", "give one of them")
    if file:
        return SecretRef(source=f"file:{folder / Path(file).expanduser()}")
    return SecretRef(source=f"env:{variable}") if variable else None


def _read_pin(section: Fields) -> str:
    text = section.text("pin").lower().replace(":", "") if section.has("pin") else ""
    found = _PIN(text.removeprefix("sha256"))
    if text and found is None:
        _fail(section, "pin", "not a SHA-256", "copy the 64 hex digits that `wallprobe control serve` logs as pin")
    return found[1] if found else ""


def _read_path(section: Fields, key: str, folder: Path) -> str:
    name = section.text(key)
    return str(folder / Path(name).expanduser()) if name else ""


def _read_proxy(section: Fields) -> str:
    """Return the proxy through which a control's server is reached."""
    text = section.text("via")
    if text and parse_kind(text) not in (TunnelKind.SOCKS5, TunnelKind.HTTP):
        _fail(section, "via", f"{text[:60]!r} is no proxy", "write socks5://127.0.0.1:1080 or http://127.0.0.1:3128")
    return text


def _read_way(section: Fields) -> str:
    """Return the tunnel that is a control by itself."""
    text = section.text("via")
    if parse_kind(text) is None:
        remedy = "write socks5://127.0.0.1:1080, http://127.0.0.1:3128 or device://wg0"
        _fail(section, "via", f"{text[:60]!r} is no tunnel", remedy)
    return text


def parse_kind(text: str) -> TunnelKind | None:
    """Return what sort of tunnel an address names; `None` = none."""
    try:
        return parse_way(text)[0]
    except ValueError:
        return None
