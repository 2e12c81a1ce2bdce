"""Copies of a database that is in use, and putting one back."""

import sqlite3
import stat
import threading

import pytest

from probe.model.errors import UserError
from probe.model.ledger import LedgerState
from probe.model.settings import StoreSettings
from probe.store.care import BEFORE, STAGED, back_up, check_file, compact, restore
from probe.store.errors import StoreLockedError
from probe.store.store import Store
from tests.fakes import FakeClock
from tests.unit.store.samples import START, make_ok


def open_store(path) -> Store:
    return Store.open(StoreSettings(path=str(path)), FakeClock(START + 1000))


def fill(store: Store, first: int, count: int) -> None:
    for number in range(first, first + count):
        store.add(make_ok(number % 3, START + number, serial=number), whole=True)
    assert store.flush_now()


def total(path) -> int:
    with Store.open(StoreSettings(path=str(path)), FakeClock(START + 1000), read_only=True) as store:
        return sum(tally.runs_total for tally in store.load_tallies().values())


def test_a_copy_made_while_an_agent_writes_is_whole(tmp_path):
    path, copy = tmp_path / "wallprobe.db", tmp_path / "copy.db"
    with open_store(path) as store:
        fill(store, 0, 50)
        writing = threading.Thread(target=fill, args=(store, 50, 300))
        writing.start()
        while writing.is_alive():
            back_up(path, copy)
            assert check_file(copy) == ()
            assert total(copy) >= 50
        writing.join()
        back_up(path, copy)
    assert total(copy) == 350
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not list(tmp_path.glob(".*part"))
    with open_store(copy) as store:
        fill(store, 350, 1)


def test_a_copy_goes_into_place_at_once_where_nobody_writes(tmp_path):
    path, copy = tmp_path / "wallprobe.db", tmp_path / "copy.db"
    with open_store(path) as store:
        fill(store, 0, 5)
        back_up(path, copy)
        fill(store, 5, 5)
    assert restore(copy, path)
    assert (total(path), total(tmp_path / f"wallprobe.db{BEFORE}"), total(copy)) == (5, 10, 5)
    assert restore(copy, tmp_path / "new" / "wallprobe.db")
    assert total(tmp_path / "new" / "wallprobe.db") == 5


def test_where_an_agent_runs_the_copy_waits_for_its_next_start_and_counters_do_not_go_back(tmp_path):
    path, copy = tmp_path / "wallprobe.db", tmp_path / "copy.db"
    with open_store(path) as store:
        store.ledger.save(LedgerState(counters={"key": 5}))
        fill(store, 0, 5)
        back_up(path, copy)
        store.ledger.save(LedgerState(counters={"key": 900}))
        fill(store, 5, 5)
        assert not restore(copy, path)
        fill(store, 10, 5)
    assert total(path) == 15
    with open_store(path) as store:
        assert store.ledger.load().counters == {"key": 900}
    assert total(path) == 5
    assert not (tmp_path / f"wallprobe.db{STAGED}").exists()


def test_a_kill_in_the_middle_of_the_swap_is_made_good_at_the_next_start(tmp_path):
    path, copy = tmp_path / "wallprobe.db", tmp_path / "copy.db"
    with open_store(path) as store:
        fill(store, 0, 5)
        back_up(path, copy)
        restore(copy, path)
    path.rename(tmp_path / f"wallprobe.db{BEFORE}")
    with open_store(path):
        pass
    assert total(path) == 5


def test_a_damaged_copy_is_found_and_never_put_back(tmp_path):
    path, copy = tmp_path / "wallprobe.db", tmp_path / "copy.db"
    with open_store(path) as store:
        fill(store, 0, 60)
    back_up(path, copy)
    data = bytearray(copy.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    copy.write_bytes(data)
    assert check_file(copy)
    with pytest.raises(UserError, match="damaged"):
        restore(copy, path)
    assert total(path) == 60


def test_a_file_that_is_not_ours_is_not_touched(tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE a (b)")
    for act in (check_file, compact, lambda path: back_up(path, tmp_path / "x"), lambda path: restore(path, other)):
        with pytest.raises(UserError):
            act(other)
        with pytest.raises(UserError):
            act(tmp_path / "nothing.db")
    with pytest.raises(UserError):
        back_up(other, tmp_path)


def test_a_disk_that_is_full_leaves_no_part_of_a_copy(tmp_path):
    path = tmp_path / "wallprobe.db"
    with open_store(path) as store:
        fill(store, 0, 5)
    with pytest.raises(UserError):
        back_up(path, tmp_path / "nowhere" / "copy.db")


def test_compacting_is_refused_while_an_agent_writes(tmp_path):
    path = tmp_path / "wallprobe.db"
    with open_store(path) as store:
        fill(store, 0, 30)
        with pytest.raises(StoreLockedError):
            compact(path)
    before, after = compact(path)
    assert after <= before
    assert total(path) == 30
