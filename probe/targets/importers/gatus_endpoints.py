"""Endpoints of a Gatus configuration become entries of our list.

Source: TwiN/gatus README, "Configuration" (endpoint, client, dns, conditions, placeholders, functions). A condition is
kept where our list can say it; each kind that it cannot say is one line, with the lines it stands on.
"""

import contextlib
import ipaddress
import re
from typing import Any

from probe.model.errors import UserError
from probe.model.units import is_duration
from probe.model.written import Written, items, pairs, plain, words
from probe.targets.address import parse_address
from probe.targets.importers.blackbox_modules import Notes
from probe.targets.importers.prometheus_jobs import Group
from probe.targets.lists.entries import label_problem

_DEFAULT_INTERVAL = "60s"
_READ_KEYS = frozenset(
    {"name", "group", "url", "method", "body", "headers", "interval", "conditions", "client", "dns", "enabled"}
    | {"extra-labels"}
)
_SILENT_KEYS = frozenset({"alerts", "ui", "ssh", "maintenance-windows", "store"})
"""How Gatus shows and tells what it found, and logins: nothing that is measured here."""
_SCHEMES = ("http://", "https://", "tcp://", "tls://", "icmp://", "ssh://")
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
_CONDITION = re.compile(r"(?P<left>.+?)\s*(?P<operator>==|!=|<=|>=|<|>)\s*(?P<right>.+)", re.DOTALL)
_IMPLIED = frozenset({"[CONNECTED] == true", "[DNS_RCODE] == NOERROR"})
"""What we ask of every target anyway."""
_ELSEWHERE = {
    "[RESPONSE_TIME]": "times are in wallprobe_check_phase_duration_seconds, for a rule of yours",
    "[CERTIFICATE_EXPIRATION]": "the alert WallprobeCertificateExpiresSoon is for that",
}
_LOWEST, _HIGHEST = 100, 599
IPV6 = 6


def parse_endpoints(written: Written, file: str) -> tuple[list[Group], tuple[str, ...]]:
    """Return Gatus' groups with their endpoints, and a line for each thing that has no equivalent.

    Raises:
        UserError: there is not one endpoint.
    """
    root = pairs(written)
    listed = root.get("endpoints") or root.get("services")
    if listed is None or not isinstance(listed.value, tuple):
        raise UserError(file, "no endpoints in it", "give Gatus' configuration file")
    notes = Notes(file)
    groups: dict[str, list[Any]] = {}
    for item in listed.value:
        endpoint = _Endpoint(item, notes)
        entry = endpoint.convert()
        if entry is not None:
            groups.setdefault(endpoint.group, []).append(entry)
    if "external-endpoints" in root:
        notes.add(root["external-endpoints"].line, "external-endpoints have no equivalent: others push their results")
    if "suites" in root:
        notes.add(root["suites"].line, "suites have no equivalent")
    return [Group(name=name, beside={}, entries=entries) for name, entries in groups.items()], tuple(notes.lines)


class _Endpoint:
    """One endpoint on its way."""

    def __init__(self, written: Written, notes: Notes) -> None:
        self.values = pairs(written)
        self.line = written.line
        self.name = self._text("name") or f"line {written.line}"
        self.group = self._text("group") or "gatus"
        self.notes = notes

    def convert(self) -> dict[str, Any] | None:
        """Return an entry; `None` = it has none, and a note says why."""
        if self._text("enabled") == "false":
            self._note(self.line, "is not enabled: left out")
            return None
        for key, value in self.values.items():
            if key not in _READ_KEYS | _SILENT_KEYS:
                self._note(value.line, f"{key} has no equivalent")
        uri = self._uri()
        if not uri:
            return None
        entry: dict[str, Any] = {"uri": uri, "interval": self._duration("interval") or _DEFAULT_INTERVAL}
        client = pairs(self.values.get("client"))
        for key, value in client.items():
            if key == "timeout" and is_duration(plain(value)):
                entry["timeout"] = plain(value)
            elif not (key == "insecure" and plain(value) == "false"):
                self._note(value.line, f"client.{key} has no equivalent")
        if uri.startswith("http"):
            self._add_request(entry)
        expect = self._expectations(is_dns=uri.startswith("dns://"))
        if expect:
            entry["expect"] = expect
        entry["labels"] = self._labels()
        return entry

    def _labels(self) -> dict[str, str]:
        """Return what the endpoint is called, and the labels that Gatus adds to its metrics."""
        labels = {"name": self.name}
        for name, value in pairs(self.values.get("extra-labels")).items():
            problem = label_problem(name)
            if problem:
                self._note(value.line, f"label {name} {problem}: left out")
            else:
                labels[name] = str(plain(value) or "")
        return labels

    def _uri(self) -> str:
        url = self._text("url")
        dns = pairs(self.values.get("dns"))
        try:
            if dns:
                uri = _dns_uri(url, str(plain(dns.get("query-name")) or ""), str(plain(dns.get("query-type")) or ""))
            elif url.startswith(_SCHEMES):
                uri = url
            else:
                what = f"{url.partition('://')[0][:20]}:// has no equivalent" if "://" in url else "is no address"
                raise UserError(self.notes.file, what, "leave it out")
            return parse_address(uri, source=self.notes.file).address
        except UserError as error:
            self._note(self.line, f"{url[:60]}: {error.what}: left out")
            return ""

    def _add_request(self, entry: dict[str, Any]) -> None:
        request: dict[str, Any] = {}
        if (method := self._text("method").upper()) not in ("", "GET"):
            request["method"] = method
        if body := self._text("body"):
            request["body"] = body
        for name, value in pairs(self.values.get("headers")).items():
            if name.lower() in _SECRET_HEADERS:
                self._note(value.line, f"headers.{name} has no equivalent: a list holds no secrets")
            elif name.lower() == "host":
                self._note(value.line, "headers.Host has no equivalent: the address says which host is asked for")
            else:
                request.setdefault("headers", {})[name] = str(plain(value) or "")
        if request:
            entry["request"] = request

    def _expectations(self, *, is_dns: bool) -> dict[str, Any]:
        expect: dict[str, Any] = {}
        for item in items(self.values.get("conditions")):
            for text in words(item):
                if " ".join(text.split()) not in _IMPLIED and not _add_condition(expect, text.strip(), is_dns=is_dns):
                    left = text.partition(" ")[0]
                    reason = _ELSEWHERE.get(left, "has no equivalent")
                    self._note(item.line, f"condition {text[:60]!r}: {reason}")
        return expect

    def _duration(self, key: str) -> str:
        text = self._text(key)
        if text and not is_duration(text):
            self._note(self.values[key].line, f"{key}: {text[:30]!r} cannot be read")
            return ""
        return text

    def _text(self, key: str) -> str:
        value = plain(self.values.get(key))
        return value.strip() if isinstance(value, str) else ""

    def _note(self, line: int, what: str) -> None:
        self.notes.add(line, f"endpoint {self.name[:40]!r}: {what}")


