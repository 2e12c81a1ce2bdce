"""What can be wrong with a database file, as lines that a person can act on."""

import sqlite3

from probe.model.errors import UserError


class StoreLockedError(UserError):
    """Another process writes to this file. `check` goes on without storing; the daemon stops."""


class StoreTooNewError(UserError):
    """A later version of Wallprobe wrote this file."""


_WHAT: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space, or give store.path a disk with room"),
    sqlite3.SQLITE_READONLY: ("the database may not be written", "make file and folder writable for this user"),
    sqlite3.SQLITE_CANTOPEN: (
        "the database cannot be opened",
        "check the path, and that this user may enter its folder",
    ),
    sqlite3.SQLITE_PERM: ("no permission", "make file and folder writable for this user"),
    sqlite3.SQLITE_NOTADB: ("this is not a Wallprobe database", "give store.path another file"),
    sqlite3.SQLITE_CORRUPT: ("the database is damaged", "move the file away; a new one is made"),
    sqlite3.SQLITE_IOERR: ("the disk reports an error", "check the disk, then start again"),
    sqlite3.SQLITE_BUSY: ("another process holds the database", "stop it, or wait until it is done"),
}


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code (https://www.sqlite.org/rescode.html); 0 when it has none."""
    return (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF


def build_user_error(where: str, error: sqlite3.Error | OSError) -> UserError:
    """Say what an error means that came while a database was opened."""
    if isinstance(error, sqlite3.Error):
        what, remedy = _WHAT.get(primary_code(error), (str(error), "give store.path another file"))
        return UserError(where, what, remedy)
    if isinstance(error, PermissionError):
        return UserError(where, "no permission", "make file and folder writable for this user, or set store.path")
    return UserError(where, error.strerror or str(error), "set store.path to a place that can be written")
