"""How a control server is set up: its own YAML file, every key with a default."""

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path

import msgspec

from probe.control.hello_answers import Hello
from probe.control.policy import PORTS, Network, Policy
from probe.model.errors import CombinedUserError, UserError
from probe.model.observation import Resolver
from probe.model.settings import TokenEntry
from probe.model.written import Written
from probe.protocols.written.fields import Fields
from probe.protocols.written.marked_yaml import read_yaml
from probe.protocols.written.resolver_uri import read_resolvers

DEFAULT_RESOLVERS = ("udp://9.9.9.9", "udp://8.8.8.8")
LONGEST_FILE_BYTES = 1024 * 1024
MOST_ECHO_PORTS = 8192
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII).fullmatch
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII).fullmatch
_RANGE = re.compile(r"([0-9]{1,5})-([0-9]{1,5})", re.ASCII).fullmatch
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII).fullmatch


class ControlTls(msgspec.Struct, frozen=True, kw_only=True):
    """Certificate files; without them the server makes its own and keeps it in the state folder."""

    cert_file: str = ""
    key_file: str = ""
    client_ca_file: str = ""
    """Clients that show a certificate of this authority need no token."""


class ControlLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds on what clients can ask of the machine."""

    concurrent: int = 500
    """Measurements at once; more are told to come back."""
    per_minute: float = 600.0
    """Requests of one caller, unless its token says otherwise."""
    sockets: int = 4000
    step_s: float = 10.0
    whole_s: float = 30.0
    greetings_apart_s: float = 25.0
    """How far apart one tunnel's server is greeted, whoever asks: clients ask again after 30 s."""
    ooni_concurrent: int = 50
    """OONI measurements at once; the upper half is for OONI's own probes, as their helper has it."""


class EchoSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The range of echo ports; none where `low` is 0."""

    low: int = 20000
    high: int = 21023
    connections: int = 1024
    """Open at once over all ports."""


class ServeSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole set-up."""

    name: str = "control"
    listen: tuple[str, ...] = ("127.0.0.1:8443",)
    url: str = ""
    """As others reach it; told to OONI probes."""
    asn: int = 0
    country: str = ""
    asn_file: str = ""
    tokens: tuple[TokenEntry, ...] = ()
    tls: ControlTls = ControlTls()
    state: str = ""
    """Where the self-made certificate lives; empty = `$STATE_DIRECTORY`, else the user's state folder."""
    resolvers: tuple[Resolver, ...] = ()
    policy: Policy = Policy()
    limits: ControlLimits = ControlLimits()
    echo: EchoSettings = EchoSettings()
    hellos: dict[Hello, int] = {}
    """Reference servers of tunnels' protocols, by port; none unless named."""
    ooni_open: bool = False
    """Serve OONI probes, which have no token, without one."""
    ca_file: str = ""


