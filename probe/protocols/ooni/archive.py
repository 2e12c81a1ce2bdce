"""OONI's archival records as JSON holds them, read as far as they can be.

Source: OONI spec df-000 (top level), df-001 (requests), df-002 (queries), df-005 (tcp_connect), df-006
(tls_handshakes), ts-017 (test keys, control). Less than these: what no judgement rests on is not read.

A record whose every field has the type it should is read in one go. Otherwise each field and each record is read for
itself, and those that are no good are left out: archives span ten years of probes.
"""

import base64
import binascii
import functools
import itertools
import json
import types
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from probe.model.errors import ProtocolError

T = TypeVar("T", bound=msgspec.Struct)
_QUOTED = 60
MOST_RECORDS = 4096
"""Of one kind: a file with more was not made by a probe."""
_MOST_LOOSE_BYTES = 8 * 1024 * 1024
"""What is not of the right types is read bit by bit, at many times the cost; real measurements are of a few MB."""
_DECODE_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)


class Binary(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Bytes that are no text."""

    data: str
    format: str = "base64"


Data = str | Binary | None


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One record of a DNS answer."""

    answer_type: str = ""
    ipv4: str | None = None
    ipv6: str | None = None
    hostname: str | None = None
    ttl: float | None = None
    asn: int | None = None


class Query(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One lookup."""

    hostname: str
    engine: str | None = None
    query_type: str = ""
    answers: list[Answer] | None = None
    failure: str | None = None
    raw_response: Data = None
    rcode: int | None = None
    resolver_address: str | None = None
    t0: float | None = None
    t: float | None = None
    tags: list[str] | None = None
    transaction_id: int | None = None


class ConnectStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """How a connection attempt ended."""

    success: bool | None = None
    failure: str | bool | None = None


class Connect(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One connection attempt."""

    ip: str
    port: int
    status: ConnectStatus
    t0: float | None = None
    t: float | None = None
    tags: list[str] | None = None
    transaction_id: int | None = None


class Handshake(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One TLS handshake."""

    address: str | None = None
    server_name: str | None = None
    failure: str | None = None
    cipher_suite: str | None = None
    negotiated_protocol: str | None = None
    tls_version: str | None = None
    no_tls_verify: bool | None = None
    peer_certificates: list[Data] | None = None
    t0: float | None = None
    t: float | None = None
    tags: list[str] | None = None
    transaction_id: int | None = None


class HTTPRequest(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was asked."""

    url: str = ""
    method: str | None = None


class HTTPResponse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What came; no code = nothing came."""

    code: int | None = None
    headers: dict[str, Data] | None = None
    headers_list: list[tuple[Data, Data]] | None = None
    body: Data = None
    body_is_truncated: bool | None = None


class Transaction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One request and its answer."""

    request: HTTPRequest | None = None
    response: HTTPResponse | None = None
    address: str | None = None
    failure: str | None = None
    t0: float | None = None
    t: float | None = None
    tags: list[str] | None = None
    transaction_id: int | None = None


class ControlDNS(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The name, seen by the test helper."""

    failure: str | None = None
    addrs: list[str] | None = None


class ControlStatus(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One endpoint or handshake, seen by the test helper."""

    status: bool | None = None
    failure: str | bool | None = None
    server_name: str | None = None


class ControlHTTP(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The last page, seen by the test helper; −1 stands for none."""

    body_length: int | None = None
    failure: str | None = None
    title: str | None = None
    headers: dict[str, Data] | None = None
    status_code: int | None = None


class IPKnowledge(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What the test helper knows of an address."""

    asn: int | None = None
    flags: int | None = None


class Control(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The test helper's answer."""

    dns: ControlDNS | None = None
    http_request: ControlHTTP | None = None
    tcp_connect: dict[str, ControlStatus] | None = None
    tls_handshake: dict[str, ControlStatus] | None = None
    ip_info: dict[str, IPKnowledge] | None = None


class Helper(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Which test helper was asked."""

    address: str | None = None


class TestKeys(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What web_connectivity saw and concluded."""

    __test__ = False

    queries: list[Query] | None = None
    x_dns_duplicate_responses: list[Query] | None = None
    tcp_connect: list[Connect] | None = None
    tls_handshakes: list[Handshake] | None = None
    requests: list[Transaction] | None = None
    control: Control | None = None
    control_failure: str | None = None
    client_resolver: str | None = None
    blocking: str | bool | None = None
    accessible: bool | None = None


class Top(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One line of a report."""

    test_name: str = ""
    test_version: str | None = None
    input: str | None = None
    measurement_start_time: str | None = None
    test_runtime: float | None = None
    probe_asn: str | None = None
    probe_cc: str | None = None
    probe_network_name: str | None = None
    resolver_asn: str | None = None
    software_name: str | None = None
    software_version: str | None = None
    test_helpers: dict[str, Helper] | None = None
    test_keys: TestKeys


class _Wrapped(msgspec.Struct, frozen=True, kw_only=True):
    """What OONI's API answers to a question for one whole measurement."""

    raw_measurement: str


_whole = msgspec.json.Decoder(Top)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])


def parse_top(data: bytes) -> Top:
    """Read one measurement; fields and records that are no good are left out.

    Raises:
        ProtocolError: it is no JSON object, or has no test keys.
    """
    try:
        return _whole.decode(data)
    except _DECODE_ERRORS as error:
        if len(data) > _MOST_LOOSE_BYTES:
            raise ProtocolError(f"neither strict nor short: {str(error)[:_QUOTED]}") from error
        strict = data if isinstance(error, msgspec.ValidationError) else _rewrite(data)
    found = read_struct(strict, Top) or _unwrap(strict)
    if found is None:
        raise ProtocolError("no measurement: a JSON object with test_keys was expected")
    return found


def _rewrite(data: bytes) -> bytes:
    """Return as strict JSON what Python probes wrote loosely: NaN, halves of surrogate pairs, bytes that are no UTF-8.

    Raises:
        ProtocolError: it is no JSON at all.
    """
    try:
        loose = json.loads(data.decode("utf-8", "replace"), parse_constant=lambda _: None)
        return json.dumps(loose, ensure_ascii=False).encode("utf-8", "replace")
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"not JSON: {str(error)[:_QUOTED]}") from error


def _unwrap(data: bytes) -> Top | None:
    """Read a measurement as OONI's API hands it out, a JSON text inside another; `None` = it is none."""
    answer = read_struct(data, _Wrapped)
    return None if answer is None else read_struct(answer.raw_measurement.encode("utf-8", "replace"), Top)


def parse_control(data: bytes) -> Control:
    """Read the answer of a test helper as far as it can be.

    Raises:
        ProtocolError: it is no JSON object.
    """
    found = read_struct(data, Control)
    if found is None:
        raise ProtocolError(f"no answer of a test helper: {data[:32].hex()}")
    return found


def read_struct(data: bytes | msgspec.Raw, kind: type[T]) -> T | None:
    """Read an object field by field; `None` = it is none, or lacks what it cannot do without."""
    try:
        whole: T = _decoder(kind).decode(data)
        return whole
    except msgspec.ValidationError:
        pass
    except _DECODE_ERRORS:
        return None
    try:
        members = _members.decode(data)
    except _DECODE_ERRORS:
        return None
    known = {field.encode_name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for name, raw in members.items():
        field = known.get(name)
        if field is not None:
            read, value = _read_value(raw, field.type)
            if read:
                values[field.name] = value
    if any(field.required and field.name not in values for field in known.values()):
        return None
    return kind(**values)


def _read_value(raw: msgspec.Raw, kind: Any) -> tuple[bool, Any]:
    """Return whether anything could be read, and what."""
    try:
        return True, _decoder(kind).decode(raw)
    except _DECODE_ERRORS:
        pass
    found: Any = None
    for option in get_args(kind) if isinstance(kind, types.UnionType) else (kind,):
        if get_origin(option) is list:
            found = _read_list(raw, get_args(option)[0])
        elif get_origin(option) is dict:
            found = _read_dict(raw, get_args(option)[1])
        elif isinstance(option, type) and issubclass(option, msgspec.Struct):
            found = read_struct(raw, option)
        if found is not None:
            return True, found
    return False, None


def _read_list(raw: msgspec.Raw, kind: Any) -> list[Any] | None:
    try:
        items = _items.decode(raw)
    except _DECODE_ERRORS:
        return None
    return [value for read, value in (_read_value(item, kind) for item in items[: MOST_RECORDS + 1]) if read]


def _read_dict(raw: msgspec.Raw, kind: Any) -> dict[str, Any] | None:
    try:
        members = _members.decode(raw)
    except _DECODE_ERRORS:
        return None
    pairs = {name: _read_value(member, kind) for name, member in itertools.islice(members.items(), MOST_RECORDS)}
    return {name: value for name, (read, value) in pairs.items() if read}


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    """Return the reader of a kind, one of the few in this file: building one costs more than reading with it."""
    return msgspec.json.Decoder(kind)


def read_bytes(data: Data) -> bytes:
    """Return the bytes that a field stands for; what is no base64 gives none."""
    if data is None:
        return b""
    if isinstance(data, str):
        return data.encode("utf-8", "surrogatepass")
    try:
        return base64.b64decode(data.data)
    except (binascii.Error, ValueError):
        return b""


@functools.lru_cache(maxsize=512)
def read_certificate(data: str) -> bytes:
    """Return the DER of a certificate; remembered, because each address shows the same few."""
    return read_bytes(Binary(data=data))


def read_text(data: Data) -> str:
    """Return the text that a field stands for; bytes as Latin-1, as we keep headers."""
    if isinstance(data, str):
        return data
    return read_bytes(data).decode("latin-1")
