"""Handshakes counted by all processes of a state folder."""

import hashlib

from probe.gate.shared import SharedHandshakes
from tests.fakes import FakeClock


def mark(text: str) -> str:
    return hashlib.blake2s(text.encode(), key=b"k", digest_size=16).hexdigest()


def make(folder, clock):
    return SharedHandshakes(folder, clock, mark)


def test_what_one_process_did_the_other_waits_for(tmp_path):
    clock = FakeClock()
    one, other = make(tmp_path / "h", clock), make(tmp_path / "h", clock)
    assert one.claim("trojan 192.0.2.1:443", 60.0) == 0.0
    clock.advance(20.0)
    assert round(other.claim("trojan 192.0.2.1:443", 60.0)) == 40
    assert other.claim("trojan 192.0.2.2:443", 60.0) == 0.0, "another endpoint"
    assert other.claim("trojan 192.0.2.1:443", 0.0) == 0.0, "a reference needs no distance"
    clock.advance(40.5)
    assert other.claim("trojan 192.0.2.1:443", 60.0) == 0.0
    assert one.claim("trojan 192.0.2.1:443", 60.0) > 59.0, "the time of the last one counts"
    assert not any("192" in path.name for path in (tmp_path / "h").iterdir())


def test_a_clock_that_was_set_back_makes_nobody_wait_for_longer_than_one_spacing(tmp_path):
    assert make(tmp_path, FakeClock(wall_s=1e9)).claim("a", 60.0) == 0.0
    assert make(tmp_path, FakeClock(wall_s=5e8)).claim("a", 60.0) == 60.0


def test_what_is_damaged_or_cannot_be_written_stops_nobody(tmp_path):
    clock = FakeClock()
    (tmp_path / mark("a")).write_bytes(b"\xff\x00 no time")
    assert make(tmp_path, clock).claim("a", 60.0) in (0.0, 60.0)
    (tmp_path / "file").touch()
    assert make(tmp_path / "file", clock).claim("a", 60.0) == 0.0
    make(tmp_path / "none", clock).forget_old()


def test_what_is_older_than_a_day_is_taken_away(tmp_path):
    clock = FakeClock(wall_s=4e9)
    make(tmp_path, clock).claim("a", 60.0)
    make(tmp_path, clock).forget_old()
    assert list(tmp_path.iterdir()) == []
