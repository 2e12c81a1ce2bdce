"""Reads the configuration file. Every key has a default; all that is wrong is said at once, one line each."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from probe.config.anchors import default_anchors, read_anchors
from probe.config.controls import read_controls
from probe.config.peers import read_peers
from probe.config.shipped import shipped_source
from probe.config.sources import read_source
from probe.config.web import read_web
from probe.model.errors import CombinedUserError, UserError
from probe.model.settings import (
    Defaults,
    Limits,
    PerTarget,
    PrivacySettings,
    Profile,
    Settings,
    StoreSettings,
    TargetSource,
    TLSLibrary,
    TunnelNames,
    VantageSettings,
)
from probe.protocols.special_address import is_special
from probe.protocols.written.fields import Fields, quote_value
from probe.protocols.written.marked_yaml import read_yaml
from probe.protocols.written.resolver_uri import read_resolvers

DEFAULT_RESOLVERS = ("udp://9.9.9.9", "dot://9.9.9.9#dns.quad9.net", "doh+https://8.8.8.8/dns-query#dns.google")
PROFILES = {
    Profile.LINE: Limits(),
    Profile.SERVER: Limits(profile=Profile.SERVER, connections_per_s=1000.0, dns_per_s=700.0, sockets=10000),
}
LONGEST_CONFIG_BYTES = 4 * 1024 * 1024
_COUNTRY = re.compile(r"[A-Za-z]{2}", re.ASCII).fullmatch
_VANTAGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII).fullmatch


def load_config(path: str | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read a configuration file; with no path, the built-in defaults and the shipped neutral anchors.

    Raises:
        UserError: it cannot be read; `CombinedUserError` when more than one thing is wrong.
    """
    text = _read_text(path) if path else ""
    return parse_config(text, path or "built-in defaults", os.environ if environ is None else environ)


