"""What the writer remembers of each target between runs, so that an ok run reads nothing: a bounded cache.

Cards and segments change in memory and are written once per batch; none is dropped before.
"""

import json
import sqlite3
from collections import OrderedDict
from collections.abc import Iterable

from probe.model.episode import Episode
from probe.model.target import Target

HOUR_MS = 3_600_000
_LIMIT = 4096


class Segment:
    """The row of ok runs that the next one may join."""

    __slots__ = ("first_ms", "hour", "last_ms", "max_us", "min_us", "part", "phases", "runs", "sum_us")

    def __init__(self, hour: int, part: int, at_ms: int) -> None:
        self.hour, self.part = hour, part
        self.first_ms = self.last_ms = at_ms
        self.runs = self.min_us = self.sum_us = self.max_us = 0
        self.phases = b"\x90"


class Card:
    """The tally of one target, its open segment, and the episode as it was last written."""

    __slots__ = (
        "broken", "codes", "episode", "failed_id", "failures", "last_code", "last_id", "last_ok_ms", "last_run_ms",
        "last_status", "no", "runs", "segment",
    )  # fmt: skip

    def __init__(self, no: int) -> None:
        self.no = no
        self.last_run_ms = 0
        self.last_ok_ms: int | None = None
        self.last_status = ""
        self.runs = self.failures = 0
        self.codes: dict[str, int] = {}
        self.last_code = self.last_id = self.failed_id = ""
        self.segment: Segment | None = None
        self.broken = False
        """The last run was not ok: the next ok run begins another segment."""
        self.episode: Episode | None = None


class Cards:
    """The cards of the targets that ran last."""

    def __init__(self, connection: sqlite3.Connection, limit: int = _LIMIT) -> None:
        self._connection = connection
        self._limit = limit
        self._cards: OrderedDict[str, Card] = OrderedDict()

    def get(self, target: Target) -> Card:
        """Return the card of a target, read from the database or new.

        Raises:
            sqlite3.Error: as SQLite says.
        """
        card = self._cards.get(target.id)
        if card is not None:
            self._cards.move_to_end(target.id)
            return card
        card = Card(find_target_no(self._connection, target.id, target.address))
        self._read_tally(card)
        self._cards[target.id] = card
        return card

    def forget(self) -> None:
        """Drop all cards: the transaction that changed them was rolled back."""
        self._cards.clear()

    def write(self, cards: Iterable[Card], segments: Iterable[tuple[int, Segment]]) -> None:
        """Put tallies, and segments with their targets' numbers, into the database.

        Raises:
            sqlite3.Error: as SQLite says.
        """
        self._connection.executemany(
            "INSERT OR REPLACE INTO tallies (target_no, last_run_ms, last_ok_ms, last_status, runs, failures,"
            " codes, last_code, last_id, failed_id) VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                (
                    card.no, card.last_run_ms, card.last_ok_ms, card.last_status, card.runs, card.failures,
                    json.dumps(card.codes) if card.codes else "{}", card.last_code, card.last_id, card.failed_id,
                )
                for card in cards
            ),
        )  # fmt: skip
        self._connection.executemany(
            "INSERT OR REPLACE INTO segments (hour, target_no, part, first_ms, last_ms, runs, min_us, sum_us, max_us,"
            " phases) VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                (
                    row.hour, no, row.part, row.first_ms, row.last_ms, row.runs, row.min_us, row.sum_us, row.max_us,
                    row.phases,
                )
                for no, row in segments
            ),
        )  # fmt: skip
        while len(self._cards) > self._limit:
            self._cards.popitem(last=False)

    def _read_tally(self, card: Card) -> None:
        row = self._connection.execute(
            "SELECT last_run_ms, last_ok_ms, last_status, runs, failures, codes, last_code, last_id, failed_id"
            " FROM tallies WHERE target_no = ?",
            (card.no,),
        ).fetchone()
        if row is not None:
            card.last_run_ms, card.last_ok_ms, card.last_status, card.runs, card.failures = row[:5]
            card.codes = json.loads(row[5])
            card.last_code, card.last_id, card.failed_id = row[6:]
            card.broken = card.last_status != "ok"

    def find_segment(self, card: Card, at_ms: int) -> Segment:
        """Return the segment that an ok run at this time belongs to: the open one, or the next part of the hour.

        Raises:
            sqlite3.Error: as SQLite says.
        """
        hour, segment = at_ms // HOUR_MS, card.segment
        if segment is None or segment.hour != hour:
            segment = self._read_segment(card.no, hour)
        if segment is None:
            segment = Segment(hour, 0, at_ms)
        elif card.broken:
            segment = Segment(hour, segment.part + 1, at_ms)
        card.segment, card.broken = segment, False
        return segment

    def _read_segment(self, target_no: int, hour: int) -> Segment | None:
        row = self._connection.execute(
            "SELECT part, first_ms, last_ms, runs, min_us, sum_us, max_us, phases FROM segments"
            " WHERE hour = ? AND target_no = ? ORDER BY part DESC LIMIT 1",
            (hour, target_no),
        ).fetchone()
        if row is None:
            return None
        segment = Segment(hour, row[0], row[1])
        segment.last_ms, segment.runs, segment.min_us, segment.sum_us, segment.max_us, segment.phases = row[2:]
        return segment


def find_target_no(connection: sqlite3.Connection, target_id: str, address: str) -> int:
    """Return the number of a target in this database, a new one when it is new.

    Raises:
        sqlite3.Error: as SQLite says.
    """
    row = connection.execute("SELECT no, address FROM targets WHERE id = ?", (target_id,)).fetchone()
    if row is None:
        cursor = connection.execute("INSERT INTO targets (id, address) VALUES (?, ?)", (target_id, address))
        return cursor.lastrowid or 0
    if address and row[1] != address:
        connection.execute("UPDATE targets SET address = ? WHERE no = ?", (address, row[0]))
    return int(row[0])
