"""Measurements kept whole: writing and reading them, certificates once each, bodies apart."""

import sqlite3
from collections import OrderedDict

import msgspec

from probe.model.measurement import Measurement
from probe.model.verdict import Verdict
from probe.store.frames import Frames
from probe.store.pack import Packed, decode_record, encode_record, unpack
from probe.store.values import Kept

_DAY_MS = 86_400_000
_TOUCHED_LIMIT = 16384


class Vault:
    """Writes and reads whole measurements over one connection; writes run inside the caller's transaction.

    Every method raises `sqlite3.Error` as SQLite says.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.frames = Frames(connection)
        self._touched: OrderedDict[bytes, int] = OrderedDict()
        """Certificates known to be stored, and the day of their last use that is written."""

    def forget(self) -> None:
        """Drop what is in memory after a rollback, or after rows were deleted."""
        self.frames.forget()
        self._touched.clear()

    def insert(self, target_no: int, measurement: Measurement, packed: Packed, kept: Kept, now_ms: int) -> bool:
        """Store a measurement unless its id is there already; tell whether it was new."""
        status = measurement.verdict.status
        number, data = self.frames.compress(target_no, status.value, packed.record, now_ms)
        cursor = self._connection.execute(
            "INSERT OR IGNORE INTO observations (id, target_no, at_ms, status, kept, frame, data)"
            " VALUES (?,?,?,?,?,?,?)",
            (measurement.id, target_no, round(measurement.started_at * 1000), status.value, kept.value, number, data),
        )
        if cursor.rowcount != 1:
            return False
        seq = cursor.lastrowid or 0
        self.keep_certificates(packed.certificates, now_ms)
        for position, body in packed.bodies:
            number, data = self.frames.compress(target_no, "body", body, now_ms)
            self._connection.execute(
                "INSERT INTO bodies (seq, position, frame, data) VALUES (?,?,?,?)", (seq, position, number, data)
            )
        for cited in _citations(measurement):
            self._connection.execute("INSERT OR IGNORE INTO citations (cited, citing) VALUES (?,?)", (cited, seq))
        return True

    def keep_certificates(self, certificates: dict[bytes, bytes], now_ms: int) -> None:
        """Store each certificate once, and note the day of its last use."""
        day = now_ms // _DAY_MS
        for sha256, der in certificates.items():
            if self._touched.get(sha256) == day:
                continue
            self._connection.execute(
                "INSERT INTO certificates (sha256, used_ms, der) VALUES (?,?,?)"
                " ON CONFLICT (sha256) DO UPDATE SET used_ms = max(used_ms, excluded.used_ms)",
                (sha256, now_ms, der),
            )
            self._touched[sha256] = day
            if len(self._touched) > _TOUCHED_LIMIT:
                self._touched.popitem(last=False)

    def load(self, seq: int, frame: int, data: bytes) -> Measurement:
        """Put a stored measurement together.

        Raises:
            KeyError, zstandard.ZstdError, msgspec.DecodeError: the row is damaged, or of another version.
        """
        bodies = {
            position: self.frames.decompress(number, body)
            for position, number, body in self._connection.execute(
                "SELECT position, frame, data FROM bodies WHERE seq = ?", (seq,)
            )
        }
        return unpack(self.frames.decompress(frame, data), bodies, self._certificate)

    def replace_verdict(self, measurement_id: str, verdict: Verdict) -> bool:
        """Give a stored measurement another verdict; tell whether it was there."""
        row = self._connection.execute(
            "SELECT seq, frame, data FROM observations WHERE id = ?", (measurement_id,)
        ).fetchone()
        if row is None:
            return False
        seq, frame, data = row
        slim = decode_record(self.frames.decompress(frame, data))
        record = encode_record(_with_verdict(slim, verdict))
        self._connection.execute(
            "UPDATE observations SET status = ?, data = ? WHERE seq = ?",
            (verdict.status.value, self.frames.recompress(frame, record), seq),
        )
        return True

    def _certificate(self, sha256: bytes) -> bytes:
        """Return a certificate's DER; empty when it is not stored, which only a damaged file brings about."""
        row = self._connection.execute("SELECT der FROM certificates WHERE sha256 = ?", (sha256,)).fetchone()
        return row[0] if row is not None else b""


def _citations(measurement: Measurement) -> set[str]:
    """Return the ids of all measurements that this one leans on."""
    cited = {citation.measurement for citation in measurement.cites}
    cited.update(evidence.measurement for evidence in measurement.verdict.evidence)
    cited.add(measurement.continues)
    return cited - {"", measurement.id}


def _with_verdict(measurement: Measurement, verdict: Verdict) -> Measurement:
    return msgspec.structs.replace(measurement, verdict=verdict)
