"""`wallprobe db` as a person uses it."""

import json

import pytest

from probe.__main__ import run_command
from probe.model.settings import StoreSettings
from probe.model.units import render_size
from probe.store.store import Store
from tests.fakes import FakeClock
from tests.unit.store.samples import START, make_blocked, make_ok


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "wallprobe.db"
    with Store.open(StoreSettings(path=str(path)), FakeClock(START + 100)) as store:
        store.add(make_ok(0, START, serial=1))
        store.add(make_blocked(1, START + 60, serial=2))
        store.flush_now()
    return path


def db(*arguments: str) -> int:
    return run_command(["db", *arguments])


def test_check_backup_vacuum_and_restore(capsys, database, tmp_path):
    place, copy = ("--store.path", str(database)), tmp_path / "copy.db"
    assert db("check", *place) == 0
    assert "whole" in capsys.readouterr().out
    assert db("backup", str(copy), *place) == 0
    assert db("vacuum", *place) == 0
    assert db("restore", str(copy), *place) == 0
    assert "restored" in capsys.readouterr().out
    with Store.open(StoreSettings(path=str(database)), FakeClock(START)):
        assert db("restore", str(copy), *place) == 0
        assert "restart" in capsys.readouterr().out
        assert db("vacuum", *place) == 2


def test_the_size_of_a_database_that_is_written_to_is_that_of_all_its_files(capsys, tmp_path):
    path = tmp_path / "wallprobe.db"
    with Store.open(StoreSettings(path=str(path)), FakeClock(START + 100)) as store:
        store.add(make_blocked(1, START + 60, serial=2))
        store.flush_now()
        assert path.with_name("wallprobe.db-wal").stat().st_size > 4096
        assert db("check", "--store.path", str(path)) == 0
        shown = capsys.readouterr().out
        assert shown == f"{path}: whole, {render_size(store.stats().size_bytes)}\n"
    assert " 4.1 kB" not in shown


def test_damage_is_exit_code_1_with_a_way_out(capsys, database):
    data = bytearray(database.read_bytes())
    data[4096 * 3 : 4096 * 6] = bytes(4096 * 3)
    database.write_bytes(data)
    assert db("check", "--store.path", str(database)) in (1, 2)
    assert "damaged" in capsys.readouterr().err


def test_everything_kept_comes_out_as_lines(capsysbinary, database, tmp_path):
    assert db("export", "--store.path", str(database)) == 0
    rows = [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]
    assert {row["record"] for row in rows} >= {"target", "run"}
    assert [row["status"] for row in rows if row["record"] == "run"] == ["ok", "likely_blocked"]
    assert db("export", "--store.path", str(database), "--output", "/nowhere/x") == 2
    assert db("export", "--store.path", str(tmp_path / "none.db")) == 2


def test_a_copy_that_cannot_be_made_or_read_asks_for_another_file(capsys, database, tmp_path):
    place, strange = ("--store.path", str(database)), tmp_path / "strange.db"
    strange.write_bytes(b"no database at all" * 100)
    for arguments in (("backup", str(tmp_path / "nowhere" / "copy.db")), ("restore", str(strange))):
        assert db(*arguments, *place) == 2
        told = capsys.readouterr().err
        assert told.startswith(arguments[1])
        assert told.endswith("; name another file\n")
