"""Versions of the file: the way up, and what cannot be read."""

import sqlite3
from pathlib import Path

import pytest

from probe.model.errors import UserError
from probe.model.settings import StoreSettings
from probe.store.errors import StoreTooNewError
from probe.store.schema import APPLICATION_ID, VERSION, connect, prepare
from probe.store.store import Store
from tests.fakes import FakeClock
from tests.unit.store.samples import START, make_blocked

LAST = VERSION - 1


def make_older(path: Path) -> None:
    """Make a file of the version before ours: no slots yet, and another name for the tallies."""
    Store.open(StoreSettings(path=str(path)), FakeClock(wall_s=START)).close()
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE slots")
        connection.execute("ALTER TABLE tallies RENAME TO counters")
        connection.execute("INSERT INTO targets (id, address) VALUES ('kept', 'https://kept/')")
        connection.execute(f"PRAGMA user_version={LAST}")
    connection.close()


MIGRATION = """
ALTER TABLE counters RENAME TO tallies;
CREATE TABLE slots (name TEXT PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
"""


def open_plain(path: Path) -> sqlite3.Connection:
    return connect(str(path))


def test_a_new_file_gets_our_mark_and_version(tmp_path: Path) -> None:
    Store.open(StoreSettings(path=str(tmp_path / "w.db")), FakeClock()).close()
    connection = open_plain(tmp_path / "w.db")
    assert connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    assert connection.execute("PRAGMA user_version").fetchone()[0] == VERSION
    assert connection.execute("PRAGMA auto_vacuum").fetchone()[0] == 2
    assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    connection.close()


def test_an_older_file_is_brought_up_to_date_with_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    make_older(path)
    connection = open_plain(path)
    prepare(connection, str(path), {LAST: MIGRATION})
    assert connection.execute("PRAGMA user_version").fetchone()[0] == VERSION
    connection.close()
    with Store.open(StoreSettings(path=str(path)), FakeClock()) as store:
        store.add(make_blocked(1, START))
        assert store.flush_now()
        assert store.find_targets("kept") == ("kept",)


def test_a_migration_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    make_older(path)
    connection = open_plain(path)
    with pytest.raises(sqlite3.OperationalError):
        prepare(connection, str(path), {LAST: MIGRATION + "ALTER TABLE nowhere RENAME TO elsewhere;"})
    assert not connection.in_transaction
    assert connection.execute("PRAGMA user_version").fetchone()[0] == LAST
    names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert "counters" in names
    assert "slots" not in names
    prepare(connection, str(path), {LAST: MIGRATION})
    connection.close()


def test_a_file_too_old_to_migrate_is_named(tmp_path: Path) -> None:
    path = tmp_path / "w.db"
    make_older(path)
    connection = open_plain(path)
    with pytest.raises(UserError, match="older than any"):
        prepare(connection, str(path), {})
    connection.close()


@pytest.mark.parametrize("read_only", [True, False])
def test_a_later_versions_file_is_refused_and_left_alone(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "w.db"
    Store.open(StoreSettings(path=str(path)), FakeClock()).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version={VERSION + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNewError, match=f"schema {VERSION + 1}, this one knows {VERSION}"):
        Store.open(StoreSettings(path=str(path)), FakeClock(), read_only=read_only)
    assert path.read_bytes() == before


@pytest.mark.parametrize("read_only", [True, False])
def test_somebody_elses_database_is_refused(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "w.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE places (url TEXT)")
    connection.close()
    with pytest.raises(UserError, match="not a Wallprobe database"):
        Store.open(StoreSettings(path=str(path)), FakeClock(), read_only=read_only)


@pytest.mark.parametrize("read_only", [True, False])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path, read_only: bool) -> None:
    path = tmp_path / "w.db"
    path.write_bytes(b"# Targets\nhttps://example.org\n" * 200)
    with pytest.raises(UserError, match="not a Wallprobe database"):
        Store.open(StoreSettings(path=str(path)), FakeClock(), read_only=read_only)
    assert path.read_bytes().startswith(b"# Targets")


def test_a_path_with_any_character_is_a_path(tmp_path: Path) -> None:
    path = tmp_path / "a ?b#c%41" / "δ.db"
    with Store.open(StoreSettings(path=str(path)), FakeClock()) as store:
        store.add(make_blocked(1, START))
    assert path.exists()
    Store.open(StoreSettings(path=str(path)), FakeClock(), read_only=True).close()
