"""Connections that come about only when they ask again: when they are looked into, and what is then said."""

import pytest

from probe.classify.clean import judge_clean
from probe.classify.facts.symptom import find_symptom
from probe.classify.judge import judge
from probe.classify.plans.plan import plan
from probe.classify.plans.resend import TRIES
from probe.model.experiment import Design, Experiment, NameKind, Place, Step
from probe.model.pattern import Pattern
from probe.model.target import CheckName, Exposure
from probe.model.verdict import Cause, Status
from tests.golden.resends import HERE, OTHER_PORT, knocks
from tests.unit.classify.cases import OTHER, OWN, Story


def knocking(story: Story) -> list[Experiment]:
    return [e for e in plan(story.case()).now if e.design is Design.CONNECT]


def answer(story: Story, planned: list[Experiment], *, lost: int, beside_lost: int = 0) -> None:
    for experiment in planned:
        story.experiments.append(experiment)
        own = experiment.place is Place.OWN
        gone, lost, beside_lost = (lost, lost - 1, beside_lost) if own else (beside_lost, lost, beside_lost - 1)
        assert experiment.endpoint is not None
        story.tcp(port=experiment.endpoint.port, experiment=experiment, resent=int(gone > 0))


def late_page() -> Story:
    return Story().dns(OWN).tcp(resent=1).tls().http()


def test_a_page_whose_connection_asked_once_is_looked_into_and_one_that_did_not_is_not():
    assert knocking(Story().dns(OWN).tcp().tls().http()) == []
    planned = knocking(late_page())
    assert [(e.endpoint, e.name_kind, e.place) for e in planned] == [
        (HERE, NameKind.NONE, Place.OWN),
        (OTHER_PORT, NameKind.NONE, Place.UNRELATED),
    ] * 3
    # By turns, and a while apart: what comes and goes is not met by tries that are made all at once.
    assert [e.delay_s for e in planned] == pytest.approx([0.0, 0.4, 0.8, 1.2, 1.6, 2.0])


def test_one_lost_packet_ends_the_matter_where_three_more_tries_are_answered_at_once():
    story = late_page()
    answer(story, knocking(story), lost=0)
    assert knocking(story) == []
    assert judge(story.case()).status is Status.OK


def test_where_more_is_lost_it_goes_on_until_it_is_shown():
    story = late_page()
    for _ in range(2):
        planned = knocking(story)
        assert planned
        answer(story, planned, lost=3)
    assert knocking(story) == []
    verdict = judge(story.case())
    assert (verdict.status, verdict.patterns, verdict.cause) == (
        Status.DEGRADED,
        (Pattern.IP_PORT_DROP,),
        Cause.UNKNOWN,
    )


def test_it_never_tries_a_place_more_than_ten_times():
    story = late_page()
    for _ in range(9):
        answer(story, knocking(story), lost=1)
    tries = [e for e in story.experiments if e.design is Design.CONNECT]
    assert sum(e.endpoint == HERE for e in tries) == sum(e.endpoint == OTHER_PORT for e in tries) == TRIES


def test_it_stops_where_the_other_port_loses_as_much():
    story = late_page()
    answer(story, knocking(story), lost=2, beside_lost=2)
    assert knocking(story) == []


@pytest.mark.parametrize(("lost", "tries", "beside"), [(4, 10, "ok"), (5, 5, "ok"), (8, 10, "silent")])
def test_too_few_losses_or_no_comparison_say_nothing(lost, tries, beside):
    assert judge(knocks(lost, tries, beside=beside).case()).status is Status.OK


def test_one_packet_that_the_other_port_loses_asks_for_more_losses_here():
    assert judge(knocks(9, 10, beside_lost=1).case()).status is Status.DEGRADED
    assert judge(knocks(6, 10, beside_lost=1).case()).status is Status.OK


def test_a_place_that_never_answers_is_not_one_that_answers_late():
    story = Story().dns(OWN).tcp("silent", resent=6)
    assert knocking(story) == []
    assert judge(knocks(8, 10).case()).rule_id == "ip.port_drop.sometimes_seen"


def test_a_name_that_is_stopped_there_has_follow_ups_of_its_own():
    assert knocking(Story().dns(OWN).tcp(resent=2).tls("reset")) == []


def test_a_port_alone_is_looked_into_and_a_private_endpoint_never():
    target = {"check": CheckName.TCP, "address": f"tcp://{OWN}:443"}
    assert knocking(Story(**target).dns(OWN).tcp(resent=1))
    assert knocking(Story(**target, exposure=Exposure.PRIVATE).dns(OWN).tcp(resent=1)) == []


def test_only_the_place_that_answers_late_is_tried():
    story = Story().dns((OWN, OTHER)).tcp(resent=1).tls().http().tcp(address=OTHER).tls(address=OTHER)
    assert {e.about for e in knocking(story)} == {str(HERE)}


def test_a_late_answer_is_a_symptom_that_the_next_run_may_cite_and_no_clean_run():
    late, prompt = late_page(), Story().dns(OWN).tcp().tls().http()
    assert find_symptom(tuple(late.observations)) == ((0, "tcpconnect", "sent_again"),)
    assert find_symptom(tuple(prompt.observations)) == ()
    assert judge_clean(late.case()) is None
    assert judge(late.case()).status is Status.OK


def test_a_control_that_found_no_room_is_made_up_for_before_more_is_tried():
    story = late_page()
    first = knocking(story)
    answer(story, [e for e in first if e.place is Place.OWN], lost=2)
    assert [(e.endpoint, e.cell, e.delay_s) for e in knocking(story)] == [
        (OTHER_PORT, 1, 0.25),
        (OTHER_PORT, 2, 0.75),
        (OTHER_PORT, 3, 1.25),
    ]
    answer(story, knocking(story), lost=0)
    assert {e.cell for e in knocking(story)} == {4, 5, 6}


def test_what_other_designs_lost_here_keeps_it_going():
    story = late_page()
    for number in range(1, 5):
        planned = story.experiment(Design.SHARE, Step.HANDSHAKE, NameKind.TEST, number, endpoint=HERE)
        story.tcp(experiment=planned, resent=1).tls(experiment=planned)
    answer(story, knocking(story), lost=0)
    assert knocking(story), "five were lost, and the next three came in a gap"
