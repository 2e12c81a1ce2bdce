import json

import pytest

from probe.__main__ import run_command
from probe.model.settings import StoreSettings
from probe.store.store import Store
from tests.fakes import FakeClock
from tests.unit.store.samples import START, make_blocked, make_ok


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "wallprobe.db"
    with Store.open(StoreSettings(path=str(path)), FakeClock(START + 100)) as store:
        store.add(make_ok(0, START, serial=1), whole=True)
        store.add(make_blocked(1, START + 60, serial=2))
        store.flush_now()
    return path


def export(capsysbinary, database, *arguments: str) -> tuple[int, list[dict], str]:
    code = run_command(["export", "--format", "ooni", "--store.path", str(database), *arguments])
    captured = capsysbinary.readouterr()
    return code, [json.loads(line) for line in captured.out.splitlines()], captured.err.decode()


def test_all_that_is_kept_whole_is_written(capsysbinary, database):
    code, rows, said = export(capsysbinary, database)
    assert code == 0
    assert [row["input"] for row in rows] == ["https://www.example0.org/", "https://www.example1.org/"]
    assert "2 measurements written" in said


def test_a_target_and_a_time_narrow_it_down(capsysbinary, database):
    assert len(export(capsysbinary, database, "example1")[1]) == 1
    assert len(export(capsysbinary, database, "--since", "2023-11-14T22:14")[1]) == 1


def test_an_address_that_the_user_names_is_scrubbed(capsysbinary, database, tmp_path):
    output = tmp_path / "report.jsonl"
    assert export(capsysbinary, database, "--scrub", "192.0.2.53", "--output", str(output))[0] == 0
    assert "192.0.2.53" not in output.read_text()
    assert "[scrubbed]:53" in output.read_text()


@pytest.mark.parametrize("arguments", [["nowhere.example"], ["--scrub", "x"], ["--output", "/nowhere/at/all"]])
def test_what_cannot_be_meant_is_the_users_error(capsysbinary, database, arguments):
    assert export(capsysbinary, database, *arguments)[0] == 2
