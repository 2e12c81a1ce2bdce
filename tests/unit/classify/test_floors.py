"""TTL floors: what shows that somebody else ends a connection, what does not, and when it is asked."""

import msgspec
import pytest

from probe.classify.judge import judge
from probe.classify.plans.floor import plan_floor
from probe.model.experiment import Design, Step
from probe.model.path_trace import HopAnswer
from probe.model.target import Exposure
from probe.model.verdict import Confidence, Status
from probe.pipeline.later import second_round
from tests.golden.floors import ABOVE, ANSWERED, BELOW, OPENED, QUIET, SERVERS, SILENT, by_name, over_floors
from tests.unit.classify.cases import NEUTRAL, OWN, Story

RESET, FIN = HopAnswer.RESET, HopAnswer.FIN
HIGHER = ((ABOVE, RESET), (ABOVE, RESET))
LOWER = ((ABOVE, SILENT), (BELOW, SILENT), (0, RESET), (BELOW, SILENT))
PASSED = ((ABOVE, SILENT), *[(BELOW, ANSWERED)] * 4)


def settled(story: Story) -> bool:
    return judge(story.case()).confidence is Confidence.C3


def test_a_reset_from_nearer_or_from_further_away_than_the_server_settles_what_the_name_isolates():
    assert settled(over_floors(by_name("reset"), HIGHER))
    assert settled(over_floors(by_name("reset"), LOWER, PASSED))
    survived = ((ABOVE, SILENT), (BELOW, ANSWERED), (0, RESET), (BELOW, ANSWERED))
    assert settled(over_floors(by_name("reset"), survived, PASSED)), "the reset is lost, and the server answers"


@pytest.mark.parametrize(
    ("tests", "neutral", "opened"),
    [
        (HIGHER[:1], QUIET, OPENED),  # once
        (((ABOVE, RESET), (ABOVE, SILENT)), QUIET, OPENED),  # not each time
        (((ABOVE, FIN), (ABOVE, FIN)), QUIET, OPENED),  # in another way than without a floor
        (HIGHER, ((ABOVE, ANSWERED), *QUIET[1:]), OPENED),  # the server's own come that high as well
        (HIGHER, QUIET[1:], OPENED),  # nobody looked whether they do
        (HIGHER, QUIET[:2], OPENED),  # a test without a neutral name just before it
        (HIGHER, (*QUIET[:2], (BELOW, SILENT)), OPENED),  # the place was hot
        (HIGHER, QUIET, (*OPENED, (40, SILENT))),  # a lost packet misled the search
        (HIGHER, QUIET, ((0, ANSWERED),)),  # the server's TTL is not known
        (LOWER[:2], PASSED, OPENED),  # nobody looked whether it still ends without a floor
        (((BELOW, SILENT), (0, ANSWERED), (BELOW, SILENT)), PASSED, OPENED),  # it passes by now
        (((BELOW, SILENT), (0, RESET), (BELOW, RESET)), PASSED, OPENED),
    ],
)
def test_whatever_is_not_whole_shows_nothing(tests, neutral, opened):
    assert not settled(over_floors(by_name("reset"), tests, neutral, opened))


def test_without_the_comparison_of_names_it_says_nothing():
    story = Story().dns(OWN).tcp().tls("reset")
    verdict = judge(over_floors(story, HIGHER).case())
    assert verdict.status in (Status.INSUFFICIENT, Status.IMPAIRED)
    assert SERVERS < ABOVE


@pytest.mark.parametrize("secure", [True, False])
def test_it_is_asked_late_and_not_again_in_the_late_run(secure):
    story = by_name("reset", secure=secure)
    case = story.case()
    (pending,) = second_round(case, judge(case))[-1:]
    (planned,) = pending.experiments
    assert pending.due_in_s == case.cool_down_s
    assert (planned.design, planned.step, planned.beside) == (Design.MIN_TTL, Step.MIN_TTL, NEUTRAL)
    assert (planned.name, planned.secure, planned.place.value) == (case.target.host, secure, "own")
    late = story.case(cold_start=True)
    assert plan_floor(late) == ()


def test_silence_has_no_ttl_and_a_private_endpoint_is_left_alone():
    assert plan_floor(by_name("silent").case()) == ()
    private = by_name("reset")
    private.target = msgspec.structs.replace(private.target, exposure=Exposure.PRIVATE)
    assert plan_floor(private.case()) == ()
