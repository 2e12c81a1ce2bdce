"""QUIC that keeps silent: low source ports, a control's echo ports, and what waits until the place is cold."""

import msgspec
import pytest

from probe.classify.judge import judge
from probe.classify.pairs import LATE
from probe.classify.plans.plan import Plan, plan
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, HelloShape, NameKind, Place, Step, Traffic
from probe.model.observation import Silence
from probe.model.pattern import Pattern
from probe.model.target import Exposure
from probe.model.verdict import Confidence, Status
from tests.golden.quic import CONTROL, OFFER, H3Story, failing, paired
from tests.unit.classify.cases import FIT, NAME, NEUTRAL, OTHER, OWN, Story
from tests.unit.classify.cited import cite

HERE = Endpoint(address=OWN, port=443)
BOTH = msgspec.structs.replace(FIT, families=(4, 6))
ECHOES = tuple(Endpoint(address=CONTROL, port=20000 + n) for n in range(5))


def stuck() -> H3Story:
    """Tell of a name that kept silent twice, and of a neutral one that did as well."""
    story = H3Story()
    story.dns(OWN)
    story.quic("silent").try_quic(NameKind.NEUTRAL, 1, "silent").try_quic(NameKind.NONE, 1, "silent")
    return story.try_quic(NameKind.TEST, 2, "silent")


def asked(planned: Plan, design: Design) -> list[tuple[NameKind, int]]:
    return [(e.name_kind, e.endpoint.port if e.endpoint else 0) for e in planned.now if e.design is design]


def late(control: str) -> H3Story:
    """Tell of what a later run, which cites the first, met after the cool-down."""
    story = H3Story()
    for number in range(11, 16):
        story.try_quic(NameKind.NEUTRAL, number, control)
    for number in range(11, 16):
        tried = story.experiment(Design.HTTP3, Step.QUIC, NameKind.TEST, number, endpoint=HERE, about=LATE)
        story.quic("silent", experiment=tried)
    return story


def test_each_silent_test_is_tried_again_from_a_low_source_port():
    story = failing()
    (low,) = (e for e in plan(story.case()).now if e.design is Design.SOURCE_PORT)
    assert (low.name, low.endpoint, low.low_port, low.step) == (NAME, HERE, True, Step.QUIC)
    assert not asked(plan(story.try_low(1, "silent").case()), Design.SOURCE_PORT)


def test_low_source_ports_and_usual_ones_take_turns_though_every_name_is_silent():
    story = stuck().try_low(1, "ok")
    assert asked(plan(story.case()), Design.SOURCE_PORT) == [(NameKind.TEST, 443)]
    now = plan(story.try_low(2, "ok").case()).now
    assert [e.cell for e in now if e.name_kind is NameKind.TEST and e.design is Design.HTTP3 and e.over_udp] == [3]


def test_after_each_silent_test_a_hello_in_two_datagrams_follows_as_long_as_it_goes_through():
    story = failing().try_low(1, "silent")
    (large,) = (e for e in plan(story.case()).now if e.design is Design.INITIAL)
    assert (large.name, large.endpoint, large.shape, large.step) == (NAME, HERE, HelloShape.BROWSER, Step.QUIC)
    assert asked(plan(story.try_large(1, "ok").case()), Design.INITIAL) == [(NameKind.TEST, 443)]
    assert not asked(plan(failing().try_low(1, "silent").try_large(1, "silent").case()), Design.INITIAL)


def test_a_hello_in_two_datagrams_waits_for_the_one_from_a_low_port():
    assert not asked(plan(failing().case()), Design.INITIAL)
    story = failing()
    story.experiment(Design.SOURCE_PORT, Step.QUIC, NameKind.TEST, 1, endpoint=HERE, low_port=True)
    assert not asked(plan(story.case()), Design.INITIAL)


def test_large_hellos_and_usual_ones_take_turns_though_every_name_is_silent():
    story = stuck().try_low(1, "silent").try_large(1, "ok").try_large(2, "ok")
    now = plan(story.case()).now
    assert [e.cell for e in now if e.name_kind is NameKind.TEST and e.design is Design.HTTP3 and e.over_udp] == [3]


