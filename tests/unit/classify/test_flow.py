"""How fast pages come, where they stop, and what is tried about it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.classify.plan import plan
from probe.classify.volumes import is_slow, is_stalled, much_slower, rate_of, stall_at, variation
from probe.model.experiment import Design, NameKind, Step
from probe.model.observation import Ending
from tests.golden.flows import FAST, SLOW, at_rate, frozen, paired, run
from tests.unit.classify.cases import NEUTRAL, OWN, Story


def pages(story):
    return [o for o in story.observations if hasattr(o, "timeline")]


def page(rate, size=51_000):
    return pages(at_rate(Story(), rate, size))[0]


def volume(story, **fields):
    return [e for e in plan(story.case(**fields)).now if e.design is Design.VOLUME]


@given(rate=st.floats(1_000, 5e6), size=st.integers(20_000, 500_000))
def test_a_steady_page_has_its_rate_whatever_its_size(rate, size):
    assert rate_of(page(rate, size)) == pytest.approx(rate, rel=0.1)


def test_without_a_body_there_is_no_rate():
    assert rate_of(msgspec.structs.replace(page(SLOW), body_bytes=0)) == 0.0
    assert rate_of(msgspec.structs.replace(page(SLOW), first_byte_s=None)) == 0.0


def test_slow_is_what_takes_long_for_what_it_brings():
    assert is_slow(page(SLOW))
    assert not is_slow(page(FAST))
    assert not is_slow(page(SLOW, 8_000)), "a small page is over before a rate shows"
    assert not is_slow(page(60_000, 32_000)), "half a second from far away"
    assert not is_slow(msgspec.structs.replace(page(SLOW), ending=Ending.RESET)), "cut off, not slow"


@given(st.lists(st.floats(1, 1e7), min_size=1, max_size=6), st.lists(st.floats(1, 1e7), min_size=1, max_size=6))
def test_much_slower_needs_every_test_below_every_comparison(tests, controls):
    if much_slower(tests, controls):
        assert max(tests) < min(controls)
    assert not (much_slower(tests, controls) and much_slower(controls, tests))


def test_nothing_is_slower_than_nothing():
    assert not much_slower([], [1.0])
    assert not much_slower([1.0], [])


def test_stalls_are_alike_within_a_quarter_and_three_at_least():
    assert stall_at(pages(frozen())) == 19_500
    assert stall_at(pages(frozen("", 16_000, 20_000, 23_000))) > 0
    assert stall_at(pages(frozen("", 19_500))) == 0, "two are too few"
    assert stall_at(pages(frozen("", 60_000, 3_000, 150_000))) == 0
    assert stall_at([*pages(frozen()), page(FAST)]) == 0, "one that came whole excludes a limit"


def test_an_end_is_no_stall():
    stalled = pages(frozen())[0]
    assert is_stalled(stalled)
    assert not any(is_stalled(msgspec.structs.replace(stalled, ending=e)) for e in (Ending.FIN, Ending.RESET, None))


def test_a_policed_rate_varies_little():
    assert variation([17.0, 17.2, 16.9]) < 0.15 < variation([5.0, 17.0, 60.0])
    assert variation([]) == 0.0


def test_a_slow_page_is_compared_on_a_deep_run_only_and_one_run_after_the_other():
    story = at_rate(Story().dns(OWN).tcp().tls(), SLOW)
    assert volume(story) == []
    (test,) = volume(story, deep=True) or [None]
    assert (test.name_kind, test.step, test.within_s) == (NameKind.TEST, Step.FETCH, 3.0)
    story.experiments.append(test)
    assert volume(story, deep=True) == [], "the line is not shared"


def test_after_a_test_comes_the_same_page_under_another_name():
    story = at_rate(Story().dns(OWN).tcp().tls(), SLOW)
    at_rate(story, SLOW, experiment=run(story, NameKind.TEST, 1))
    (twin,) = volume(story, deep=True)
    assert (twin.name, twin.host, twin.path) == (NEUTRAL, story.target.host, "/")


def test_ten_runs_are_the_end_of_the_design():
    assert volume(paired(SLOW, FAST), deep=True) == []


def test_where_the_name_makes_no_difference_neutral_pages_show_the_line():
    story = paired(SLOW, SLOW, times=3)
    (line,) = volume(story, deep=True)
    assert (line.step, line.name) == (Step.NEUTRAL_PAGE, NEUTRAL)


def test_a_page_that_stops_is_tried_again_on_any_run():
    story = Story().dns(OWN).tcp().tls().http("stalled", body_bytes=19_500)
    assert [e.name_kind for e in volume(story)] == [NameKind.TEST]
