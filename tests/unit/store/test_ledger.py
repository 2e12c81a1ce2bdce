"""The gate's memory over a restart and over a reboot."""

import sqlite3
from pathlib import Path

import pytest

from probe.model.endpoint import Endpoint
from probe.model.ledger import HotEndpoint, LedgerState
from probe.model.settings import StoreSettings
from probe.store.ledger import decode_ledger, encode_ledger
from probe.store.store import Store
from tests.fakes import FakeClock

PLACE = Endpoint(address="198.51.100.7", port=443)


def make_state(clock: FakeClock, *remaining_s: float) -> LedgerState:
    hot = tuple(
        HotEndpoint(endpoint=PLACE, until_wall_s=clock.wall_s() + left, until_boot_s=clock.boot_s() + left)
        for left in remaining_s
    )
    return LedgerState(hot=hot, handshakes={"vpn-1": clock.wall_s() - 60}, counters={"tai64n": 1000})


def test_it_survives_a_restart(tmp_path: Path) -> None:
    settings, clock = StoreSettings(path=str(tmp_path / "w.db")), FakeClock()
    state = make_state(clock, 200.0)
    with Store.open(settings, clock) as store:
        assert store.ledger.load() == LedgerState()
        store.ledger.save(make_state(clock, 10.0))
        store.ledger.save(state)
        assert store.flush_now()
        assert store.ledger.load() == state
    with Store.open(settings, clock) as store:
        assert store.ledger.load() == state


def test_what_has_cooled_down_is_not_given_back() -> None:
    clock = FakeClock()
    data = encode_ledger(make_state(clock, 100.0, 200.0), "boot-a")
    clock.advance(150.0)
    assert [place.until_boot_s for place in decode_ledger(data, "boot-a", clock).hot] == [1200.0]


def test_within_one_boot_a_step_of_the_wall_clock_changes_nothing() -> None:
    clock = FakeClock()
    data = encode_ledger(make_state(clock, 200.0), "boot-a")
    clock.step_wall(-86400.0)
    assert len(decode_ledger(data, "boot-a", clock).hot) == 1
    clock.step_wall(10 * 86400.0)
    assert len(decode_ledger(data, "boot-a", clock).hot) == 1


@pytest.mark.parametrize("boot", ["boot-b", ""])
def test_after_a_reboot_the_wall_clock_tells_what_is_left(boot: str) -> None:
    before = FakeClock(boot_s=500_000.0)
    data = encode_ledger(make_state(before, 200.0), "boot-a" if boot else "")
    after = FakeClock(wall_s=before.wall_s() + 90, boot_s=30.0)
    (place,) = decode_ledger(data, boot, after).hot
    assert place.until_boot_s == pytest.approx(140.0)


def test_a_wrong_clock_after_a_reboot_keeps_nothing_hot_for_more_than_an_hour() -> None:
    before = FakeClock()
    data = encode_ledger(make_state(before, 200.0), "boot-a")
    (place,) = decode_ledger(data, "boot-b", FakeClock(wall_s=0.0, boot_s=30.0)).hot
    assert place.until_boot_s == 3630.0


def test_a_ledger_of_another_version_reads_as_an_empty_one(tmp_path: Path) -> None:
    settings, clock = StoreSettings(path=str(tmp_path / "w.db")), FakeClock()
    with Store.open(settings, clock) as store:
        store.ledger.save(LedgerState(counters={"a": 1}))
    with sqlite3.connect(tmp_path / "w.db") as connection:
        connection.execute("UPDATE slots SET data = x'93010203' WHERE name = 'ledger'")
    connection.close()
    with Store.open(settings, clock) as store:
        assert store.ledger.load() == LedgerState()


def test_a_sealed_ledger_tells_nobody_an_address_and_its_owner_all(tmp_path: Path) -> None:
    settings, clock, key = StoreSettings(path=str(tmp_path / "w.db")), FakeClock(), bytes(range(32))
    state = make_state(clock, 200.0)
    with Store.open(settings, clock, seal=key) as store:
        store.ledger.save(state)
        assert store.flush_now()
        assert store.ledger.load() == state
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"198.51.100.7" not in kept
    assert b"vpn-1" not in kept
    with Store.open(settings, clock, seal=key) as store:
        assert store.ledger.load() == state
    for other in (None, bytes(32)):
        with Store.open(settings, clock, seal=other) as store:
            assert store.ledger.load() == LedgerState(), "without the key it reads as an empty one"


def test_a_ledger_from_before_it_was_sealed_is_read(tmp_path: Path) -> None:
    settings, clock = StoreSettings(path=str(tmp_path / "w.db")), FakeClock()
    state = make_state(clock, 200.0)
    with Store.open(settings, clock) as store:
        store.ledger.save(state)
    with Store.open(settings, clock, seal=bytes(32)) as store:
        assert store.ledger.load() == state
