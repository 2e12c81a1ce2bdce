from pathlib import Path

import pytest

from probe.model.cell import LAYERS, SEVERITY, STATUSES, decode_cell, encode_cell
from probe.model.measurement import Measurement
from probe.model.pattern import Pattern
from probe.model.settings import StoreSettings
from probe.model.vantage import Vantage
from probe.model.verdict import Cause, Status, Verdict
from probe.net.clock import SystemClock
from probe.store.store import Store
from tests.unit.export.snapshots import make_target

HOUR = 472_222
START = HOUR * 3600.0


def run(number: int, at: float, status: Status = Status.OK, pattern: Pattern | None = None) -> Measurement:
    return Measurement(
        id=f"01JB{number:010}{round(at):012}",
        target=make_target(number),
        vantage=Vantage(),
        started_at=at,
        runtime_s=0.2,
        observations=(),
        verdict=Verdict(status=status, patterns=(pattern,) if pattern else (), cause=Cause.NONE),
    )


@pytest.mark.parametrize("status", SEVERITY)
@pytest.mark.parametrize("pattern", [None, *Pattern])
def test_a_cell_says_status_and_layer_and_fits_a_byte(status: Status, pattern: Pattern | None):
    code = encode_cell(status, pattern)
    assert 0 < code < 256
    assert decode_cell(code) == (status, pattern.layer if pattern else "")


def test_every_status_and_every_layer_has_its_code_and_worse_is_larger():
    assert set(STATUSES) - {None} == set(Status)
    assert set(LAYERS) - {""} == {pattern.layer for pattern in Pattern}
    assert len(LAYERS) <= 16
    assert encode_cell(Status.BLOCKED) > encode_cell(Status.LIKELY_BLOCKED, Pattern.INSTRUMENT_FAULT)
    assert encode_cell(Status.INSUFFICIENT, Pattern.INSTRUMENT_FAULT) < encode_cell(Status.OK)


def test_an_hour_has_the_worst_of_each_quarter(tmp_path: Path):
    with Store.open(StoreSettings(path=str(tmp_path / "w.db")), SystemClock()) as store:
        for minute in (1, 6, 16, 31):
            store.add(run(1, START + 60 * minute))
        store.add(run(1, START + 60 * 33, Status.IMPAIRED, Pattern.TLS_RESET))
        store.add(run(1, START + 60 * 35, Status.BLOCKED, Pattern.TLS_RESET_SNI))
        store.add(run(1, START + 60 * 37, Status.INSUFFICIENT))
        store.add(run(2, START + 3600))
        assert store.flush_now()
        numbers, found, after = store.load_numbers(), store.load_hour(HOUR), store.load_hour(HOUR + 1)
    one, two = (4 * numbers[make_target(number).id] for number in (1, 2))
    blocked = encode_cell(Status.BLOCKED, Pattern.TLS_RESET_SNI)
    ok = encode_cell(Status.OK)
    assert list(found.cells[one : one + 4]) == [ok, ok, blocked, 0]
    assert not any(found.cells[two : two + 4])
    assert list(after.cells[two : two + 4]) == [ok, 0, 0, 0]


def test_an_hour_in_which_nothing_ran_is_empty(tmp_path: Path):
    with Store.open(StoreSettings(path=str(tmp_path / "w.db")), SystemClock()) as store:
        assert store.load_hour(HOUR).cells.count(0) == len(store.load_hour(HOUR).cells)
        assert store.load_numbers() == {}
