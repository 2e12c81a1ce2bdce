"""Cases and verdicts as JSON that a person can read: what is as by default is left out."""

import json
from typing import Any

import msgspec


def to_plain(value: Any) -> Any:
    """Return dicts and lists without defaults; `msgspec.json.decode` reads them back to the same value."""
    if isinstance(value, msgspec.Struct):
        return _struct(value)
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(to_plain(item) for item in value)
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return msgspec.to_builtins(value)


def _struct(value: msgspec.Struct) -> Any:
    config = value.__struct_config__
    if config.array_like:
        return msgspec.to_builtins(value)
    plain = {config.tag_field: config.tag} if config.tag_field else {}
    for field in msgspec.structs.fields(value):
        given = getattr(value, field.name)
        default = field.default if field.default is not msgspec.NODEFAULT else None
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if field.required or given != default:
            plain[field.encode_name] = to_plain(given)
    return plain


def render(value: Any) -> str:
    """Return the JSON text of a value."""
    return json.dumps(to_plain(value), indent=1, ensure_ascii=False) + "\n"
