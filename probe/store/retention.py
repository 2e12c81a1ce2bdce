"""What goes when it is too old, or when the file is too large: a slice at a time, between two batches.

Never trimmed by size: episodes, events, measurements that an event rests on, and measurements that a kept one cites.
By age they go once nothing rests on them any more, and an open episode keeps its events.

When the file is too large, first the pages of ok samples go, then the samples, then other measurements, oldest first;
figures of runs go last. By age at most a day's worth goes in a quarter of an hour, and nothing while the wall clock
jumps, so that a wrong clock cannot empty the database before somebody sees it.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator

from probe.model.settings import StoreSettings
from probe.net.clock import Clock

SLICE_ROWS = 200
_DAY_MS = 86_400_000
_HOUR_MS = 3_600_000
_AGE_ROUND_S = 900.0
_CLOCK_STEP_S = 60.0
_FREE_PAGES = 512
"""So many unused pages stay in the file for what comes next."""
_TRIGGER_RATIO = 0.97
_GOAL_RATIO = 0.93

_UNTOUCHABLE = (
    "(EXISTS (SELECT 1 FROM events WHERE events.measurement = o.id)"
    " OR EXISTS (SELECT 1 FROM citations WHERE citations.cited = o.id))"
)


class Trimmer:
    """Keeps one database within its age and size. Every method raises `sqlite3.Error` as SQLite says."""

    def __init__(
        self, connection: sqlite3.Connection, settings: StoreSettings, clock: Clock, on_deleted: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._settings = settings
        self._clock = clock
        self._on_deleted = on_deleted
        """Told when frames or certificates are gone that somebody may remember."""
        self._cutoff_ms: int | None = None
        """Of the age round that is under way; `None` = none is."""
        self._next_round_boot_s = 0.0
        self._last_times = (clock.wall_s(), clock.boot_s())
        self._shrinking = False
        self._stage = 0
        """How far shrinking has come in the order of what is missed least."""
        self._frames_seen = 0

    def step(self) -> bool:
        """Trim one slice; tell whether there is more to do now."""
        busy = self._step_age()
        busy = self._step_size() or busy
        self._sweep_frames()
        self._give_back()
        return busy

    def used_bytes(self) -> int:
        """Return the size of the pages in use."""
        return (self._pragma("page_count") - self._pragma("freelist_count")) * self._pragma("page_size")

    def _step_age(self) -> bool:
        if self._cutoff_ms is None:
            self._cutoff_ms = self._begin_round()
        if self._cutoff_ms is None:
            return False
        deleted = self._delete_old(self._cutoff_ms)
        if deleted < SLICE_ROWS:
            with self._transaction():
                self._delete_loose_ends(self._cutoff_ms)
            self._cutoff_ms = None
            return False
        return True

    def _begin_round(self) -> int | None:
        """Return before which time rows go in this round; `None` = it is not yet time, or the time is in doubt."""
        wall_s, boot_s = self._clock.wall_s(), self._clock.boot_s()
        stepped = abs((wall_s - self._last_times[0]) - (boot_s - self._last_times[1])) > _CLOCK_STEP_S
        self._last_times = (wall_s, boot_s)
        if stepped:
            self._next_round_boot_s = boot_s + _AGE_ROUND_S
        if boot_s < self._next_round_boot_s:
            return None
        self._next_round_boot_s = boot_s + _AGE_ROUND_S
        cutoff_ms = round((wall_s - self._settings.keep_s) * 1000)
        oldest_ms = self._find_oldest()
        return cutoff_ms if oldest_ms is None else min(cutoff_ms, oldest_ms + _DAY_MS)

    def _find_oldest(self) -> int | None:
        rows = (
            self._one("SELECT min(hour) FROM segments"),
            self._one("SELECT min(hour) FROM runs"),
        )
        times = [hour * _HOUR_MS for hour in rows if hour is not None]
        row = self._connection.execute(
            f"SELECT at_ms FROM observations o WHERE NOT {_UNTOUCHABLE} ORDER BY at_ms LIMIT 1"
        ).fetchone()
        return min([*times, row[0]]) if row else min(times, default=None)

    def _delete_old(self, cutoff_ms: int) -> int:
        """Delete a slice of what is older; return how many measurements went, for fewer than a slice means all."""
        chosen = self._choose(f"at_ms < {cutoff_ms} AND NOT {_UNTOUCHABLE}", "at_ms")
        with self._transaction():
            self._delete_measurements(chosen)
            for table in ("segments", "runs"):
                self._execute(f"DELETE FROM {table} WHERE hour < ?", cutoff_ms // _HOUR_MS)
        return len(chosen)

    def _delete_loose_ends(self, cutoff_ms: int) -> None:
        """Delete ended episodes, events of no open episode, baselines, and certificates that nothing refers to."""
        self._execute("DELETE FROM episodes WHERE ended_ms IS NOT NULL AND ended_ms < ?", cutoff_ms)
        self._execute(
            "DELETE FROM events WHERE at_ms < ? AND NOT EXISTS (SELECT 1 FROM episodes e WHERE"
            " e.target_no = events.target_no AND e.ended_ms IS NULL AND e.first_ms <= events.at_ms)",
            cutoff_ms,
        )
        self._execute("DELETE FROM baselines WHERE at_ms < ?", cutoff_ms)
        oldest_ms = self._one("SELECT min(at_ms) FROM observations")
        unused_ms = round(self._clock.wall_s() * 1000) - 2 * _DAY_MS
        if oldest_ms is not None:
            unused_ms = min(unused_ms, oldest_ms - 2 * _DAY_MS)
            self._execute("DELETE FROM certificates WHERE used_ms < ?", unused_ms)
            self._on_deleted()

    def _step_size(self) -> bool:
        used, limit = self.used_bytes(), self._settings.max_size_bytes
        if used > limit * _TRIGGER_RATIO:
            self._shrinking = True
        if not self._shrinking:
            return False
        self._shrinking = used > limit * _GOAL_RATIO and self._delete_least()
        if not self._shrinking:
            self._stage = 0
        return self._shrinking

    def _delete_least(self) -> bool:
        """Delete a slice of what is missed least; `False` = nothing is left that may go.

        Before more is given up, the frames that the last stage left without records are looked for.
        """
        stages = (
            self._delete_pages,
            lambda: self._delete_slice("o.status = 'ok'"),
            lambda: self._delete_slice("o.status <> 'ok'"),
            self._delete_oldest_hour,
        )
        if self._stage >= len(stages):
            return False
        if not stages[self._stage]():
            self._sweep_all_frames()
            self._stage += 1
        return True

    def _delete_pages(self) -> bool:
        chosen = [
            row[0]
            for row in self._connection.execute(
                "SELECT DISTINCT b.seq FROM bodies b JOIN observations o ON o.seq = b.seq"
                f" WHERE o.status = 'ok' AND NOT {_UNTOUCHABLE} ORDER BY b.seq LIMIT {SLICE_ROWS}"
            )
        ]
        with self._transaction():
            self._delete_by_seq("bodies", "seq", chosen)
        return bool(chosen)

    def _delete_slice(self, condition: str) -> bool:
        chosen = self._choose(f"{condition} AND NOT {_UNTOUCHABLE}", "seq")
        with self._transaction():
            self._delete_measurements(chosen)
        return bool(chosen)

    def _delete_oldest_hour(self) -> bool:
        hours = [self._one(f"SELECT min(hour) FROM {table}") for table in ("segments", "runs")]
        known = [hour for hour in hours if hour is not None]
        if not known:
            return False
        with self._transaction():
            for table in ("segments", "runs"):
                self._execute(f"DELETE FROM {table} WHERE hour = ?", min(known))
        return True

    def _choose(self, condition: str, order: str) -> list[int]:
        query = f"SELECT seq FROM observations o WHERE {condition} ORDER BY {order} LIMIT {SLICE_ROWS}"
        return [row[0] for row in self._connection.execute(query)]

    def _delete_measurements(self, chosen: list[int]) -> None:
        self._delete_by_seq("bodies", "seq", chosen)
        self._delete_by_seq("citations", "citing", chosen)
        self._delete_by_seq("observations", "seq", chosen)

    def _delete_by_seq(self, table: str, column: str, chosen: list[int]) -> None:
        self._connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", [(seq,) for seq in chosen])

    def _sweep_all_frames(self) -> None:
        self._frames_seen = 0
        while self._sweep_frames():
            pass

    def _sweep_frames(self) -> bool:
        """Delete those of the next few frames that no record has and, unless space is short, none will have.

        Return whether there are more.
        """
        rows = self._connection.execute(
            "SELECT no, target_no, kind, made_ms FROM frames WHERE no > ? ORDER BY no LIMIT ?",
            (self._frames_seen, SLICE_ROWS * 5),
        ).fetchall()
        self._frames_seen = rows[-1][0] if rows else 0
        old_ms = round((self._clock.wall_s() - self._settings.keep_s) * 1000)
        unused = [
            number
            for number, target_no, kind, made_ms in rows
            if self._is_unused(number, target_no, kind, forgo=self._shrinking or made_ms < old_ms)
        ]
        if unused:
            with self._transaction():
                self._delete_by_seq("frames", "no", unused)
            self._on_deleted()
        return bool(rows)

    def _is_unused(self, number: int, target_no: int, kind: str, *, forgo: bool) -> bool:
        """Tell whether a frame has no records; the one in use counts as such only if it is to be forgone."""
        for table in ("observations", "bodies"):
            if self._connection.execute(f"SELECT 1 FROM {table} WHERE frame = ? LIMIT 1", (number,)).fetchone():
                return False
        if forgo:
            return True
        row = self._connection.execute(
            "SELECT max(no) FROM frames WHERE target_no = ? AND kind = ?", (target_no, kind)
        ).fetchone()
        return bool(row[0] != number)

    def _give_back(self) -> None:
        """Shrink the file by some of the pages that nothing uses."""
        if self._pragma("freelist_count") > _FREE_PAGES:
            self._connection.execute("PRAGMA incremental_vacuum(256)").fetchall()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _execute(self, statement: str, value: int) -> None:
        self._connection.execute(statement, (value,))

    def _one(self, query: str) -> int | None:
        value: int | None = self._connection.execute(query).fetchone()[0]
        return value

    def _pragma(self, name: str) -> int:
        return int(self._connection.execute(f"PRAGMA {name}").fetchone()[0])