def _dns_uri(resolver: str, name: str, kind: str) -> str:
    """Return a question to a resolver, which Gatus names with or without a port, and with or without a scheme."""
    host = resolver.removeprefix("dns://").removeprefix("udp://")
    transport = "tcp" if host.startswith("tcp://") else "udp"
    host = host.removeprefix("tcp://")
    with contextlib.suppress(ValueError):  # a port, or a name, which the list's own reader refuses
        host = f"[{host}]" if ipaddress.ip_address(host).version == IPV6 else host
    asked = f"type={kind}&" if kind else ""
    return f"dns://{name.rstrip('.')}?{asked}resolver={transport}://{host}"


def _add_condition(expect: dict[str, Any], text: str, *, is_dns: bool) -> bool:
    """Add one condition to what is expected; `False` = our list cannot say it."""
    found = _CONDITION.fullmatch(text)
    if found is None:
        return False
    left, operator, right = (found[name].strip() for name in ("left", "operator", "right"))
    if left == "[STATUS]" and "status" not in expect:
        statuses = _read_status(operator, right)
        if statuses:
            expect["status"] = statuses
        return bool(statuses)
    if left != "[BODY]" or operator not in ("==", "!="):
        return False
    if is_dns:
        if operator == "==" and "pat(" not in right and "answer" not in expect:
            expect["answer"] = [right] if not right.startswith("any(") else _members(right)
            return True
        return False
    key = "body" if operator == "==" else "body_not"
    if key in expect or right.startswith(("len(", "has(")):
        return False
    patterns = [_body_pattern(one) for one in (_members(right) if right.startswith("any(") else [right])]
    expect[key] = patterns[0] if len(patterns) == 1 else "|".join(f"(?:{one})" for one in patterns)
    return True


def _members(text: str) -> list[str]:
    return [one.strip() for one in text.removeprefix("any(").removesuffix(")").split(",")]


def _read_status(operator: str, right: str) -> list[str]:
    """Return ranges as our list has them; none = it cannot say this."""
    codes = _members(right) if right.startswith("any(") else [right]
    if not all(re.fullmatch(r"[1-5][0-9]{2}", code, re.ASCII) for code in codes):
        return []
    code = int(codes[0])
    match operator:
        case "==":
            return codes
        case "<" | "<=" if len(codes) == 1 and (high := code - (operator == "<")) >= _LOWEST:
            return [f"{_LOWEST}-{high}"]
        case ">" | ">=" if len(codes) == 1 and (low := code + (operator == ">")) <= _HIGHEST:
            return [f"{low}-{_HIGHEST}"]
        case "!=" if len(codes) == 1 and _LOWEST < code < _HIGHEST:
            return [f"{_LOWEST}-{code - 1}", f"{code + 1}-{_HIGHEST}"]
        case _:
            return []


def _body_pattern(text: str) -> str:
    """Return an expression for the whole body, in which the `*` of `pat(…)` stands for anything."""
    if text.startswith("pat(") and text.endswith(")"):
        text = text[4:-1]
        parts = [re.escape(part) for part in text.split("*")]
        start, end = "" if text.startswith("*") else r"\A", "" if text.endswith("*") else r"\Z"
        return start + r"[\s\S]*".join(part for part in parts if part) + end
    return rf"\A{re.escape(text)}\Z"