def load_serve_settings(path: str) -> ServeSettings:
    """Read the file; an empty path means the defaults.

    Raises:
        UserError: it cannot be read; `CombinedUserError` when more than one thing is wrong.
    """
    if not path:
        return parse_serve_settings("", "built-in defaults")
    try:
        with open(path, "rb") as file:
            text = file.read(LONGEST_FILE_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise UserError(
            path, f"cannot be read: {error.strerror or error}", "check the path and its permissions"
        ) from None
    except ValueError:
        raise UserError(path, "is not UTF-8 text", "save it as UTF-8") from None
    return parse_serve_settings(text, path)


def parse_serve_settings(text: str, file: str) -> ServeSettings:
    """Read a set-up from text.

    Raises:
        UserError: as for `load_serve_settings`.
    """
    errors: list[UserError] = []
    fields = Fields(read_yaml(text, file), file, errors)
    folder = Path(file).parent
    default = ServeSettings()
    limits = _read_limits(fields)
    settings = ServeSettings(
        name=_matching(fields, "name", default.name, _NAME, "use letters, digits, dots and dashes, such as fra-1"),
        listen=fields.texts("listen", default.listen),
        url=fields.text("url"),
        asn=fields.integer("asn", 0),
        country=_matching(fields, "country", "", _COUNTRY, "give the two letters of ISO 3166, such as DE"),
        asn_file=_path(fields, "asn_file", folder),
        tokens=tuple(_read_token(item, fields, limits) for item in fields.items("tokens")),
        tls=_read_tls(fields, folder),
        state=_path(fields, "state", folder),
        resolvers=read_resolvers(fields, DEFAULT_RESOLVERS),
        policy=_read_policy(fields),
        limits=limits,
        echo=_read_echo(fields),
        hellos=_read_hellos(fields),
        ooni_open=fields.truth("ooni_open", False),
        ca_file=_path(fields, "ca_file", folder),
    )
    fields.finish()
    if errors:
        raise errors[0] if len(errors) == 1 else CombinedUserError(tuple(errors))
    return settings


def _matching(fields: Fields, key: str, default: str, pattern: Callable[[str], object], remedy: str) -> str:
    text = fields.text(key, default)
    if text and pattern(text) is None:
        fields.errors.append(UserError(fields.place(fields.line_of(key)), f"{key}: {text[:40]!r} is no good", remedy))
    return text


def _path(fields: Fields, key: str, folder: Path) -> str:
    """Return a path relative to the file; what it names is read where it is used."""
    name = fields.text(key)
    return str(folder / Path(name).expanduser()) if name else ""


def _read_token(item: Written, fields: Fields, limits: ControlLimits) -> TokenEntry:
    section = Fields(item, fields.file, fields.errors, "tokens.")
    entry = TokenEntry(
        name=_matching(section, "name", "", _NAME, "use letters, digits, dots and dashes"),
        sha256=section.text("sha256").lower(),
        per_minute=section.decimal("per_minute", limits.per_minute, low=0.1, high=1_000_000),
    )
    if _SHA256(entry.sha256) is None or not entry.name:
        what = "a token needs a name and the sha256 of the token, 64 hex digits"
        fields.fail(item, what, "make one with: wallprobe control token --name NAME")
    section.finish()
    return entry


def _read_tls(fields: Fields, folder: Path) -> ControlTls:
    section = fields.mapping("tls")
    if section is None:
        return ControlTls()
    tls = ControlTls(
        cert_file=_path(section, "cert_file", folder),
        key_file=_path(section, "key_file", folder),
        client_ca_file=_path(section, "client_ca_file", folder),
    )
    if bool(tls.cert_file) != bool(tls.key_file):
        place = section.place(section.line)
        section.errors.append(UserError(place, "tls has one of cert_file and key_file", "give both or neither"))
    section.finish()
    return tls


def _read_policy(fields: Fields) -> Policy:
    section = fields.mapping("policy")
    if section is None:
        return Policy()
    ports = set(PORTS)
    for item in section.items("ports"):
        port = int(item.value) if isinstance(item.value, str) and item.value.isdecimal() else 0
        if 0 < port < 65536:
            ports.add(port)
        else:
            section.fail(item, "policy.ports: not a port", "write numbers from 1 to 65535")
    networks: list[Network] = []
    for item in section.items("networks"):
        try:
            networks.append(ipaddress.ip_network(item.value if isinstance(item.value, str) else ""))
        except ValueError:
            section.fail(item, "policy.networks: not a network", "write it as 10.0.0.0/8")
    section.finish()
    return Policy(ports=frozenset(ports), networks=tuple(networks))


def _read_limits(fields: Fields) -> ControlLimits:
    section = fields.mapping("limits")
    default = ControlLimits()
    if section is None:
        return default
    limits = ControlLimits(
        concurrent=section.integer("concurrent", default.concurrent, low=1, high=100_000),
        per_minute=section.decimal("per_minute", default.per_minute, low=0.1, high=1_000_000),
        sockets=section.integer("sockets", default.sockets, low=8, high=1_000_000),
        step_s=section.duration("timeout", default.step_s, low=0.1, high=60),
        whole_s=section.duration("measurement", default.whole_s, low=1.0, high=300),
        greetings_apart_s=section.duration("greetings_apart", default.greetings_apart_s, low=0.1, high=3600),
        ooni_concurrent=section.integer("ooni_concurrent", default.ooni_concurrent, low=2, high=10_000),
    )
    section.finish()
    return limits


def _read_hellos(fields: Fields) -> dict[Hello, int]:
    section = fields.mapping("hellos")
    if section is None:
        return {}
    found = {hello: section.integer(hello.value, 0, low=0, high=65535) for hello in Hello}
    section.finish()
    return {hello: port for hello, port in found.items() if port}


def _read_echo(fields: Fields) -> EchoSettings:
    written = fields.written("echo")
    if written is not None and written.value in ("off", "false", "no"):
        return EchoSettings(low=0, high=0)
    section = fields.mapping("echo")
    default = EchoSettings()
    if section is None:
        return default
    text = section.text("ports", f"{default.low}-{default.high}")
    found = _RANGE(text)
    low, high = (int(found[1]), int(found[2])) if found else (0, 0)
    if not (0 < low <= high <= 65535 and high - low < MOST_ECHO_PORTS):
        what = f"echo.ports: {text[:40]!r} is no range"
        remedy = f"write it as 20000-21023, at most {MOST_ECHO_PORTS} ports"
        section.errors.append(UserError(section.place(section.line_of("ports")), what, remedy))
    echo = EchoSettings(
        low=low, high=high, connections=section.integer("connections", default.connections, low=1, high=100_000)
    )
    section.finish()
    return echo
