"""`web:` of the configuration: where the server listens, under which name and path, and what protects it."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import msgspec

from probe.model.errors import UserError
from probe.model.settings import WebSettings
from probe.protocols.written.fields import Fields

_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]\s]*):([0-9]{1,5})", re.ASCII).fullmatch
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*/?", re.ASCII).fullmatch


def read_web(fields: Fields, readable_file: Callable[[Fields, str], str]) -> WebSettings:
    """Read the section; `readable_file` returns the path of a file that must be there."""
    section = fields.mapping("web")
    if section is None:
        return WebSettings()
    listen = section.texts("listen", WebSettings().listen)
    for address in listen:
        found = _LISTEN(address)
        if found is None or int(found[2]) > 65535:
            place = section.place(section.line_of("listen"))
            what = f"web.listen: {address[:60]!r} is no address and port"
            section.errors.append(UserError(place, what, "write 127.0.0.1:9785 or [::1]:9785"))
    web = WebSettings(
        listen=listen,
        config_file=readable_file(section, "config_file"),
        modules_file=readable_file(section, "modules_file"),
        allow_insecure=section.truth("allow_insecure", False),
        open_health=section.truth("open_health", False),
        systemd_socket=section.truth("systemd_socket", False),
        telemetry_path=section.text("telemetry_path", WebSettings().telemetry_path),
        external_url=section.text("external_url"),
        route_prefix=section.text("route_prefix"),
    )
    try:
        web = check_places(web, section.place(section.line))
    except UserError as error:
        section.errors.append(error)
    section.finish()
    return web


def check_places(web: WebSettings, where: str) -> WebSettings:
    """Return the settings with their paths written in one way; the prefix is that of the URL unless it is given.

    Raises:
        UserError: a path is none, or the URL is none of http or https.
    """
    try:
        parts = urlsplit(web.external_url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit("x:"), None
    if web.external_url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or port == 0):
        what = f"web.external_url: {web.external_url[:80]!r} is no URL of a page"
        raise UserError(where, what, "write https://monitoring.example/wallprobe/")
    prefix = (web.route_prefix or parts.path).rstrip("/")
    telemetry = web.telemetry_path.rstrip("/")
    for key, path in (("route_prefix", prefix), ("telemetry_path", telemetry)):
        if _PATH(path) is None or (key == "telemetry_path" and not path):
            raise UserError(where, f"web.{key}: {path[:80]!r} is no path", "write /metrics, or /wallprobe")
    if telemetry.startswith(("/api/", "/-/")):
        raise UserError(where, f"web.telemetry_path: {telemetry!r} is taken", "write /metrics")
    return msgspec.structs.replace(web, telemetry_path=telemetry, route_prefix=prefix)
