"""How many runs start at once."""

from probe.daemon.figures import HELD_BACK_S, STARTS_AT_ONCE, StartPace


def starts_within(pace: StartPace, seconds: float, wakes_apart_s: float) -> int:
    wakes = int(seconds / wakes_apart_s)
    return sum(pace.allow(100.0 + number * wakes_apart_s, lagging=True) for number in range(wakes))


def test_a_loop_in_time_starts_a_few_at_once():
    assert StartPace().allow(100.0, lagging=False) == STARTS_AT_ONCE


def test_a_loop_that_lags_keeps_its_pace_however_late_or_often_it_wakes():
    for wakes_apart_s in (0.001, HELD_BACK_S, 0.05, 0.15):
        assert 475 <= starts_within(StartPace(), 10.0, wakes_apart_s) <= 501


def test_a_list_that_asks_for_more_gets_twice_what_it_asks_for():
    pace = StartPace()
    pace.expect(200.0)
    assert 390 <= starts_within(pace, 1.0, 0.01) <= 402
    pace.expect(0.0)
    assert starts_within(pace, 1.0, 0.01) <= 51


def test_a_long_sleep_is_no_licence_for_a_burst():
    pace = StartPace()
    pace.allow(100.0, lagging=True)
    assert pace.allow(200.0, lagging=True) == STARTS_AT_ONCE
    assert pace.allow(200.001, lagging=True) == 0
