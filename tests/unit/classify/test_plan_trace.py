"""Traces are planned for places that failed twice, and for one address of a name that is shown to be the trigger."""

import msgspec

from probe.classify.plans.plan import plan
from probe.model.experiment import Design, NameKind, Step
from probe.model.target import Exposure
from probe.model.vantage import VantageState
from tests.unit.classify.cases import FIT, OTHER, OWN, Story


def silent() -> Story:
    return Story().dns(OWN).tcp("silent").once_more(Step.CONNECT, "silent")


def isolated() -> Story:
    story = Story().dns((OWN, OTHER)).tcp().tls("reset").tcp(address=OTHER).tls("reset", address=OTHER)
    for number in range(1, 4):
        story.pair(number, "reset", "ok").pair(number, "reset", "ok", address=OTHER)
    return story


def traces(case):
    return [e for e in plan(case).now if e.design is Design.TRACE]


def test_a_place_that_failed_twice_is_traced_beside_its_neighbour():
    test, neighbour = traces(silent().case())
    assert (test.name_kind, test.endpoint.address) == (NameKind.TEST, OWN)
    assert (neighbour.name_kind, neighbour.endpoint.address) == (NameKind.NEUTRAL, "45.90.1.0")
    assert test.ttls == neighbour.ttls


def test_one_failure_is_not_traced():
    assert traces(Story().dns(OWN).tcp("silent").case()) == []


def test_a_private_endpoint_is_not_traced():
    story = silent()
    story.target = msgspec.structs.replace(story.target, exposure=Exposure.PRIVATE)
    assert traces(story.case()) == []


def test_nothing_is_traced_from_a_vantage_that_is_cut_off_or_unknown():
    cut = msgspec.structs.replace(FIT, state=VantageState.FOREIGN_CUT)
    assert traces(silent().case(baseline=cut)) == []
    assert traces(silent().case(baseline=None)) == []


def test_a_name_is_traced_at_one_of_its_addresses_within_the_budget_of_ten():
    planned = traces(isolated().case())
    assert {e.endpoint.address for e in planned} == {OWN}
    assert sum(len(e.ttls) for e in planned) == 6
