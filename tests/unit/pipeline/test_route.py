"""A site whose handshake breaks is tried over HTTP/3, twice, when the final verdict is due."""

import pytest

from probe.classify.judge import judge
from probe.classify.plans.route import plan_route
from probe.model.experiment import Design, Step
from probe.model.target import Exposure
from probe.pipeline.later import second_round
from tests.golden.paths import paired
from tests.unit.classify.cases import OWN, Story


def test_a_name_that_is_likely_blocked_is_tried_twice_over_http3_as_far_apart_as_rounds():
    case = paired("reset").case()
    pending, _who = second_round(case, judge(case))
    tries = [e for e in pending.experiments if e.design is Design.ROUTE]
    assert [e.step for e in tries] == [Step.FETCH_H3, Step.FETCH_H3]
    assert [e.delay_s for e in tries] == [0.0, case.round_apart_s]
    assert all(e.over_udp for e in tries)


@pytest.mark.parametrize(
    "story",
    [
        Story(secure=False, port=80, address="http://www.site.example").dns(OWN).tcp().http("reset"),
        Story(exposure=Exposure.PRIVATE).dns(OWN).tcp().tls("reset"),
        Story().dns(OWN).tcp("silent"),
        Story().dns(OWN).tcp().tls().http(),
    ],
    ids=["cleartext", "private", "unreachable", "well"],
)
def test_it_is_not_tried_where_it_would_tell_nothing_or_expose_somebody(story):
    assert plan_route(story.case()) == ()