def test_a_host_without_leave_for_low_ports_goes_on_without():
    story = paired("ok")
    story.experiments = story.experiments[:2]
    story.observations = story.observations[:4]
    wanted = plan(story.try_low(1, "instrument").case()).now
    assert not [e for e in wanted if e.low_port]
    assert [e.cell for e in wanted if e.name_kind is NameKind.NEUTRAL and e.step is Step.QUIC] == [2]


def test_a_refusal_is_repeated_and_compared_with_nothing():
    story = H3Story()
    story.dns(OWN)
    wanted = plan(story.quic("refused").case()).now
    assert [(e.step, e.name_kind) for e in wanted] == [(Step.FETCH, NameKind.TEST), (Step.QUIC, NameKind.TEST)]


def test_each_address_that_refuses_is_asked_again_for_each_is_judged_for_itself():
    story = H3Story()
    story.dns((OWN, OTHER))
    wanted = plan(story.quic("refused").quic("refused", address=OTHER).case()).now
    assert [e.endpoint.address for e in wanted if e.step is Step.QUIC and e.endpoint] == [OWN, OTHER]


def test_echo_ports_are_wanted_only_where_nothing_at_the_place_tells():
    assert plan(stuck().case()).wants_echoes == (Traffic.DATAGRAM,)
    assert plan(stuck().case(quic_echoes=ECHOES)).wants_echoes == ()
    assert plan(paired("ok").case()).wants_echoes == ()
    assert plan(failing().case()).wants_echoes == ()
    assert plan(stuck().case(cold_start=True)).wants_echoes == ()


def test_at_each_echo_port_a_neutral_name_goes_first_and_the_targets_where_that_was_answered():
    story = stuck()
    first = plan(story.case(quic_echoes=ECHOES))
    begun = asked(first, Design.CROSS)  # as many as may be open at once; the others follow
    assert begun == [(NameKind.NEUTRAL, 20000 + n) for n in range(len(begun))]
    assert len(begun) >= 2
    assert {e.name for e in first.now if e.design is Design.CROSS} == {NEUTRAL}
    for port, outcome in ((20000, "ok"), (20001, "silent")):
        there = {"endpoint": Endpoint(address=CONTROL, port=port), "place": Place.UNRELATED}
        neutral = next(e for e in first.now if e.endpoint == there["endpoint"])
        story.experiments.append(neutral)
        story.quic(outcome, address=CONTROL, experiment=neutral, port=port)
    then = [e for e in plan(story.case(quic_echoes=ECHOES)).now if e.design is Design.CROSS]
    assert [(e.name, e.endpoint) for e in then if e.name_kind is NameKind.TEST] == [(NAME, ECHOES[0])]


def test_what_waits_is_a_nameless_question_five_controls_and_then_five_tests():
    (pending,) = plan(stuck().case(cool_down_s=200.0)).later
    kinds = [e.name_kind for e in pending.experiments]
    assert pending.due_in_s == 200.0
    assert kinds == [NameKind.NONE, *[NameKind.NEUTRAL] * 5, *[NameKind.TEST] * 5]
    assert {e.about for e in pending.experiments if e.name_kind is NameKind.TEST} == {LATE}
    assert {e.over_udp for e in pending.experiments} == {True}


@pytest.mark.parametrize("test", ["silent", "ok"])
def test_nothing_waits_once_five_echo_ports_have_told(test):
    assert plan(stuck().cross(5, test=test).case(quic_echoes=ECHOES)).later == ()
    assert plan(stuck().cross(4, test=test).case(quic_echoes=ECHOES)).later


def test_nothing_waits_where_a_neutral_name_is_answered_at_once():
    assert plan(paired("ok").case()).later == ()


def test_a_private_endpoint_gets_none_of_this():
    story = stuck()
    story.target = story.target.__class__(
        **{f: getattr(story.target, f) for f in story.target.__struct_fields__} | {"exposure": Exposure.PRIVATE}
    )
    planned = plan(story.case(quic_echoes=ECHOES))
    assert not planned.later
    assert not asked(planned, Design.CROSS)


