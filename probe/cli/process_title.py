"""Takes a secret out of the process list, when somebody put one into an argument.

Source: proc(5), `/proc/PID/stat` fields 48 and 49 (arg_start, arg_end): what `ps` shows is that memory of the process
itself. Elsewhere than on Linux nothing is changed.
"""

import os
from pathlib import Path

_ARG_START, _ARG_END = 45, 46
"""Fields 48 and 49, counted from the third, which follows the name in parentheses."""


def hide_argument(secret: str, shown: str) -> bool:
    """Write `shown`, cut or filled up to the same length, over every argument that is `secret`; say if it is gone."""
    hidden, place = os.fsencode(secret), _arguments()
    if place is None or not hidden:
        return False
    import ctypes  # 10 ms that most runs never use

    start, length = place
    cover = os.fsencode(shown)[: len(hidden)].ljust(len(hidden), b" ")
    arguments = ctypes.string_at(start, length)
    at = arguments.find(hidden)
    while at >= 0:
        ctypes.memmove(start + at, cover, len(hidden))
        at = arguments.find(hidden, at + len(hidden))
    return hidden in arguments


def _arguments() -> tuple[int, int] | None:
    """Return where our own arguments stand in memory, and how long they are; `None` = not to be told here."""
    try:
        fields = Path("/proc/self/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    except (OSError, ValueError, IndexError):
        return None
    return (start, end - start) if 0 < start < end else None
