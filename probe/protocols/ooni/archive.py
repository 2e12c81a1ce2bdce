"""OONI's archival records (`records.py`) read from JSON, as far as they can be.

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
from probe.protocols.ooni.records import Binary, Control, Data, Top

T = TypeVar("T", bound=msgspec.Struct)
_QUOTED = 60
MOST_RECORDS = 4096
"""Of one kind: a file with more was not made by a probe."""
_MOST_LOOSE_BYTES = 8 * 1024 * 1024
"""What is not of the right types is read bit by bit, at many times the cost; real measurements are of a few MB."""
_DECODE_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)


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
    """Return the reader of a kind, one of the few in `records.py`: building one costs more than reading with it."""
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
