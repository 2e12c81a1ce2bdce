"""Modules of a blackbox_exporter configuration, in our terms; what has no equivalent is told, never dropped in silence.

Source: prometheus/blackbox_exporter CONFIGURATION.md (0.23): module, http_probe, tcp_probe, dns_probe, icmp_probe,
tls_config. Durations and regular expressions there are Go's; both are checked against what we can use.
"""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from probe.model.errors import UserError
from probe.model.units import is_duration
from probe.model.written import Written, items, pairs, plain, words
from probe.protocols.written.marked_yaml import read_yaml
from probe.targets.expectations import compile_problem

_SECRET_KEYS = frozenset({"basic_auth", "bearer_token", "bearer_token_file", "oauth2", "authorization"})
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
_SILENT_KEYS = frozenset({"ip_protocol_fallback"})
"""Read together with another key."""
_OF_MODULE = re.compile(r".*?: modules\.[^.:]+\.([^:]+: .*|.* has no equivalent.*)", re.DOTALL).fullmatch
_FLAGS = re.compile(r"\(\?([a-zA-Z]+)\)(.*)", re.DOTALL).fullmatch


class Module(msgspec.Struct, kw_only=True):
    """One module. `beside` is what is written beside the address in our list."""

    name: str
    place: str
    prober: str
    beside: dict[str, Any] = {}
    tls: bool = False
    server_name: str = ""
    query_name: str = ""
    query_type: str = ""
    transport: str = "udp"


