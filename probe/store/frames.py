"""Compression against what the same target looked like before.

One run differs from the next in its timings and little else. So each target has, per kind of record, a *frame*: an
earlier record in full, that zstd takes as its prefix. A repeated failure shrinks from 14 KB to about 0.1 KB, where a
dictionary trained on all targets gives 0.9 KB. A record that its frame does not fit starts the next frame, and so does
one of a row that fits worse and worse, once that has cost as much as a new frame does.
"""

import sqlite3
from collections import OrderedDict

import zstandard

LEVEL = 3
_POOR_RATIO = 0.25
"""A record larger than this share of itself starts a new frame."""
_REMEMBERED = 4096
_CACHE_BYTES = 8 << 20
_MAX_RECORD_BYTES = 256 << 20


class _Wear:
    """How well a frame has fitted."""

    __slots__ = ("best_bytes", "excess_bytes", "price_bytes")

    def __init__(self, price_bytes: int) -> None:
        self.price_bytes = price_bytes
        """What a new frame would take."""
        self.best_bytes = 1 << 30
        self.excess_bytes = 0


class Frames:
    """The frames of one connection, the last used ones in memory."""

    def __init__(self, connection: sqlite3.Connection, cache_bytes: int = _CACHE_BYTES) -> None:
        self._connection = connection
        self._limit_bytes = cache_bytes
        self._cached: OrderedDict[int, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._newest: OrderedDict[tuple[int, str], int] = OrderedDict()
        self._wear: OrderedDict[int, _Wear] = OrderedDict()

    def compress(self, target_no: int, kind: str, record: bytes, now_ms: int) -> tuple[int, bytes]:
        """Return the frame's number and the record against it; runs inside the writer's transaction.

        Raises:
            sqlite3.Error: as SQLite says.
        """
        number = self._find_newest(target_no, kind)
        if number:
            data = _compress_against(self._load(number), record)
            if len(data) <= _POOR_RATIO * len(record) and not self._is_worn(number, len(data)):
                return number, data
        number = self._create(target_no, kind, record, now_ms)
        return number, _compress_against(record, record)

    def _is_worn(self, number: int, size_bytes: int) -> bool:
        """Tell whether records have cost more above the best one than a new frame would take."""
        wear = self._wear.get(number)
        if wear is None:
            wear = self._wear[number] = _Wear(len(self._load(number)) // 3)
        wear.best_bytes = min(wear.best_bytes, size_bytes)
        wear.excess_bytes += size_bytes - wear.best_bytes
        return size_bytes > 2 * wear.best_bytes and wear.excess_bytes > wear.price_bytes

    def decompress(self, number: int, data: bytes) -> bytes:
        """Return the record that `compress` was given.

        Raises:
            KeyError: there is no such frame.
            zstandard.ZstdError: the data is damaged.
            sqlite3.Error: as SQLite says.
        """
        prefix = zstandard.ZstdCompressionDict(self._load(number), dict_type=zstandard.DICT_TYPE_RAWCONTENT)
        return zstandard.ZstdDecompressor(dict_data=prefix).decompress(data, max_output_size=_MAX_RECORD_BYTES)

    def recompress(self, number: int, record: bytes) -> bytes:
        """Return a changed record against the frame that it had before."""
        return _compress_against(self._load(number), record)

    def forget(self) -> None:
        """Drop what is in memory: the transaction that made some of it was rolled back, or frames were deleted."""
        self._cached.clear()
        self._cached_bytes = 0
        self._newest.clear()
        self._wear.clear()

    def _find_newest(self, target_no: int, kind: str) -> int:
        """Return the number of the frame in use, 0 when there is none."""
        key = (target_no, kind)
        number = self._newest.get(key)
        if number is None:
            row = self._connection.execute(
                "SELECT max(no) FROM frames WHERE target_no = ? AND kind = ?", (target_no, kind)
            ).fetchone()
            number = row[0] or 0
            self._remember_newest(key, number)
        return number

    def _create(self, target_no: int, kind: str, record: bytes, now_ms: int) -> int:
        data = zstandard.ZstdCompressor(level=LEVEL).compress(record)
        cursor = self._connection.execute(
            "INSERT INTO frames (target_no, kind, made_ms, data) VALUES (?, ?, ?, ?)", (target_no, kind, now_ms, data)
        )
        number = cursor.lastrowid or 0
        self._wear[number] = _Wear(len(data))
        self._remember_newest((target_no, kind), number)
        self._remember(number, record)
        return number

    def _load(self, number: int) -> bytes:
        record = self._cached.get(number)
        if record is not None:
            self._cached.move_to_end(number)
            return record
        row = self._connection.execute("SELECT data FROM frames WHERE no = ?", (number,)).fetchone()
        if row is None:
            raise KeyError(f"frame {number}")
        record = zstandard.ZstdDecompressor().decompress(row[0], max_output_size=_MAX_RECORD_BYTES)
        self._remember(number, record)
        return record

    def _remember(self, number: int, record: bytes) -> None:
        self._cached[number] = record
        self._cached_bytes += len(record)
        while self._cached_bytes > self._limit_bytes and len(self._cached) > 1:
            _, dropped = self._cached.popitem(last=False)
            self._cached_bytes -= len(dropped)

    def _remember_newest(self, key: tuple[int, str], number: int) -> None:
        self._newest[key] = number
        while len(self._newest) > _REMEMBERED:
            self._newest.popitem(last=False)
        while len(self._wear) > _REMEMBERED:
            self._wear.popitem(last=False)


def _compress_against(prefix: bytes, record: bytes) -> bytes:
    dictionary = zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary, write_checksum=True).compress(record)
