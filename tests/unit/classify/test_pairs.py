"""What counts toward n (CONTRACT section 2): T C T C, hot places, the late design, siblings pooled."""

import msgspec
import pytest

from probe.classify.facts.path_facts import PathFacts, build_table
from probe.classify.judge import judge
from probe.classify.tries import Layer
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from probe.model.verdict import Status
from tests.unit.classify.cases import OTHER, OWN, Story
from tests.unit.classify.cited import cite

HERE = Endpoint(address=OWN, port=443)


def count(story, siblings=(), **fields):
    case = story.case(**fields)
    facts = PathFacts(case, build_table(case), 0, str(HERE), frozenset(siblings))
    pairs = facts.pairs(Layer.TLS)
    return pairs.tests, pairs.controls


def begin(outcome="reset", **tcp):
    return Story().dns(OWN).tcp(**tcp).tls(outcome)


def one(story, kind, outcome, number, about="", address=OWN):
    where = Endpoint(address=address, port=443)
    planned = story.experiment(Design.SNI, Step.HANDSHAKE, kind, number, endpoint=where, about=about)
    return story.tcp(address=address, experiment=planned).tls(outcome, address=address, experiment=planned)


def test_the_first_failure_at_a_cold_place_counts():
    assert count(begin()) == (1, 0)


def test_the_first_failure_at_a_hot_place_does_not():
    assert count(begin(hot=True)) == (0, 0)


def test_a_failure_after_a_good_control_counts_at_a_hot_place_too():
    assert count(begin(hot=True).pair(1, "reset", "ok")) == (1, 1)


def test_each_further_failure_needs_a_good_control_of_its_own():
    assert count(begin().pair(1, "reset", "ok").pair(2, "reset", "reset").pair(3, "reset", "ok")) == (3, 2)


def test_a_control_that_was_still_in_flight_clears_nothing():
    story = begin()
    control = story.experiment(Design.SNI, Step.HANDSHAKE, NameKind.NEUTRAL, 1, endpoint=HERE)
    story.tcp(experiment=control).tls("ok", experiment=control)
    one(story, NameKind.TEST, "reset", 1)
    story.observations[4] = msgspec.structs.replace(story.observations[4], t_s=99.0)
    assert count(story) == (1, 1)


def test_failures_of_another_kind_do_not_count():
    assert count(begin("reset").pair(1, "fin", "ok").pair(2, "reset", "ok")) == (2, 2)


def test_siblings_that_break_alike_are_pooled():
    story = begin().tcp(address=OTHER).tls("reset", address=OTHER)
    story.pair(1, "reset", "ok").pair(1, "reset", "ok", address=OTHER)
    assert count(story, siblings=(f"{OTHER}:443",)) == (4, 2)
    assert count(story) == (2, 1)


def late(story, controls=("ok",) * 5, tests=5):
    for number, outcome in enumerate(controls, 11):
        one(story, NameKind.NEUTRAL, outcome, number)
    for number in range(11, 11 + tests):
        one(story, NameKind.TEST, "reset", number, about="late")
    return story


def test_five_late_tests_count_behind_five_good_controls():
    story = late(begin().pair(1, "reset", "reset").wait(200.0))
    assert count(story) == (6, 5)
    assert judge(story.case()).status is Status.LIKELY_BLOCKED


@pytest.mark.parametrize("controls", [("ok",) * 4 + ("reset",), ("reset",) * 5, ("ok",) * 4, ()])
def test_late_tests_do_not_count_behind_fewer(controls):
    story = late(begin().pair(1, "reset", "reset").wait(200.0), controls)
    assert count(story)[0] == 1
    assert judge(story.case()).status is Status.IMPAIRED


def test_good_controls_of_the_first_run_do_not_clear_the_late_tests():
    first = begin()
    for number in range(1, 5):
        first.pair(number, "reset", "ok")
    run = late(Story(), ("ok", "reset", "reset", "reset", "reset"))
    assert count(run, cites=(cite(first, age_s=220.0),), cold_start=True)[0] == 5


def test_a_neutral_name_that_fails_at_a_cold_place_clears_the_name():
    first = begin()
    for number in range(1, 5):
        first.pair(number, "reset", "ok")
    assert judge(first.pair(5, "", "ok").case()).status is Status.LIKELY_BLOCKED
    for controls in (("reset",), ("ok", "ok", "ok", "ok", "reset")):
        story = begin()
        for number in range(1, 5):
            story.pair(number, "reset", "ok")
        late(story.pair(5, "", "ok").wait(200.0), controls, tests=0)
        assert count(story) == (5, 0)
        assert judge(story.case()).status is Status.IMPAIRED


def test_an_alert_for_a_neutral_name_is_an_answer_where_the_name_is_reset():
    assert count(begin("reset").pair(1, "reset", "alert")) == (2, 1)


def test_a_small_answer_is_no_control_for_silence_unless_the_hello_itself_was_dropped():
    assert count(begin("silent").pair(1, "silent", "alert")) == (2, 0)
    dropped = begin("silent").pair(1, "silent", "alert")
    dropped.observations = [
        msgspec.structs.replace(seen, bytes_sent=517, bytes_acked=0) if hasattr(seen, "bytes_acked") else seen
        for seen in dropped.observations
    ]
    assert count(dropped) == (2, 1)


def test_evidence_cited_from_an_earlier_run_counts_with_the_times_it_had():
    first = begin()
    for number in range(1, 5):
        first.pair(number, "reset", "ok")
    first.pair(5, "", "ok")
    assert count(begin(), cites=(cite(first),)) == (6, 5)
