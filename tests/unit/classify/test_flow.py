"""How fast pages come, where they stop, and what is tried about it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.classify.facts.volumes import is_slow, is_stalled, much_slower, rate_of, share_early, stall_at, variation
from probe.classify.judge import judge
from probe.classify.plans.plan import plan
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step, Traffic
from probe.model.observation import Ending
from probe.model.verdict import Confidence
from tests.golden.flows import ECHO, FAST, SLOW, SPOT, alone, at_rate, echoed, frozen, paired, run
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


ECHOES = tuple(Endpoint(address=ECHO, port=20000 + n) for n in range(5))


def flows(story, **fields):
    planned = plan(story.case(deep=True, **fields))
    return planned, [e for e in planned.now if e.design is Design.FLOW]


def picky(runs=3, line=3):
    """Tell of a slow page whose server resets hellos with other names, and of neutral sites' pages."""
    story = at_rate(Story().dns(OWN).tcp().tls(), SLOW)
    for number in range(1, runs + 1):
        at_rate(story, SLOW, experiment=run(story, NameKind.TEST, number))
        if number == 1:
            refused = story.experiment(Design.VOLUME, Step.FETCH, NameKind.NEUTRAL, 1, endpoint=SPOT)
            story.tcp(experiment=refused).tls("reset", experiment=refused)
    for number in range(1, line + 1):
        at_rate(story, FAST, 100_000, run(story, NameKind.NEUTRAL, number, Step.NEUTRAL_PAGE))
    return story


def test_a_server_that_serves_no_other_name_is_not_asked_for_one_again():
    story = picky(runs=1, line=0)
    (test,) = [e for e in plan(story.case(deep=True)).now if e.design is Design.VOLUME]
    assert (test.name_kind, test.cell) == (NameKind.TEST, 2)


def test_echo_ports_are_wanted_where_the_page_stays_slow_and_its_server_tells_nothing():
    assert flows(picky())[0].wants_echoes == (Traffic.CONNECT,)
    assert flows(picky(runs=2))[0].wants_echoes == ()
    assert flows(paired(SLOW, FAST))[0].wants_echoes == (), "the same server tells"
    assert flows(picky(), echoes=ECHOES)[0].wants_echoes == ()


def test_flows_go_one_by_one_the_neutral_name_first_on_each_port():
    story = picky()
    for number in range(5):
        for kind, rate in ((NameKind.NEUTRAL, FAST), (NameKind.TEST, SLOW)):
            (wanted,) = flows(story, echoes=ECHOES)[1]
            assert (wanted.name_kind, wanted.endpoint) == (kind, ECHOES[number])
            assert wanted.name == (NEUTRAL if kind is NameKind.NEUTRAL else story.target.host)
            assert wanted.path == "/flow/131072/1000000"
            story.experiments.append(wanted)
            there = {"address": ECHO, "port": 20000 + number}
            story.tcp(experiment=wanted, **there).tls(experiment=wanted, **there)
            assert flows(story, echoes=ECHOES)[1] == []
            at_rate(story, rate, 131_072, wanted, **there)
    assert flows(story, echoes=ECHOES)[1] == []


def test_two_flows_as_fast_under_the_name_are_enough():
    assert flows(echoed(picky(), FAST, ports=1), echoes=ECHOES)[1]
    assert flows(echoed(picky(), FAST, ports=2), echoes=ECHOES)[1] == []


def test_a_rate_that_is_not_held_counts_for_less():
    held = judge(echoed(alone(), SLOW).case())
    loose = alone()
    for number, rate in enumerate((4_000.0, 17_000.0, 60_000.0, 90_000.0, 8_000.0)):
        echoed(loose, rate, ports=1)
        for experiment in loose.experiments[-2:]:
            where = Endpoint(address=ECHO, port=20000 + number)
            moved = msgspec.structs.replace(experiment, id=f"{experiment.id}.{number}", endpoint=where)
            loose.experiments[loose.experiments.index(experiment)] = moved
            loose.observations = [
                msgspec.structs.replace(o, endpoint=where, experiment=moved.id) if o.experiment == experiment.id else o
                for o in loose.observations
            ]
    said = judge(loose.case())
    assert (held.rule_id, held.confidence) == ("flow.throttle.anywhere", Confidence.C2)
    assert (said.rule_id, said.confidence) == ("flow.throttle.anywhere", Confidence.C1)


def test_figures_say_how_fast_and_where_it_stopped():
    assert "17 kB/s, and 900 kB/s" in judge(echoed(alone(), SLOW).case()).evidence[0].reason
    assert "20 KB 11x" in judge(echoed(frozen(), SLOW, stops_at=19_500).case()).evidence[0].reason


@given(st.integers(0, 500) | st.none(), st.integers(0, 500) | st.none())
def test_a_share_of_segments_is_one_at_most(segments, early):
    share = share_early(msgspec.structs.replace(page(SLOW), segments=segments, early_segments=early))
    assert share is None or 0.0 <= share <= 1.0
    assert (share is None) == (not segments or early is None)