def _read_text(path: str) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(LONGEST_CONFIG_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(
            path, f"cannot be read: {error.strerror or error}", "check the path and its permissions"
        ) from None
    except ValueError:
        raise UserError(path, "is not UTF-8 text", "save it as UTF-8") from None
    if len(data) > LONGEST_CONFIG_BYTES:
        raise UserError(path, "is longer than 4 MiB", "put the targets into a list and name it with `file:`")
    if not text.strip():
        # What a full disk leaves of a file; a reload would take every target away, and call that a success.
        raise UserError(path, "is empty", "write {} if the defaults are meant; `wallprobe init` writes a commented one")
    return text


def parse_config(text: str, file: str, environ: Mapping[str, str]) -> Settings:
    """Read a configuration from text.

    Raises:
        UserError: as for `load_config`.
    """
    errors: list[UserError] = []
    fields = Fields(read_yaml(text, file), file, errors)
    folder = Path(file).parent
    vantage = _read_vantage(fields)
    shipped_anchors = default_anchors(vantage.country)
    anchors = fields.mapping("anchors")
    tls = fields.mapping("tls")
    metrics = fields.mapping("metrics")
    knowledge = fields.mapping("knowledge")
    web = read_web(fields, lambda section, key: _readable_file(section, key, folder))
    settings = Settings(
        vantage=vantage,
        targets=_read_targets(fields, file, folder),
        defaults=_read_defaults(fields),
        anchors=shipped_anchors if anchors is None else read_anchors(anchors, shipped_anchors),
        resolvers=read_resolvers(fields, DEFAULT_RESOLVERS),
        nowhere=_read_nowhere(fields),
        controls=read_controls(fields, folder),
        references=_read_references(fields, file),
        ca_file="" if tls is None else _readable_file(tls, "ca_file", folder),
        tls_library=TLSLibrary.AUTO if tls is None else tls.choice("library", TLSLibrary, TLSLibrary.AUTO),
        limits=_read_limits(fields),
        store=_read_store(fields, folder),
        web=web,
        peers=read_peers(fields, web),
        per_target=_read_per_target(metrics),
        max_series=_read_max_series(metrics),
        asn_file="" if knowledge is None else _readable_file(knowledge, "asn_file", folder),
        fingerprints_file="" if knowledge is None else _readable_file(knowledge, "fingerprints_file", folder),
        privacy=_read_privacy(fields, folder),
        accept_risk=fields.truth("accept_risk", False) or environ.get("WALLPROBE_ACCEPT_RISK", "") in ("1", "true"),
    )
    for section in (tls, metrics, knowledge, fields):
        if section is not None:
            section.finish()
    if errors:
        raise errors[0] if len(errors) == 1 else CombinedUserError(tuple(errors))
    return settings


def _read_vantage(fields: Fields) -> VantageSettings:
    section = fields.mapping("vantage")
    if section is None:
        return VantageSettings()
    default = VantageSettings()
    vantage = VantageSettings(
        id=section.text("id", default.id),
        country=section.text("country", default.country).upper(),
        asn=section.integer("asn", default.asn),
    )
    place = section.place(section.line)
    if _VANTAGE_ID(vantage.id) is None:
        remedy = "use letters, digits, dots and dashes, such as fra-1"
        fields.errors.append(UserError(place, f"vantage.id: {vantage.id[:40]!r} is no good", remedy))
    if _COUNTRY(vantage.country) is None:
        remedy = "give the two letters of ISO 3166, such as DE"
        fields.errors.append(UserError(place, f"vantage.country: {vantage.country[:40]!r} is no country", remedy))
    section.finish()
    return vantage


def _read_targets(fields: Fields, file: str, folder: Path) -> tuple[TargetSource, ...]:
    if not fields.has("targets"):
        return (shipped_source("anchors", file),)
    sources = (read_source(item, file, folder, fields.errors) for item in fields.items("targets"))
    return tuple(source for source in sources if source is not None)


def _read_defaults(fields: Fields) -> Defaults:
    section = fields.mapping("defaults")
    if section is None:
        return Defaults()
    defaults = Defaults(
        interval_s=section.duration("interval", Defaults().interval_s, low=1.0, high=30 * 86400.0),
        timeout_s=section.duration("timeout", Defaults().timeout_s, low=0.1, high=300.0),
    )
    section.finish()
    return defaults


def _read_references(fields: Fields, file: str) -> tuple[TargetSource, ...]:
    """Read addresses of servers of tunnels' protocols; what they mean is read where targets are."""
    found = []
    for item in fields.items("references"):
        if isinstance(item.value, str):
            found.append(TargetSource(uri=item.value, place=f"{file}:{item.line}"))
        else:
            fields.fail(item, "references: this is no address", "write openvpn://192.0.2.1:1194, ss://…, or a file")
    return tuple(found)


def _read_nowhere(fields: Fields) -> tuple[str, ...]:
    """Read addresses at which no resolver is; none by default, for questions there would surprise their owner."""
    found: list[str] = []
    for item in fields.items("nowhere"):
        address = item.value if isinstance(item.value, str) else ""
        if is_special(address) or "%" in address:
            what = f"nowhere: {quote_value(item)} is no public address"
            fields.fail(item, what, "give the address of a host of your own outside, with nothing on UDP port 53")
        elif address not in found:
            found.append(address)
    return tuple(found)


def _read_limits(fields: Fields) -> Limits:
    section = fields.mapping("limits")
    if section is None:
        return Limits()
    figures = PROFILES[section.choice("profile", Profile, Profile.LINE)]
    limits = Limits(
        profile=figures.profile,
        connections_per_s=section.decimal("connections_per_s", figures.connections_per_s, low=0.1, high=100_000),
        dns_per_s=section.decimal("dns_per_s", figures.dns_per_s, low=0.1, high=100_000),
        sockets=section.integer("sockets", figures.sockets, low=8, high=1_000_000),
        bytes_per_day=section.size("bytes_per_day", figures.bytes_per_day, low=1_000_000),
        cool_down_s=section.duration("cool_down", figures.cool_down_s, low=0.1, high=86400.0),
        rounds_apart_s=section.duration("rounds_apart", figures.rounds_apart_s, low=0.1, high=240.0),
        handshakes_apart_s=section.duration("handshakes_apart", figures.handshakes_apart_s, low=0.1, high=3600.0),
        longest_interval_s=section.duration("longest_interval", figures.longest_interval_s, low=1.0, high=86400.0),
    )
    section.finish()
    return limits


def _read_privacy(fields: Fields, folder: Path) -> PrivacySettings:
    section = fields.mapping("privacy")
    if section is None:
        return PrivacySettings()
    privacy = PrivacySettings(
        tunnels=section.choice("tunnels", TunnelNames, TunnelNames.SHOW),
        key_file=_readable_file(section, "key_file", folder),
    )
    section.finish()
    return privacy


def _read_store(fields: Fields, folder: Path) -> StoreSettings:
    section = fields.mapping("store")
    if section is None:
        return StoreSettings()
    default = StoreSettings()
    path = section.text("path")
    store = StoreSettings(
        path=str(folder / Path(path).expanduser()) if path else "",
        keep_s=section.duration("keep", default.keep_s, low=3600.0),
        max_size_bytes=section.size("max_size", default.max_size_bytes, low=10_000_000),
    )
    section.finish()
    return store


def _read_per_target(section: Fields | None) -> PerTarget | None:
    if section is None or not section.has("per_target"):
        return None
    return section.choice("per_target", PerTarget, PerTarget.FULL)


def _read_max_series(section: Fields | None) -> int:
    default = Settings().max_series
    return default if section is None else section.integer("max_series", default, low=1000, high=100_000_000)


def _readable_file(fields: Fields, key: str, folder: Path) -> str:
    """Return the path of a file that must be there, relative to the configuration."""
    name = fields.text(key)
    if not name:
        return ""
    path = folder / Path(name).expanduser()
    try:
        with path.open("rb"):
            return str(path)
    except (OSError, ValueError) as error:
        problem = error.strerror if isinstance(error, OSError) and error.strerror else "no path"
        what = f"{key}: {name[:120]} cannot be read: {problem}"
        fields.errors.append(UserError(fields.place(fields.line_of(key)), what, "check the path and its permissions"))
        return ""
