"""Where the database is, and who may write to it.

One writer per file is held by an exclusive transaction on an empty SQLite file beside the database: the operating
system drops it when the process dies, however it dies, and it is the same code on every system.
"""

import contextlib
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from probe.model.errors import UserError
from probe.store.errors import StoreLockedError, build_user_error

FILE_NAME = "wallprobe.db"


def find_path(configured: str, environ: Mapping[str, str] | None = None) -> Path:
    """Return the configured path, else `$STATE_DIRECTORY/wallprobe.db` (systemd), else the user's state folder.

    Raises:
        UserError: nothing is configured, and this user has no home folder.
    """
    environ = os.environ if environ is None else environ
    if configured:
        return Path(configured).expanduser()
    if state := environ.get("STATE_DIRECTORY", ""):
        return Path(state.split(":", 1)[0]) / FILE_NAME
    if state := environ.get("XDG_STATE_HOME", ""):
        return Path(state) / "wallprobe" / FILE_NAME
    try:
        home = Path(environ.get("HOME") or "~").expanduser()
    except RuntimeError:
        raise UserError("store.path", "this user has no home folder", "set store.path, or $STATE_DIRECTORY") from None
    return home / ".local" / "state" / "wallprobe" / FILE_NAME


def give_to_owner(path: Path | str) -> None:
    """Give what root has made in somebody's folder to the owner of the folder.

    The agent runs as a user of its own, and people look after its files as root: a lock, a key or a database put back
    that only root may open would keep it from starting.
    """
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return
    with contextlib.suppress(OSError):
        owner = os.stat(Path(path).parent)
        if owner.st_uid != 0:
            os.chown(path, owner.st_uid, owner.st_gid)


def make_place(path: Path) -> None:
    """Create the folder (0700) and an empty file (0600) where they are missing; what exists keeps its mode.

    Raises:
        UserError: no permission, no space, or something else is in the way.
    """
    try:
        if not path.parent.is_dir():
            path.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
            give_to_owner(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        give_to_owner(path)
    except OSError as error:
        raise build_user_error(str(path), error) from None


class WriterLock:
    """Held as long as a process may write to a database."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + "-lock")
        self._connection: sqlite3.Connection | None = None

    def acquire(self) -> None:
        """Take the lock, or say at once that it is taken.

        Raises:
            StoreLockedError: another process, or another store in this one, has it.
            UserError: the lock file cannot be made.
        """
        try:
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            give_to_owner(self._path)
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise build_user_error(str(self._path), error) from None
        try:
            connection.execute("PRAGMA journal_mode=OFF")
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                raise StoreLockedError(
                    str(self._path.with_name(self._path.name.removesuffix("-lock"))),
                    "another Wallprobe process writes to this database",
                    "stop that one, or set store.path to another file",
                ) from None
            raise build_user_error(str(self._path), error) from None
        self._connection = connection

    def release(self) -> None:
        """Let the next writer in; harmless when not held."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            connection.close()
