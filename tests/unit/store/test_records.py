"""Bytes in and out: packing, frames, folded phases, what is held."""

import contextlib
import random
import sqlite3
import tracemalloc

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from probe.model.measurement import Measurement
from probe.model.observation import HTTPExchange
from probe.model.snapshot import Phase
from probe.store.frames import Frames
from probe.store.held import Held, unseal
from probe.store.pack import Packed, decode_record, is_whole, pack, unpack
from probe.store.schema import TABLES
from probe.store.segments import decode_phases, encode_phases, merge_phases
from tests.unit.store.samples import START, make_blocked, make_ok


@pytest.fixture
def connection() -> sqlite3.Connection:
    made = sqlite3.connect(":memory:", isolation_level=None)
    made.executescript(TABLES)
    return made


def restore(packed: Packed) -> Measurement:
    return unpack(packed.record, dict(packed.bodies), packed.certificates.__getitem__)


def test_what_is_packed_comes_back_equal() -> None:
    bad = make_blocked(1, START)
    for measurement in (make_ok(1), bad, make_blocked(1, START + 300, cites=(bad, make_ok(1)))):
        assert restore(pack(measurement)) == measurement


def test_packing_changes_nothing_in_the_measurement() -> None:
    measurement = make_ok(1)
    before = msgspec.msgpack.encode(measurement)
    pack(measurement)
    assert msgspec.msgpack.encode(measurement) == before


def test_certificates_and_pages_are_taken_out() -> None:
    measurement = make_ok(1)
    packed = pack(measurement)
    assert len(packed.certificates) == 3
    assert [len(body) for _, body in packed.bodies] == [len(measurement.observations[3].body)]
    assert len(packed.record) < 5000


def test_a_short_page_stays_in_the_record() -> None:
    measurement = make_ok(1, body=b"blocked by order")
    assert pack(measurement).bodies == ()
    assert restore(pack(measurement)) == measurement


def test_a_missing_page_reads_as_an_empty_one_with_a_hash() -> None:
    measurement = make_ok(1)
    found = decode_record(pack(measurement).record)
    page = next(o for o in found.observations if isinstance(o, HTTPExchange))
    assert (page.body, page.body_sha256) == (b"", measurement.observations[3].body_sha256)
    assert is_whole(measurement)
    assert not is_whole(found)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_record_or_a_decode_error(data: bytes) -> None:
    with contextlib.suppress(msgspec.DecodeError):
        assert isinstance(unpack(data, {}, lambda _: b""), Measurement)


def test_a_record_cut_anywhere_is_a_decode_error() -> None:
    record = pack(make_ok(1)).record
    for length in range(0, len(record), 7):
        with pytest.raises(msgspec.DecodeError):
            decode_record(record[:length])


def test_a_repeated_failure_takes_a_fraction_of_its_size(connection: sqlite3.Connection) -> None:
    frames, bad = Frames(connection), make_blocked(1, START)
    sizes = []
    for step in range(1, 20):
        record = pack(make_blocked(1, START + step * 300, cites=(bad,))).record
        number, data = frames.compress(1, "likely_blocked", record, 0)
        assert frames.decompress(number, data) == record
        sizes.append(len(data) / len(record))
    assert max(sizes) < 0.02
    assert connection.execute("SELECT count(*) FROM frames").fetchone() == (1,)


def test_a_record_that_does_not_fit_its_frame_starts_another(connection: sqlite3.Connection) -> None:
    frames = Frames(connection)
    old, new = pack(make_ok(1)).record, random.Random(1).randbytes(3000)
    first, _ = frames.compress(1, "ok", old, 0)
    second, data = frames.compress(1, "ok", new, 0)
    assert first != second
    assert frames.decompress(second, data) == new
    assert frames.compress(1, "ok", new, 0)[0] == second


def test_a_frame_that_wears_out_is_replaced(connection: sqlite3.Connection) -> None:
    frames = Frames(connection)
    lines = [b"%d a line of a page that changes a little every day\n" % n * 3 for n in range(400)]
    used = []
    for day in range(300):
        lines[day] = bytes((day * 37 + i * i * 11) % 256 for i in range(150))
        number, data = frames.compress(1, "body", b"".join(lines), 0)
        used.append(number)
        assert frames.decompress(number, data) == b"".join(lines)
    assert 3 <= len(set(used)) <= 30
    assert used == sorted(used)