class Notes:
    """Collects what has no equivalent, one line each."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: list[str] = []

    def add(self, line: int, what: str) -> None:
        """Note one thing."""
        self.lines.append(f"{self.file}:{line}: {what}")


def parse_modules(text: str, file: str) -> tuple[dict[str, Module], tuple[str, ...]]:
    """Return the modules by name, and a line for each thing that has no equivalent.

    Raises:
        UserError: it is no blackbox_exporter configuration.
    """
    root = read_yaml(text, file)
    modules = root.value.get("modules") if isinstance(root.value, dict) else None
    if modules is None or not isinstance(modules.value, dict):
        raise UserError(file, "no modules in it", "give the blackbox_exporter's configuration file")
    notes = Notes(file)
    read = {name: _read_module(name, module, notes) for name, module in modules.value.items()}
    return read, _say_once(notes.lines)


def _say_once(lines: list[str]) -> tuple[str, ...]:
    """Tell of what many modules have alike at the first of them: such files are mostly copies of one module."""
    alike: dict[str, list[str]] = {}
    for line in lines:
        found = _OF_MODULE(line)
        alike.setdefault(line if found is None else found[1], []).append(line)
    return tuple(
        found[0] if len(found) == 1 else f"{found[0]} (and in {len(found) - 1} more like it)"
        for found in alike.values()
    )


def _read_module(name: str, written: Written, notes: Notes) -> Module:
    values = pairs(written)
    prober = plain(values.get("prober")) or ""
    module = Module(name=name, place=f"{notes.file}:{written.line}", prober=prober, beside={})
    if prober not in _PROBERS:
        notes.add(written.line, f"modules.{name}: prober {str(prober)[:30]!r} has no equivalent")
        return module
    timeout = plain(values.get("timeout"))
    if timeout is not None:
        if is_duration(timeout):
            module.beside["timeout"] = timeout
        else:
            notes.add(values["timeout"].line, f"modules.{name}.timeout: {str(timeout)[:30]!r} cannot be read")
    section = pairs(values.get(prober))
    readers = _PROBERS[prober]
    for key, value in section.items():
        reader = readers.get(key) or _COMMON.get(key)
        path = f"modules.{name}.{prober}.{key}"
        if key in _SECRET_KEYS:
            notes.add(value.line, f"{path} has no equivalent: a list holds no secrets")
        elif reader is not None:
            reader(module, value, section, path, notes)
        elif key not in _SILENT_KEYS:
            notes.add(value.line, f"{path} has no equivalent")
    if prober == "http" and "status" not in module.beside.get("expect", {}):
        module.beside.setdefault("expect", {})["status"] = ["2xx"]
    return module


_Reader = Callable[[Module, Written, dict[str, Written], str, Notes], None]


def _read_family(module: Module, value: Written, section: dict[str, Written], path: str, notes: Notes) -> None:
    """Take over a family that is forced; a mere preference means nothing here, where each family is measured apart."""
    family = {"ip4": "4", "ip6": "6"}.get(str(plain(value)))
    if family and plain(section.get("ip_protocol_fallback")) == "false":
        module.beside["family"] = family
    else:
        notes.add(value.line, f"{path}: both families are measured, each for itself; write `family: 4` to keep to one")


def _read_status(module: Module, value: Written, _section: dict[str, Written], _path: str, _notes: Notes) -> None:
    if words(value):
        module.beside.setdefault("expect", {})["status"] = words(value)


def _read_method(module: Module, value: Written, _section: dict[str, Written], _path: str, _notes: Notes) -> None:
    if str(plain(value)).upper() != "GET":
        module.beside.setdefault("request", {})["method"] = str(plain(value)).upper()


def _read_body(module: Module, value: Written, _section: dict[str, Written], _path: str, _notes: Notes) -> None:
    module.beside.setdefault("request", {})["body"] = str(plain(value) or "")


def _read_headers(module: Module, value: Written, _section: dict[str, Written], path: str, notes: Notes) -> None:
    for name, content in pairs(value).items():
        if name.lower() in _SECRET_HEADERS:
            notes.add(content.line, f"{path}.{name} has no equivalent: a list holds no secrets")
        elif name.lower() == "host":
            notes.add(content.line, f"{path}.{name} has no equivalent: the address says which host is asked for")
        else:
            module.beside.setdefault("request", {}).setdefault("headers", {})[name] = str(plain(content) or "")


def _read_body_not(module: Module, value: Written, _section: dict[str, Written], path: str, notes: Notes) -> None:
    patterns = _usable(words(value), value.line, path, notes)
    if patterns:
        joined = patterns[0] if len(patterns) == 1 else "|".join(_grouped(pattern) for pattern in patterns)
        module.beside.setdefault("expect", {})["body_not"] = joined


def _read_body_must(module: Module, value: Written, _section: dict[str, Written], path: str, notes: Notes) -> None:
    """Join expressions that must all match: look-aheads from the start of the body say so in one."""
    patterns = _usable(words(value), value.line, path, notes)
    if patterns:
        joined = "".join(rf"(?=[\s\S]*{_grouped(pattern)})" for pattern in patterns)
        module.beside.setdefault("expect", {})["body"] = patterns[0] if len(patterns) == 1 else rf"\A{joined}"


def _read_header_must(module: Module, value: Written, _section: dict[str, Written], path: str, notes: Notes) -> None:
    for item in items(value):
        spec = {key: str(plain(field) or "") for key, field in pairs(item).items()}
        if spec.get("allow_missing") == "true":
            notes.add(item.line, f"{path}: allow_missing has no equivalent; {spec.get('header')} is not looked at")
        elif spec.get("header") and _usable([spec.get("regexp", "")], item.line, path, notes):
            headers = module.beside.setdefault("expect", {}).setdefault("headers", {})
            headers[spec["header"]] = spec.get("regexp", "")


def _read_tls_config(module: Module, value: Written, _section: dict[str, Written], path: str, notes: Notes) -> None:
    for key, field in pairs(value).items():
        if key == "server_name" and module.prober == "tcp":
            module.server_name = str(plain(field) or "")
        elif key == "ca_file":
            notes.add(
                field.line, f"{path}.{key}: give it as tls.ca_file in wallprobe.yml; it then holds for all targets"
            )
        elif not (key == "insecure_skip_verify" and plain(field) == "false"):
            notes.add(field.line, f"{path}.{key} has no equivalent")


def _set(attribute: str) -> _Reader:
    def read(module: Module, value: Written, _section: dict[str, Written], _path: str, _notes: Notes) -> None:
        setattr(module, attribute, str(plain(value) or ""))

    return read


def _read_tls(module: Module, value: Written, _section: dict[str, Written], _path: str, _notes: Notes) -> None:
    module.tls = plain(value) == "true"


def _read_dot(module: Module, value: Written, _section: dict[str, Written], _path: str, _notes: Notes) -> None:
    if plain(value) == "true":
        module.transport = "dot"


def _expect_default(default: str) -> _Reader:
    """Accept the value that we have anyway."""

    def read(_module: Module, value: Written, _section: dict[str, Written], path: str, notes: Notes) -> None:
        if ",".join(words(value)) != default:
            notes.add(value.line, f"{path} has no equivalent")

    return read


def _usable(patterns: list[str], line: int, path: str, notes: Notes) -> list[str]:
    good = []
    for pattern in patterns:
        problem = compile_problem(pattern)
        if problem:
            notes.add(line, f"{path}: {pattern[:60]!r} is Go's syntax, not Python's: {problem}")
        else:
            good.append(pattern)
    return good


def _grouped(pattern: str) -> str:
    """Put a pattern in a group; flags for all of it, `(?i)…`, become flags of the group."""
    found = _FLAGS(pattern)
    return f"(?:{pattern})" if found is None else f"(?{found[1]}:{found[2]})"


_COMMON: dict[str, _Reader] = {"preferred_ip_protocol": _read_family, "tls_config": _read_tls_config}
_PROBERS: dict[str, dict[str, _Reader]] = {
    "http": {
        "valid_status_codes": _read_status,
        "method": _read_method,
        "body": _read_body,
        "headers": _read_headers,
        "fail_if_body_matches_regexp": _read_body_not,
        "fail_if_body_not_matches_regexp": _read_body_must,
        "fail_if_header_not_matches": _read_header_must,
        "follow_redirects": _expect_default("true"),
        "fail_if_ssl": _expect_default("false"),
        "fail_if_not_ssl": _expect_default("false"),
    },
    "tcp": {"tls": _read_tls},
    "dns": {
        "query_name": _set("query_name"),
        "query_type": _set("query_type"),
        "transport_protocol": _set("transport"),
        "dns_over_tls": _read_dot,
        "query_class": _expect_default("IN"),
        "recursion_desired": _expect_default("true"),
        "valid_rcodes": _expect_default("NOERROR"),
    },
    "icmp": {},
}
