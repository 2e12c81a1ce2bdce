"""What a person wrote in a YAML or JSON file, with the line it stands on.

Scalars stay text until somebody knows what they should be: `country: NO` is Norway, never `false`, and an error can
quote what stands in the file.
"""

from typing import Any

import msgspec


class Written(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One node: a scalar (`str`), a list, a mapping, or `None` for nothing. A tree: the cycle collector may skip it."""

    value: "str | tuple[Written, ...] | dict[str, Written] | None"
    line: int
    """Counted from 1."""
    key_lines: dict[str, int] | None = None
    """Of a mapping: where each key stands; its value may begin below."""


def plain(written: Written | None) -> Any:
    """Return strings, lists and mappings without their lines."""
    if written is None:
        return None
    if isinstance(written.value, tuple):
        return [plain(item) for item in written.value]
    if isinstance(written.value, dict):
        return {key: plain(value) for key, value in written.value.items()}
    return written.value


def pairs(written: Written | None) -> dict[str, Written]:
    """Return the members of a mapping; none of anything else."""
    return written.value if written is not None and isinstance(written.value, dict) else {}


def items(written: Written | None) -> tuple[Written, ...]:
    """Return the items of a list; none of anything else."""
    return written.value if written is not None and isinstance(written.value, tuple) else ()


def words(written: Written | None) -> list[str]:
    """Return the scalars of a list; a scalar alone is a list of one."""
    value = plain(written)
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]
