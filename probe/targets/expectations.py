"""What a good answer looks like and how to ask for it: `expect` and `request` of a written target.

Source: regular expressions are Python's `re`, searched; header names as RFC 9110 section 5.1, methods section 9.1.
"""

import ipaddress
import re

from probe.model.errors import UserError
from probe.model.target import Expect, Header, Request, StatusRange
from probe.model.written import Written
from probe.protocols.written.fields import Fields, quote_value

_STATUS = re.compile(r"([1-5][0-9]{2})(?:\s*-\s*([1-5][0-9]{2}))?|([1-5])xx", re.ASCII).fullmatch
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}", re.ASCII).fullmatch
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII).fullmatch
_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie"})
_OWN_HEADERS = frozenset({"content-length", "transfer-encoding", "connection"})
_LINE_BREAKS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def read_expect(fields: Fields) -> Expect:
    """Read what a good answer looks like; mistakes are noted in `fields`."""
    expect = Expect(
        status=tuple(_read_status(item, fields) for item in fields.items("status")),
        body=_read_pattern(fields, "body"),
        body_not=_read_pattern(fields, "body_not"),
        headers=_read_header_patterns(fields),
        cert_sha256=tuple(_read_hash(item, fields) for item in fields.items("cert_sha256")),
        answer=tuple(_read_answer(item, fields) for item in fields.items("answer")),
    )
    fields.finish()
    return expect


def read_request(fields: Fields) -> Request:
    """Read how to ask; mistakes are noted in `fields`."""
    method = fields.text("method", "GET")
    if _TOKEN(method) is None or method.upper() == "CONNECT":
        fields.errors.append(UserError(fields.place(fields.line), f"request.method: {method[:20]!r}", "write GET"))
        method = "GET"
    headers = fields.words("headers")
    for name, value in headers.items():
        _check_header(name, value, fields)
    body = fields.text("body")
    fields.finish()
    return Request(
        method=method.upper(),
        headers=tuple(Header(name=name, value=value) for name, value in headers.items()),
        body=body,
    )


def _check_header(name: str, value: str, fields: Fields) -> None:
    place = fields.place(fields.line)
    if _TOKEN(name) is None or _LINE_BREAKS.search(value) or not value.isascii():
        remedy = "one line of ASCII per header"
        fields.errors.append(UserError(place, f"request.headers: {name[:40]!r} is not a header", remedy))
    elif name.lower() in _SECRET_HEADERS:
        remedy = "ask for a page that needs no login: what stands in a list reaches the database"
        fields.errors.append(UserError(place, f"request.headers: {name} would hold a secret", remedy))
    elif name.lower() in _OWN_HEADERS:
        fields.errors.append(UserError(place, f"request.headers: {name} is set by us", "leave it out"))


def _read_status(item: Written, fields: Fields) -> StatusRange:
    """Read `200`, `200-299` or `2xx`."""
    found = _STATUS(item.value.strip()) if isinstance(item.value, str) else None
    if found is None:
        fields.fail(item, f"expect.status: {quote_value(item)} is no good", "write 200, 200-299 or 2xx")
        return StatusRange(low=200, high=299)
    if found[3]:
        return StatusRange(low=int(found[3]) * 100, high=int(found[3]) * 100 + 99)
    low, high = int(found[1]), int(found[2] or found[1])
    if low > high:
        fields.fail(item, f"expect.status: {low}-{high} is empty", f"write {high}-{low}")
    return StatusRange(low=low, high=high)


def compile_problem(pattern: str) -> str:
    """Say why a regular expression cannot be used; empty = it can."""
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return str(error) or "too complex"
    return ""


def _read_pattern(fields: Fields, key: str) -> str | None:
    found = fields.written(key)
    if found is None:
        return None
    if not isinstance(found.value, str):
        fields.fail(found, f"expect.{key}: {quote_value(found)} is no good", "write a regular expression in quotes")
        return None
    _check_pattern(found, found.value, f"expect.{key}", fields)
    return found.value


def _check_pattern(written: Written, pattern: str, name: str, fields: Fields) -> None:
    problem = compile_problem(pattern)
    if problem:
        remedy = "mend the regular expression (Python's re); a backslash before . ( [ * + ? takes them literally"
        fields.fail(written, f"{name}: {quote_value(written)}: {problem}", remedy)


def _read_header_patterns(fields: Fields) -> tuple[Header, ...]:
    found = fields.written("headers")
    if found is None:
        return ()
    pairs = fields.words("headers")
    members = found.value if isinstance(found.value, dict) else {}
    for name, pattern in pairs.items():
        _check_pattern(members[name], pattern, f"expect.headers.{name[:40]}", fields)
    return tuple(Header(name=name, value=pattern) for name, pattern in pairs.items())


def _read_hash(item: Written, fields: Fields) -> str:
    text = item.value.replace(":", "").lower() if isinstance(item.value, str) else ""
    if _SHA256(text) is None:
        remedy = "give 64 hex digits: openssl x509 -noout -fingerprint -sha256"
        fields.fail(item, f"expect.cert_sha256: {quote_value(item)} is no good", remedy)
    return text


def _read_answer(item: Written, fields: Fields) -> str:
    """Read one acceptable answer; an address gets the form it has in observations."""
    text = item.value.strip() if isinstance(item.value, str) else ""
    if not text:
        fields.fail(item, f"expect.answer: {quote_value(item)} is no good", "write an address or the record's text")
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text
