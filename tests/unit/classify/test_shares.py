"""Names that fail now and then: what is counted, and what is tried."""

import msgspec
import pytest

from probe.classify.judge import judge
from probe.classify.plan import plan
from probe.classify.shares import Share
from probe.classify.tries import Outcome
from probe.model.experiment import Design, NameKind
from probe.model.target import Exposure
from probe.model.verdict import Cause, Status
from tests.golden.shares import sometimes
from tests.unit.classify.cases import FIT, OWN, Story

MIXED = Share(failed=3, good=8, controls=5, controls_failed=0, outcome=Outcome.SILENT)


def share(story, **fields):
    return [e for e in plan(story.case(**fields)).now if e.design in (Design.SHARE, Design.SNI)]


def test_three_of_eleven_are_no_chance_and_two_are():
    assert MIXED.is_shown
    assert not msgspec.structs.replace(MIXED, failed=2).is_shown


@pytest.mark.parametrize(
    "change", [{"controls": 4}, {"controls_failed": 1}, {"outcome": None}, {"good": 0}, {"loss_ratio": 0.2}]
)
def test_what_forbids_it(change):
    assert not msgspec.structs.replace(MIXED, **change).is_shown


def test_a_small_share_is_nobodys_and_a_large_one_the_names():
    assert not MIXED.is_the_names
    assert msgspec.structs.replace(MIXED, failed=9, good=2).is_the_names
    assert judge(sometimes("silent", 3, 8).case()).cause is Cause.UNKNOWN


def test_a_line_that_loses_packets_accuses_nobody():
    lossy = msgspec.structs.replace(FIT, loss_ratio=0.2)
    assert judge(sometimes("silent", 3, 8).case(baseline=lossy)).status is Status.OK


def test_a_neutral_name_that_fails_as_well_accuses_nobody():
    assert judge(sometimes("silent", 3, 8, neutral="silent").case()).status is Status.OK


def test_a_good_run_makes_no_more_handshakes_than_it_was_asked_for():
    good = Story().dns(OWN).tcp().tls().http()
    assert share(good) == []
    assert len(share(good, tries=3)) == 3
    assert len(share(good, tries=10)) == 5, "five at once"


def test_a_name_that_failed_and_came_through_is_tried_again_without_being_asked():
    assert {e.name_kind for e in share(sometimes("silent", 1, 2, controls=0))} == {NameKind.NEUTRAL}
    assert [e.cell for e in share(sometimes("silent", 1, 5))] == [6, 7, 8, 9, 10]
    assert share(sometimes("silent", 3, 8)) == [], "ten are the end"


def test_a_private_endpoint_is_left_alone():
    story = Story(exposure=Exposure.PRIVATE).dns(OWN).tcp().tls().http()
    assert share(story, tries=10) == []