def test_frames_are_found_again_by_another_connection_and_after_forgetting(connection: sqlite3.Connection) -> None:
    record = pack(make_ok(1)).record
    writer = Frames(connection)
    number, data = writer.compress(1, "ok", record, 0)
    writer.forget()
    assert writer.compress(1, "ok", record, 0)[0] == number
    reader = Frames(connection, cache_bytes=1)
    for _ in range(2):
        assert reader.decompress(number, data) == record
    with pytest.raises(KeyError):
        reader.decompress(number + 1, data)
    with pytest.raises(zstandard.ZstdError):
        reader.decompress(number, b"torn" + data[4:])


@given(st.binary(max_size=60))
def test_any_bytes_are_phases_or_a_decode_error(data: bytes) -> None:
    with contextlib.suppress(msgspec.DecodeError):
        assert isinstance(decode_phases(data), tuple)


@given(st.lists(st.floats(0, 600), min_size=1, max_size=20))
def test_folding_keeps_count_least_mean_and_most(durations: list[float]) -> None:
    data = encode_phases(())
    for duration_s in durations:
        data = merge_phases(data, (Phase(name="connect", family=4, duration_s=duration_s),))
    (spread,) = decode_phases(data)
    assert (spread.name, spread.family, spread.runs) == ("connect", 4, len(durations))
    assert spread.durations.min_s == pytest.approx(min(durations), abs=1e-5)
    assert spread.durations.mean_s == pytest.approx(sum(durations) / len(durations), abs=1e-5)
    assert spread.durations.max_s == pytest.approx(max(durations), abs=1e-5)


def test_phases_of_both_families_are_kept_apart_and_unknown_ones_left_out() -> None:
    phases = (
        Phase(name="tls", family=4, duration_s=0.01),
        Phase(name="tls", family=6, duration_s=0.02),
        Phase(name="queued", family=0, duration_s=0.5),
        Phase(name="of a later version", family=4, duration_s=1.0),
        Phase(name="echo", family=4, duration_s=-1.0),
    )
    found = {(spread.name, spread.family): spread.durations.min_s for spread in decode_phases(encode_phases(phases))}
    assert found == {("tls", 4): 0.01, ("tls", 6): 0.02, ("queued", 0): 0.5, ("echo", 4): 0.0}


def test_the_newest_are_held_whole_and_the_others_without_their_page() -> None:
    certificates: dict[bytes, bytes] = {}
    held = Held(certificates.update, limit_bytes=200_000)
    runs = [make_ok(number, START) for number in range(10)]
    for number, measurement in enumerate(runs):
        held.put(number, measurement)
    assert restore(held.get(9)) == runs[9]
    old = held.get(0)
    assert old.bodies == ()
    assert decode_record(old.record) == decode_record(pack(runs[0]).record)
    assert set(pack(runs[0]).certificates) <= set(certificates)
    assert held.get(99) is None


def test_what_is_held_is_replaced_and_dropped() -> None:
    held = Held({}.update, limit_bytes=100_000)
    for number in range(5):
        held.put(number, make_ok(number, START))
    newer = make_ok(0, START + 300)
    held.put(0, newer)
    assert restore(held.get(0)) == newer
    held.drop(0)
    held.drop(0)
    assert held.get(0) is None


def test_a_dump_can_be_read_in_another_process() -> None:
    held = Held({}.update, limit_bytes=150_000)
    runs = [make_ok(number, START) for number in range(6)]
    for number, measurement in enumerate(runs):
        held.put(number, measurement)
    dump = dict(held.dump())
    assert sorted(dump) == list(range(6))
    for number, data in dump.items():
        assert unseal(held.prefix, data).record == pack(runs[number]).record


def test_what_cannot_be_encoded_is_not_held() -> None:
    held = Held({}.update, limit_bytes=1)
    sick = msgspec.structs.replace(make_ok(1), continues="\udcff")
    held.put(1, sick)
    assert held.get(1) is None
    held.put(2, sick)
    assert list(held.dump()) == []


def test_what_is_held_compressed_takes_the_room_of_its_bytes() -> None:
    """zstandard returns bytes in a room for the worst case: six times as large as what a run compresses to."""
    held = Held({}.update, limit_bytes=1)
    held.put(0, make_ok(0, START))
    held.put(1, make_ok(1, START))
    runs = [make_ok(number, START) for number in range(2, 102)]
    tracemalloc.start()
    try:
        for number, run in enumerate(runs, 2):
            held.put(number, run)
        taken = sum(
            one.size for one in tracemalloc.take_snapshot().statistics("lineno") if "held.py" in str(one.traceback)
        )
    finally:
        tracemalloc.stop()
    needed = sum(len(data) for _, data in held.dump())
    assert taken < 1.5 * needed + 50 * len(runs)
