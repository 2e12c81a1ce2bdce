"""Compression against what the same target looked like before.

One run differs from the next in its timings and little else. So each target has, per kind of record, a *frame*: an
earlier record in full, that zstd takes as its prefix. A repeated failure shrinks from 14 KB to about 0.1 KB, where a
dictionary trained on all targets gives 0.9 KB. A record that its frame no longer fits starts the next frame.
"""

import sqlite3
from collections import OrderedDict

import zstandard

LEVEL = 3
_POOR_RATIO = 0.25
"""A record larger than this share of itself starts a new frame."""
_CACHE_BYTES = 8 << 20
_MAX_RECORD_BYTES = 256 << 20


class Frames:
    """The frames of one connection, the last used ones in memory."""

    def __init__(self, connection: sqlite3.Connection, cache_bytes: int = _CACHE_BYTES) -> None:
        self._connection = connection
        self._limit_bytes = cache_bytes
        self._cached: OrderedDict[int, bytes] = OrderedDict()
        self._cached_bytes = 0
        self._newest: OrderedDict[tuple[int, str], int] = OrderedDict()

    def compress(self, target_no: int, kind: str, record: bytes, now_ms: int) -> tuple[int, bytes]:
        """Return the frame's number and the record against it; runs inside the writer's transaction.

        Raises:
            sqlite3.Error: as SQLite says.
        """
        number = self._find_newest(target_no, kind)
        if number:
            data = _compress_against(self._load(number), record)
            if len(data) <= _POOR_RATIO * len(record):
                return number, data
        number = self._create(target_no, kind, record, now_ms)
        return number, _compress_against(record, record)

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
        cursor = self._connection.execute(
            "INSERT INTO frames (target_no, kind, made_ms, data) VALUES (?, ?, ?, ?)",
            (target_no, kind, now_ms, zstandard.ZstdCompressor(level=LEVEL).compress(record)),
        )
        number = cursor.lastrowid or 0
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
        if len(self._newest) > 4096:
            self._newest.popitem(last=False)


def _compress_against(prefix: bytes, record: bytes) -> bytes:
    dictionary = zstandard.ZstdCompressionDict(prefix, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(level=LEVEL, dict_data=dictionary, write_checksum=True).compress(record)
