"""What every target came to in one hour, a byte for each quarter of it: what the heat map is made of.

Targets have small numbers in the database, so an hour is one row of bytes, four for each number.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from probe.model.cell import OK, encode_cell
from probe.model.pattern import Pattern
from probe.model.verdict import Status
from probe.store.cards import HOUR_MS

QUARTERS = 4
_QUARTER_MS = HOUR_MS // QUARTERS

Ask = Callable[..., Sequence[Any]]


class HourCells(msgspec.Struct, frozen=True, kw_only=True):
    """One hour of all targets; see `probe.model.cell` for what a byte says."""

    hour: int
    """Since the epoch."""
    cells: bytes
    """At `4 * number + quarter`; a number beyond the end was not measured."""


def load_hour(ask: Ask, hour: int) -> HourCells:
    """Return the worst that each target came to in each quarter of an hour."""
    ok = ask("SELECT target_no, first_ms, last_ms FROM segments WHERE hour = ?", hour)
    others = ask("SELECT target_no, at_ms, status, pattern FROM runs WHERE hour = ?", hour)
    highest = max(max((row[0] for row in ok), default=0), max((row[0] for row in others), default=0))
    cells = bytearray(QUARTERS * (highest + 1))
    start_ms = hour * HOUR_MS
    for number, first_ms, last_ms in ok:
        first, last = (first_ms - start_ms) // _QUARTER_MS, (last_ms - start_ms) // _QUARTER_MS
        for quarter in range(max(0, first), min(QUARTERS - 1, last) + 1):
            cells[QUARTERS * number + quarter] = OK
    codes: dict[tuple[str, str], int] = {}
    for number, at_ms, status, pattern in others:
        code = codes.get((status, pattern))
        if code is None:
            code = codes[status, pattern] = encode_cell(Status(status), Pattern(pattern) if pattern else None)
        at = QUARTERS * number + (at_ms - start_ms) // _QUARTER_MS
        cells[at] = max(cells[at], code)
    return HourCells(hour=hour, cells=bytes(cells))