def test_five_late_controls_and_five_late_tests_isolate_the_name():
    verdict = judge(late("ok").case(cites=(cite(stuck(), age_s=210.0),), cold_start=True))
    assert (verdict.status, verdict.confidence) == (Status.LIKELY_BLOCKED, Confidence.C2)
    assert verdict.patterns[0] is Pattern.QUIC_TIMEOUT_SNI


def test_late_controls_that_keep_silent_too_clear_the_name():
    verdict = judge(late("silent").case(cites=(cite(stuck(), age_s=210.0),), cold_start=True))
    assert verdict.status is Status.INSUFFICIENT
    assert Pattern.QUIC_TIMEOUT_SNI not in verdict.patterns


def test_a_deep_run_of_a_web_page_waits_for_a_cold_place_too():
    story = Story().dns(OWN).tcp().tls().http(headers=OFFER)
    for kind, number, step in (
        (NameKind.TEST, 1, Step.FETCH_H3),
        (NameKind.NEUTRAL, 1, Step.QUIC),
        (NameKind.NONE, 1, Step.QUIC_PING),
        (NameKind.TEST, 2, Step.QUIC),
    ):
        tried = story.experiment(Design.HTTP3, step, kind, number, endpoint=HERE)
        H3Story.quic(story, "silent", experiment=tried, ping=kind is NameKind.NONE)  # type: ignore[arg-type]
    planned = plan(story.case(deep=True))
    assert planned.wants_echoes == (Traffic.DATAGRAM,)
    assert [len(pending.experiments) for pending in planned.later] == [11]


def test_a_silence_under_way_is_silence_enough_for_the_next_step():
    story = H3Story()
    story.dns(OWN)
    waiting = Silence(transaction=99, since_s=0.1, layer="quic", endpoint=HERE, name=NAME)
    wanted = plan(story.case(silences=(waiting,))).now
    assert {(e.design, e.name_kind) for e in wanted} >= {
        (Design.HTTP3, NameKind.NEUTRAL),
        (Design.HTTP3, NameKind.NONE),
        (Design.SOURCE_PORT, NameKind.TEST),
    }


def test_what_waits_is_asked_at_a_place_of_each_family():
    story = stuck()
    v6 = "2a0d:5600:7::80"
    story.dns(v6, query_type="AAAA").quic("silent", address=v6)
    for kind, number in ((NameKind.NEUTRAL, 1), (NameKind.TEST, 2)):
        there = Endpoint(address=v6, port=443)
        story.quic(
            "silent", address=v6, experiment=story.experiment(Design.HTTP3, Step.QUIC, kind, number, endpoint=there)
        )
    (pending,) = plan(story.case()).later
    places = [e.endpoint.address for e in pending.experiments if e.endpoint]
    assert (places.count(OWN), places.count(v6)) == (11, 11)
    tests = [e for e in pending.experiments if e.name_kind is NameKind.TEST]
    assert pending.experiments[-len(tests) :] == tuple(tests), "every control comes first"


def test_a_place_that_the_name_may_have_closed_is_not_called_dropped():
    """At a sibling the name alone is silent; here a question without a name, sent after it, is lost as well."""
    v6 = "2a0d:5600:7::80"
    there = Endpoint(address=v6, port=443)
    story = failing().offers().try_quic(NameKind.NONE, 1, "silent").anchors("ok", "9.9.1.1")
    rules = {e.rule_id for e in judge(story.case(baseline=BOTH)).evidence}
    assert "quic.endpoint.anchors_ok" in rules
    story.dns(v6, query_type="AAAA").quic("silent", address=v6)
    for number in range(1, 6):
        neutral = story.experiment(Design.HTTP3, Step.QUIC, NameKind.NEUTRAL, number, endpoint=there)
        story.quic("ok", address=v6, experiment=neutral)
        again = story.experiment(Design.HTTP3, Step.QUIC, NameKind.TEST, 10 + number, endpoint=there)
        story.quic("silent", address=v6, experiment=again)
    rules = {e.rule_id for e in judge(story.case(baseline=BOTH)).evidence}
    assert "quic.timeout.sni.neutral_ok" in rules
    assert "quic.endpoint.anchors_ok" not in rules
