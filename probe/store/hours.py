"""What every target came to in one hour, a byte for each part of it: what the heat map is made of.

Targets have small numbers in the database, so an hour is one row of bytes, as many for each number as it has parts.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from probe.model.cell import OK, encode_cell
from probe.model.pattern import Pattern
from probe.model.verdict import Status
from probe.store.cards import HOUR_MS

QUARTERS = 4
MINUTES = 60
"""The two ways to divide an hour."""

Ask = Callable[..., Sequence[Any]]


class HourCells(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of all targets; see `probe.model.cell` for what a byte says."""

    hour: int
    """Since the epoch."""
    parts: int = QUARTERS
    """In how many the hour is divided."""
    cells: bytes
    """At `parts * number + part`; a number beyond the end was not measured."""


def load_hour(ask: Ask, hour: int, parts: int) -> HourCells:
    """Return the worst that each target came to in each part of an hour."""
    ok = ask("SELECT target_no, first_ms, last_ms FROM segments WHERE hour = ?", hour)
    others = ask("SELECT target_no, at_ms, status, pattern FROM runs WHERE hour = ?", hour)
    highest = max(max((row[0] for row in ok), default=0), max((row[0] for row in others), default=0))
    cells = bytearray(parts * (highest + 1))
    start_ms, part_ms = hour * HOUR_MS, HOUR_MS // parts
    for number, first_ms, last_ms in ok:
        first, last = (first_ms - start_ms) // part_ms, (last_ms - start_ms) // part_ms
        for part in range(max(0, first), min(parts - 1, last) + 1):
            cells[parts * number + part] = OK
    codes: dict[tuple[str, str], int] = {}
    for number, at_ms, status, pattern in others:
        code = codes.get((status, pattern))
        if code is None:
            code = codes[status, pattern] = encode_cell(Status(status), Pattern(pattern) if pattern else None)
        at = parts * number + (at_ms - start_ms) // part_ms
        cells[at] = max(cells[at], code)
    return HourCells(hour=hour, parts=parts, cells=bytes(cells))
