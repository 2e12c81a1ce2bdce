"""What a person wrote in a YAML or JSON file, with the line it stands on.

Scalars stay text until somebody knows what they should be: `country: NO` is Norway, never `false`, and an error can
quote what stands in the file.
"""

import msgspec


class Written(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One node: a scalar (`str`), a list, a mapping, or `None` for nothing. A tree: the cycle collector may skip it."""

    value: "str | tuple[Written, ...] | dict[str, Written] | None"
    line: int
    """Counted from 1."""
    key_lines: dict[str, int] | None = None
    """Of a mapping: where each key stands; its value may begin below."""
