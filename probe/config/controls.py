"""The `control:` part of the configuration: who measures for us from elsewhere, and how they are reached."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from probe.model.control import ControlKind
from probe.model.errors import UserError
from probe.model.settings import ControlSettings
from probe.model.target import SecretRef
from probe.model.written import Written
from probe.protocols.fields import Fields

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\[\]-]{0,79}", re.ASCII).fullmatch
_PIN = re.compile(r"(?:sha256[:/])?([0-9a-f]{64})", re.ASCII).fullmatch
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII).fullmatch
_EXAMPLE = "{url: https://control.example:8443, token_file: /etc/wallprobe/token, pin: …}"
PROXY_SCHEMES = ("socks5", "socks5h", "http")


def read_controls(fields: Fields, folder: Path) -> tuple[ControlSettings, ...]:
    """Return the controls in their order; what is wrong with one is noted, and it is left out."""
    controls = [_read_control(item, fields, folder) for item in fields.items("control")]
    return tuple(control for control in controls if control is not None)


def _read_control(item: Written, fields: Fields, folder: Path) -> ControlSettings | None:
    if not isinstance(item.value, dict):
        fields.fail(item, "control: not a mapping", f"write {_EXAMPLE}")
        return None
    section = Fields(item, fields.file, fields.errors, "control.")
    if not section.has("url"):
        for key, what in (("via", "a tunnel as a control"), ("peer", "another agent as a control")):
            if section.has(key):
                fields.fail(item, f"control.{key}: {what} is not in this version", f"leave it out, or write {_EXAMPLE}")
                return None
    before = len(fields.errors)
    control = ControlSettings(
        url=_read_url(section, item),
        name=_matching(section, "name", _NAME, "use letters, digits, dots and dashes, such as fra-1"),
        kind=section.choice("type", ControlKind, ControlKind.WALLPROBE),
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


def _read_url(section: Fields, item: Written) -> str:
    text = section.text("url")
    try:
        url = urlsplit(text)
        good = url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        good = False
    if not good or url.username is not None or url.query or url.fragment:
        section.fail(item, f"control.url: {text[:60]!r} is no address of a control", f"write {_EXAMPLE}")
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
    text = section.text("via")
    if not text:
        return ""
    try:
        url = urlsplit(text)
        good = url.scheme in PROXY_SCHEMES and bool(url.hostname) and bool(url.port) and not url.username
    except ValueError:
        good = False
    if not good:
        _fail(section, "via", f"{text[:60]!r} is no proxy", "write socks5://127.0.0.1:1080 or http://127.0.0.1:3128")
    return text
