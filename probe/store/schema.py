"""The tables, their version, and the way from an older one.

Times are milliseconds since the epoch, durations microseconds. `runs` and `segments` are keyed by hour first, so that
the rows being written lie together; a target's history is then one look-up per hour.
"""

import os
import sqlite3
from collections.abc import Mapping

from probe.model.errors import UserError
from probe.store.errors import StoreTooNewError, build_user_error

APPLICATION_ID = 0x57505242
"""`WPRB`: tells our files from any other SQLite database."""

VERSION = 1

TABLES = """
CREATE TABLE targets (
    no INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    address TEXT NOT NULL
);
CREATE TABLE tallies (
    target_no INTEGER PRIMARY KEY,
    last_run_ms INTEGER NOT NULL,
    last_ok_ms INTEGER,
    last_status TEXT NOT NULL,
    runs INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    codes TEXT NOT NULL,
    last_code TEXT NOT NULL,
    last_id TEXT NOT NULL,
    failed_id TEXT NOT NULL
);
CREATE TABLE segments (
    hour INTEGER NOT NULL,
    target_no INTEGER NOT NULL,
    part INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    runs INTEGER NOT NULL,
    min_us INTEGER NOT NULL,
    sum_us INTEGER NOT NULL,
    max_us INTEGER NOT NULL,
    phases BLOB NOT NULL,
    PRIMARY KEY (hour, target_no, part)
) WITHOUT ROWID;
CREATE TABLE runs (
    hour INTEGER NOT NULL,
    target_no INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    id TEXT NOT NULL,
    status TEXT NOT NULL,
    pattern TEXT NOT NULL,
    cause TEXT NOT NULL,
    confidence INTEGER NOT NULL,
    duration_us INTEGER NOT NULL,
    phases BLOB NOT NULL,
    PRIMARY KEY (hour, target_no, at_ms, id)
) WITHOUT ROWID;
CREATE TABLE observations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    target_no INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    status TEXT NOT NULL,
    kept TEXT NOT NULL,
    frame INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX observations_at ON observations (at_ms);
CREATE INDEX observations_target ON observations (target_no, at_ms);
CREATE INDEX observations_frame ON observations (frame);
CREATE TABLE bodies (
    seq INTEGER NOT NULL,
    position INTEGER NOT NULL,
    frame INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX bodies_seq ON bodies (seq);
CREATE INDEX bodies_frame ON bodies (frame);
CREATE TABLE certificates (
    sha256 BLOB NOT NULL UNIQUE,
    used_ms INTEGER NOT NULL,
    der BLOB NOT NULL
);
CREATE TABLE frames (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    target_no INTEGER NOT NULL,
    kind TEXT NOT NULL,
    made_ms INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX frames_target ON frames (target_no, kind, no);
CREATE TABLE citations (
    cited TEXT NOT NULL,
    citing INTEGER NOT NULL,
    PRIMARY KEY (cited, citing)
) WITHOUT ROWID;
CREATE INDEX citations_citing ON citations (citing);
CREATE TABLE episodes (
    no INTEGER PRIMARY KEY,
    target_no INTEGER NOT NULL,
    first_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    data BLOB NOT NULL,
    UNIQUE (target_no, first_ms)
);
CREATE INDEX episodes_open ON episodes (target_no) WHERE ended_ms IS NULL;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    target_no INTEGER,
    measurement TEXT NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX events_at ON events (at_ms);
CREATE INDEX events_target ON events (target_no, at_ms);
CREATE INDEX events_measurement ON events (measurement);
CREATE TABLE baselines (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX baselines_at ON baselines (at_ms);
CREATE TABLE held (
    target_no INTEGER PRIMARY KEY,
    data BLOB NOT NULL
);
CREATE TABLE slots (
    name TEXT PRIMARY KEY,
    data BLOB NOT NULL
) WITHOUT ROWID;
"""

Migrations = Mapping[int, str]
"""SQL that leads from the version that is the key to the next one."""

MIGRATIONS: Migrations = {}


def connect(path: str, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a connection, and change nothing yet; transactions are begun by hand.

    Raises:
        sqlite3.Error: as SQLite says.
    """
    if not read_only:
        return _connect(path, "mode=rw")
    try:
        return _connect(path, "mode=ro")
    except sqlite3.OperationalError:
        # To read beside a log SQLite needs its index (-shm), which who may not write there cannot make. Without a log
        # none is needed, as long as nobody writes: immutable.
        if os.path.exists(path + "-wal"):
            raise
        return _connect(path, "mode=ro&immutable=1")


def _connect(path: str, mode: str) -> sqlite3.Connection:
    uri = "file:" + path.replace("%", "%25").replace("?", "%3f").replace("#", "%23") + "?" + mode
    connection = sqlite3.connect(uri, uri=True, timeout=5.0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA cache_size=-4096")
        connection.execute("SELECT 1 FROM sqlite_master")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def read_version(connection: sqlite3.Connection, where: str) -> int:
    """Return the file's schema version, -1 for an empty file.

    Raises:
        UserError: the file is somebody else's, or a later version's.
    """
    empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if empty:
        return -1
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        error = sqlite3.DatabaseError("not ours")
        error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
        raise build_user_error(where, error)
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise StoreTooNewError(
            where,
            f"written by a later version of Wallprobe (schema {version}, this one knows {VERSION})",
            "install that version, or set store.path to another file",
        )
    return version


def prepare(connection: sqlite3.Connection, where: str, migrations: Migrations = MIGRATIONS) -> None:
    """Make the tables, or bring older ones up to date: all in one transaction, so a kill leaves the old state.

    A file that is not ours is not touched.

    Raises:
        UserError: the file is not ours, is too new, or too old to be brought up to date.
        sqlite3.Error: as SQLite says.
    """
    version = read_version(connection, where)
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL")
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA journal_size_limit={16 << 20}")
    if version == VERSION:
        return
    statements = [f"PRAGMA application_id={APPLICATION_ID}", TABLES] if version == -1 else []
    while -1 < version < VERSION:
        if version not in migrations:
            raise UserError(where, f"schema {version} is older than any this version can read", "use another file")
        statements.append(migrations[version])
        version += 1
    script = ";\n".join(["BEGIN IMMEDIATE", *statements, f"PRAGMA user_version={VERSION}", "COMMIT"])
    try:
        connection.executescript(script)
    except sqlite3.Error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
