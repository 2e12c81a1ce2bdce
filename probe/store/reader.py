"""Questions to the database, over a connection of its own; any thread may ask, one at a time."""

import contextlib
import json
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from typing import Any

import msgspec
import zstandard

from probe.model.episode import Episode, Event
from probe.model.errors import UserError
from probe.model.failure import FailureCode
from probe.model.measurement import Measurement
from probe.model.pattern import Pattern
from probe.model.vantage import Baseline
from probe.model.verdict import Cause, Confidence, Status
from probe.store.cards import HOUR_MS
from probe.store.errors import build_user_error
from probe.store.hours import QUARTERS, HourCells, load_hour
from probe.store.segments import decode_phases
from probe.store.values import History, Kept, PhaseSpread, Run, Spread, StoredMeasurement, Tally
from probe.store.vault import Vault

ID_PREFIX_LENGTH = 6
_PAGE_ROWS = 100
_END_OF_TIME_MS = 1 << 53
_LAST_CHARACTER = "\U0010ffff"


class Reader:
    """Reads what is committed. Every method raises `UserError` when the file cannot be read."""

    def __init__(self, connection: sqlite3.Connection, where: str) -> None:
        self._connection = connection
        self._where = where
        self._vault = Vault(connection)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    def load_slot(self, name: str) -> bytes | None:
        """Return a slot's bytes, `None` when it was never filled."""
        rows = self._ask("SELECT data FROM slots WHERE name = ?", name)
        return rows[0][0] if rows else None

    def load_tallies(self) -> dict[str, Tally]:
        """Return what is counted, by target id."""
        rows = self._ask(f"SELECT {_TALLY} FROM tallies JOIN targets ON no = target_no")
        return {row[0]: _build_tally(row) for row in rows}

    def load_episodes(self) -> dict[str, Episode]:
        """Return the episode that each target is in, by target id."""
        rows = self._ask(
            "SELECT targets.id, episodes.data, last_run_ms FROM episodes JOIN targets ON targets.no = target_no"
            " LEFT JOIN tallies USING (target_no) WHERE ended_ms IS NULL ORDER BY first_ms"
        )
        return {target: _build_episode(data, last_run_ms) for target, data, last_run_ms in rows}

    def load_events(self, since: float | None = None, target: str | None = None, limit: int = 100) -> tuple[Event, ...]:
        """Return events, newest first; `since` is a wall time."""
        condition, values = "at_ms >= ?", list[object]([_to_ms(since, 0)])
        if target is not None:
            condition += " AND target_no = (SELECT no FROM targets WHERE id = ?)"
            values.append(target)
        rows = self._ask(
            f"SELECT data FROM events WHERE {condition} ORDER BY at_ms DESC, seq DESC LIMIT ?", *values, limit
        )
        return tuple(msgspec.msgpack.decode(row[0], type=Event) for row in rows)

    def load_history(
        self, target: str, since: float | None = None, until: float | None = None, limit: int = 1000
    ) -> History | None:
        """Return what is known of a target over time, newest first; `None` = never seen."""
        known = self._ask("SELECT no, id, address FROM targets WHERE id = ?", target)
        if not known:
            return None
        number, target_id, address = known[0]
        since_ms, until_ms = _to_ms(since, -_END_OF_TIME_MS), _to_ms(until, _END_OF_TIME_MS)
        tallies = self._ask(f"SELECT {_TALLY} FROM tallies JOIN targets ON no = target_no WHERE no = ?", number)
        episodes = self._ask(
            "SELECT data, last_run_ms FROM episodes LEFT JOIN tallies ON ended_ms IS NULL"
            " AND tallies.target_no = episodes.target_no WHERE episodes.target_no = ? AND first_ms <= ?"
            " AND (ended_ms IS NULL OR ended_ms >= ?) ORDER BY first_ms DESC LIMIT ?",
            number, until_ms, since_ms, limit,
        )  # fmt: skip
        events = self._ask(
            "SELECT data FROM events WHERE target_no = ? AND at_ms BETWEEN ? AND ?"
            " ORDER BY at_ms DESC, seq DESC LIMIT ?",
            number, since_ms, until_ms, limit,
        )  # fmt: skip
        return History(
            target=target_id,
            address=address,
            tally=_build_tally(tallies[0]) if tallies else None,
            episodes=tuple(_build_episode(*row) for row in episodes),
            events=tuple(msgspec.msgpack.decode(row[0], type=Event) for row in events),
        )

    def load_runs(self, target: str, since: float, until: float, limit: int = 10_000) -> tuple[Run, ...]:
        """Return a target's runs and folded rows of runs that touch the time between, newest first."""
        first_hour, last_hour = self._find_hours()
        first_hour = max(first_hour, _to_ms(since, 0) // HOUR_MS)
        last_hour = min(last_hour, _to_ms(until, 0) // HOUR_MS)
        if first_hour > last_hour:
            return ()
        bounds = (first_hour, last_hour, target)
        segments = self._ask(
            f"{_HOURS} SELECT first_ms, last_ms, runs, min_us, sum_us, max_us, phases FROM hours"
            " CROSS JOIN segments USING (hour) WHERE target_no = (SELECT no FROM targets WHERE id = ?)"
            " AND last_ms >= ? AND first_ms <= ? ORDER BY hour DESC, first_ms DESC LIMIT ?",
            *bounds, _to_ms(since, 0), _to_ms(until, 0), limit,
        )  # fmt: skip
        others = self._ask(
            f"{_HOURS} SELECT at_ms, runs.id, status, pattern, cause, confidence, duration_us, phases FROM hours"
            " CROSS JOIN runs USING (hour) WHERE target_no = (SELECT no FROM targets WHERE id = ?)"
            " AND at_ms BETWEEN ? AND ? ORDER BY hour DESC, at_ms DESC LIMIT ?",
            *bounds, _to_ms(since, 0), _to_ms(until, 0), limit,
        )  # fmt: skip
        found = [_build_segment(target, row) for row in segments] + [_build_run(target, row) for row in others]
        return tuple(sorted(found, key=lambda run: run.last_at, reverse=True)[:limit])

    def load_measurement(self, measurement_id: str) -> Measurement | None:
        """Return a measurement that was kept whole, by its id or an unambiguous beginning of six characters or more.

        Raises:
            UserError: several begin so, or the record cannot be read.
        """
        row = self._find_measurement(measurement_id) or self._find_measurement(measurement_id.upper())
        return self._load(*row) if row is not None else None

    def load_stored(
        self,
        target: str | None = None,
        since: float | None = None,
        status: Status | None = None,
        limit: int = 100,
    ) -> tuple[StoredMeasurement, ...]:
        """Return a line for each measurement that was kept whole, newest first."""
        condition, values = "at_ms >= ?", list[object]([_to_ms(since, 0)])
        if target is not None:
            condition += " AND target_no = (SELECT no FROM targets WHERE id = ?)"
            values.append(target)
        if status is not None:
            condition += " AND status = ?"
            values.append(status.value)
        rows = self._ask(
            "SELECT observations.id, targets.id, at_ms, status, kept FROM observations JOIN targets ON no = target_no"
            f" WHERE {condition} ORDER BY at_ms DESC, seq DESC LIMIT ?",
            *values,
            limit,
        )
        return tuple(
            StoredMeasurement(
                id=row[0], target=row[1], started_at=row[2] / 1000, status=Status(row[3]), kept=Kept(row[4])
            )
            for row in rows
        )

    def iterate_measurements(self, since: float | None = None) -> Iterator[Measurement]:
        """Yield every measurement that was kept whole, in the order they were stored."""
        last_seq = 0
        while True:
            rows = self._ask(
                "SELECT seq, id, frame, data FROM observations WHERE seq > ? AND at_ms >= ? ORDER BY seq LIMIT ?",
                last_seq, _to_ms(since, -_END_OF_TIME_MS), _PAGE_ROWS,
            )  # fmt: skip
            if not rows:
                return
            last_seq = rows[-1][0]
            for row in rows:
                yield self._load(*row)

    def load_baselines(self, since: float | None = None, limit: int = 1000) -> tuple[Baseline, ...]:
        """Return the vantage's baselines that told something new, and one an hour, newest first."""
        rows = self._ask(
            "SELECT data FROM baselines WHERE at_ms >= ? ORDER BY at_ms DESC, seq DESC LIMIT ?", _to_ms(since, 0), limit
        )
        return tuple(msgspec.msgpack.decode(zlib.decompress(row[0]), type=Baseline) for row in rows)

    def load_hour(self, hour: int, parts: int = QUARTERS) -> HourCells:
        """Return the worst that each target came to in each part of an hour since the epoch."""
        return load_hour(self._ask, hour, parts)

    def load_addresses(self) -> dict[str, str]:
        """Return the address of each target that was ever run, by target id."""
        return dict(self._ask("SELECT id, address FROM targets"))

    def load_numbers(self) -> dict[str, int]:
        """Return the number under which each target is kept, by target id."""
        return dict(self._ask("SELECT id, no FROM targets"))

    def find_targets(self, text: str) -> tuple[str, ...]:
        """Return the ids of the targets that a person may mean: by id, address, or part of either."""
        exact = self._ask("SELECT id FROM targets WHERE id = ? OR rtrim(address, '/') = rtrim(?, '/')", text, text)
        if exact:
            return tuple(row[0] for row in exact)
        like = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        rows = self._ask(
            "SELECT id FROM targets WHERE id LIKE ? ESCAPE '\\' OR address LIKE ? ESCAPE '\\' ORDER BY id LIMIT 20",
            like,
            like,
        )
        return tuple(row[0] for row in rows)

    def _find_hours(self) -> tuple[int, int]:
        """Return the first and the last hour that anything ran in; the first above the last when nothing did."""
        first, last = self._ask(
            "SELECT min(low), max(high) FROM (SELECT min(hour) AS low, max(hour) AS high FROM segments"
            " UNION ALL SELECT min(hour), max(hour) FROM runs)"
        )[0]
        return (first, last) if first is not None else (1, 0)

    def _find_measurement(self, text: str) -> tuple[int, str, int, bytes] | None:
        columns = "SELECT seq, id, frame, data FROM observations WHERE"
        rows = self._ask(f"{columns} id = ?", text)
        if not rows and len(text) >= ID_PREFIX_LENGTH:
            rows = self._ask(f"{columns} id >= ? AND id < ? LIMIT 2", text, text + _LAST_CHARACTER)
        if len(rows) > 1:
            raise UserError(text, "several measurements begin so", "give more of the id")
        return rows[0] if rows else None

    def _load(self, seq: int, measurement_id: str, frame: int, data: bytes) -> Measurement:
        with self._reading():
            try:
                return self._vault.load(seq, frame, data)
            except (KeyError, zstandard.ZstdError, msgspec.DecodeError) as error:
                raise UserError(
                    f"measurement {measurement_id}", f"its record cannot be read ({error})", "it is damaged or too old"
                ) from None

    def _ask(self, query: str, *values: object) -> list[Any]:
        with self._reading():
            return self._connection.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except sqlite3.Error as error:
                raise build_user_error(self._where, error) from None


_TALLY = "targets.id, last_status, last_run_ms, last_ok_ms, runs, failures, codes, last_code, last_id, failed_id"
_HOURS = "WITH RECURSIVE hours (hour) AS (SELECT ?2 UNION ALL SELECT hour - 1 FROM hours WHERE hour > ?1)"
"""Every hour between, so that each is looked up by the key, which begins with it."""


def _to_ms(at: float | None, default: int) -> int:
    return default if at is None else round(at * 1000)


def _build_tally(row: tuple[Any, ...]) -> Tally:
    target, status, last_run_ms, last_ok_ms, runs, failures, codes, last_code, last_id, failed_id = row
    return Tally(
        target=target,
        status=Status(status),
        last_run_at=last_run_ms / 1000,
        last_ok_at=(last_ok_ms or 0) / 1000,
        runs_total=runs,
        failures_total=failures,
        failures={FailureCode(code): count for code, count in json.loads(codes).items()},
        last_failure=FailureCode(last_code) if last_code else None,
        measurement=last_id,
        failed_measurement=failed_id,
    )


def _build_episode(data: bytes, last_run_ms: int | None) -> Episode:
    """Read an episode; the time of an open one's last run is the tally's, because that alone is written every time."""
    episode = msgspec.msgpack.decode(data, type=Episode)
    if last_run_ms is None or last_run_ms / 1000 <= episode.last_run_at:
        return episode
    return msgspec.structs.replace(episode, last_run_at=last_run_ms / 1000)


def _build_segment(target: str, row: tuple[int, int, int, int, int, int, bytes]) -> Run:
    first_ms, last_ms, runs, min_us, sum_us, max_us, phases = row
    return Run(
        target=target,
        first_at=first_ms / 1000,
        last_at=last_ms / 1000,
        runs=runs,
        status=Status.OK,
        durations=Spread(min_s=min_us / 1e6, mean_s=sum_us / runs / 1e6, max_s=max_us / 1e6),
        phases=decode_phases(phases),
    )


def _build_run(target: str, row: tuple[int, str, str, str, str, int, int, bytes]) -> Run:
    at_ms, measurement_id, status, pattern, cause, confidence, duration_us, phases = row
    took_s = duration_us / 1e6
    spreads: tuple[PhaseSpread, ...] = decode_phases(phases)
    return Run(
        target=target,
        first_at=at_ms / 1000,
        last_at=at_ms / 1000,
        runs=1,
        status=Status(status),
        pattern=Pattern(pattern) if pattern else None,
        cause=Cause(cause),
        confidence=Confidence(confidence),
        durations=Spread(min_s=took_s, mean_s=took_s, max_s=took_s),
        phases=spreads,
        measurement=measurement_id,
    )
