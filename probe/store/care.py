"""Looking after the file: copies, a check, compaction, and putting a copy back.

Source: https://www.sqlite.org/lang_vacuum.html (`VACUUM INTO` is one read transaction: a whole copy while another
process writes) and https://www.sqlite.org/pragma.html#pragma_integrity_check.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

from probe.model.errors import UserError
from probe.store.errors import StoreLockedError, build_user_error
from probe.store.ledger import SLOT
from probe.store.place import WriterLock, give_to_owner, make_place
from probe.store.schema import connect, read_version

STAGED = ".restore"
BEFORE = ".before-restore"
_MOST_PROBLEMS = 20


def check_file(path: Path) -> tuple[str, ...]:
    """Return what is wrong with a database; nothing = it is whole, and ours.

    Raises:
        UserError: there is none, it cannot be opened, or it is somebody else's.
    """
    connection = _open(path)
    try:
        rows = connection.execute(f"PRAGMA integrity_check({_MOST_PROBLEMS})").fetchall()
    except sqlite3.DatabaseError as error:
        return (str(error),)
    finally:
        connection.close()
    found = tuple(str(row[0]) for row in rows)
    return () if found == ("ok",) else found


def measure_size(path: Path) -> int:
    """Return how many bytes a database has, with what is written and not yet moved to its place."""
    size_bytes = 0
    for name in (path, path.with_name(path.name + "-wal")):
        with contextlib.suppress(OSError):
            size_bytes += name.stat().st_size
    return size_bytes


def back_up(path: Path, copy: Path) -> int:
    """Write a whole copy, compacted, beside whoever writes meanwhile; return its size.

    Raises:
        UserError: it cannot be read, or the copy cannot be written; then there is none, not a part of one.
    """
    if copy.exists() and not copy.is_file():
        raise UserError(str(copy), "is no file", "name a file that the copy may become")
    part = copy.with_name(f".{copy.name}.part")
    connection = _open(path)
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        connection.execute("VACUUM INTO ?", (str(part),))
        _sync(part)
        give_to_owner(part)
        os.replace(part, copy)
        _sync(copy.parent)
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise build_user_error(str(copy), error) from None
    finally:
        connection.close()
    return copy.stat().st_size


def compact(path: Path) -> tuple[int, int]:
    """Give unused space back to the disk; return the size before and after.

    Raises:
        StoreLockedError: an agent writes to it.
        UserError: it cannot be opened, or there is no room for the second copy that this takes.
    """
    _open(path).close()
    lock = WriterLock(path)
    lock.acquire()
    try:
        before = path.stat().st_size
        connection = connect(str(path))
        try:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
        return before, path.stat().st_size
    except (OSError, sqlite3.Error) as error:
        raise build_user_error(str(path), error) from None
    finally:
        lock.release()


def restore(copy: Path, path: Path) -> bool:
    """Put a copy in the database's place; tell whether it is there now, or waits for the agent to start again.

    What was there before stays beside it. The copy is looked through first.

    Raises:
        UserError: the copy is damaged or no database of ours, or the place cannot be written.
    """
    problems = check_file(copy)
    if problems:
        raise UserError(str(copy), f"is damaged: {problems[0]}", "take an older copy")
    staged = path.with_name(path.name + STAGED)
    make_place(path)
    back_up(copy, staged)
    lock = WriterLock(path)
    try:
        lock.acquire()
    except StoreLockedError:
        return False
    try:
        adopt_staged(path)
    finally:
        lock.release()
    return True


def adopt_staged(path: Path) -> bool:
    """Take a copy that waits into force; call it with the lock held. Tell whether there was one.

    The gate's ledger goes on from where it is: a counter that went back to an old copy's would be used twice.

    Raises:
        UserError: files cannot be moved.
    """
    staged = path.with_name(path.name + STAGED)
    if not staged.exists():
        return False
    try:
        if path.exists() and path.stat().st_size:
            _carry_ledger(path, staged)
            os.replace(path, path.with_name(path.name + BEFORE))
        for tail in ("-wal", "-shm"):
            path.with_name(path.name + tail).unlink(missing_ok=True)
        os.replace(staged, path)
        _sync(path.parent)
    except OSError as error:
        raise build_user_error(str(path), error) from None
    return True


def _carry_ledger(path: Path, staged: Path) -> None:
    """Bring what is in the log into the file, and its ledger into the copy; a damaged file has none to give."""
    try:
        before = connect(str(path))
    except sqlite3.Error:
        return
    try:
        row = before.execute("SELECT data FROM slots WHERE name = ?", (SLOT,)).fetchone()
        before.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        return
    finally:
        before.close()
    if row is None:
        return
    try:
        after = connect(str(staged))
        try:
            after.execute("INSERT OR REPLACE INTO slots (name, data) VALUES (?, ?)", (SLOT, row[0]))
        finally:
            after.close()
    except sqlite3.Error as error:
        raise build_user_error(str(staged), error) from None


def _open(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise UserError(str(path), "there is no database", "check the path, or set store.path")
    try:
        connection = connect(str(path), read_only=True)
    except sqlite3.Error as error:
        raise build_user_error(str(path), error) from None
    try:
        if read_version(connection, str(path)) < 0:
            raise UserError(str(path), "the database is empty", "run `wallprobe run` or `wallprobe check` first")
    except sqlite3.Error as error:
        connection.close()
        raise build_user_error(str(path), error) from None
    except UserError:
        connection.close()
        raise
    return connection


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
