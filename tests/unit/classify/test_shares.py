"""Names that fail now and then: what is counted, and what is tried."""

import msgspec
import pytest

from probe.classify.facts.path_facts import build_table
from probe.classify.facts.shares import Share
from probe.classify.judge import judge
from probe.classify.plans.plan import plan
from probe.classify.plans.share import APART_S, is_share_moot, share_later
from probe.classify.tries import Outcome
from probe.model.experiment import Design, NameKind, Step
from probe.model.target import Exposure
from probe.model.verdict import Cause, Status
from tests.golden.shares import HERE, sometimes
from tests.unit.classify.cases import FIT, OWN, Story
from tests.unit.classify.cited import cite

OWN_V6 = "2a0d:5600:1::80"
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
    assert [e.name_kind for e in share(good, tries=2)] == [NameKind.TEST, NameKind.TEST, NameKind.NEUTRAL]
    assert len(share(good, tries=10)) == 6, "six at once"


def test_a_name_that_failed_and_came_through_is_tried_again_without_being_asked():
    assert [(e.design, e.cell) for e in share(sometimes("silent", 1, 2, controls=1))] == [
        *((Design.SHARE, cell) for cell in (3, 4, 5, 6)),
        *((Design.SNI, cell) for cell in (2, 3)),
    ]
    assert share(sometimes("silent", 3, 8)) == [], "ten are the end, and five neutral ones"


def test_a_few_at_a_time_and_a_while_apart():
    good = Story().dns(OWN).tcp().tls().http()
    assert {e.delay_s for e in share(good, tries=10)} == {0.0}
    assert {e.delay_s for e in share(sometimes("silent", 0, 5, controls=2), tries=10)} == {APART_S}


def test_neutral_names_catch_up_where_more_tests_were_made():
    asked = share(sometimes("silent", 1, 8, controls=3))
    assert [(e.design, e.cell) for e in asked] == [
        (Design.SHARE, 9),
        (Design.SHARE, 10),
        (Design.SNI, 4),
        (Design.SNI, 5),
    ]


def test_each_family_is_tried_for_itself():
    good = Story().dns(OWN).dns(OWN_V6, query_type="AAAA").tcp().tls().http().tcp(address=OWN_V6).tls(address=OWN_V6)
    asked = share(good, tries=1)
    assert [(e.endpoint.address, e.name_kind) for e in asked] == [
        (address, kind) for address in (OWN, OWN_V6) for kind in (NameKind.TEST, NameKind.NEUTRAL)
    ]
    v6_alone = sometimes("silent", 0, 3).tcp(address=OWN_V6).tls("silent", address=OWN_V6)
    assert not [e for e in share(v6_alone) if e.design is Design.SHARE], "neither family has failed and come through"


def test_what_strikes_one_family_is_not_said_of_the_other():
    story = sometimes("reset", 9, 2).dns(OWN_V6, query_type="AAAA").tcp(address=OWN_V6).tls(address=OWN_V6)
    said = judge(story.case(baseline=msgspec.structs.replace(FIT, families=(4, 6))))
    assert [evidence.path for evidence in said.evidence] == [f"{OWN}:443"]


def test_a_private_endpoint_is_left_alone():
    story = Story(exposure=Exposure.PRIVATE).dns(OWN).tcp().tls().http()
    assert share(story, tries=10) == []


def later(story, **fields):
    case = story.case(**fields)
    return share_later(case, build_table(case))


def go_on(came):
    """Return a late run: a handshake of the name and one of a neutral name by turns."""
    story = Story()
    for number, outcome in enumerate(came, 11):
        for design, kind, met in ((Design.SHARE, NameKind.TEST, outcome), (Design.SNI, NameKind.NEUTRAL, "ok")):
            planned = story.experiment(design, Step.HANDSHAKE, kind, number, endpoint=HERE)
            story.tcp(experiment=planned).tls(met, experiment=planned)
    return story


def test_what_ten_tries_leave_open_is_tried_ten_times_more_in_turn_with_neutral_names():
    (pending,) = later(sometimes("silent", 2, 9), round_apart_s=30.0)
    assert pending.due_in_s == 30.0
    assert [e.name_kind for e in pending.experiments] == [NameKind.TEST, NameKind.NEUTRAL] * 10
    assert [e.cell for e in pending.experiments[::2]] == list(range(11, 21))
    assert len({e.id for e in pending.experiments}) == 20


def test_a_single_failure_goes_on_only_where_tries_were_asked_for():
    assert later(sometimes("silent", 1, 10)) == ()
    assert later(sometimes("silent", 1, 10), tries=10) != ()


@pytest.mark.parametrize(
    ("story", "why"),
    [
        (sometimes("silent", 3, 8), "it is shown"),
        (sometimes("silent", 1, 30), "it is chance"),
        (sometimes("silent", 0, 11), "it never failed"),
        (sometimes("silent", 2, 5), "the first ten are not done"),
        (sometimes("silent", 2, 9, neutral="silent"), "neutral names fail as well"),
    ],
)
def test_what_is_decided_or_cannot_be_is_left_at_that(story, why):
    assert later(story, tries=10) == (), why


def test_a_line_that_loses_as_much_is_left_at_that():
    assert later(sometimes("silent", 2, 9), tries=10, baseline=msgspec.structs.replace(FIT, loss_ratio=0.3)) == ()


def test_a_later_round_counts_with_the_first_and_goes_on_while_that_is_open():
    first = cite(sometimes("silent", 2, 9))
    shown = go_on(["silent", "ok", "ok", "ok", "silent", *["ok"] * 5]).case(cites=(first,))
    verdict = judge(shown)
    assert (verdict.status, verdict.cause) == (Status.DEGRADED, Cause.UNKNOWN)
    assert share_later(shown, build_table(shown)) == ()
    still = go_on(["ok"] * 10).case(cites=(first,))
    (pending,) = share_later(still, build_table(still))
    assert {e.cell for e in pending.experiments} == set(range(21, 31))


def test_many_neutral_names_in_between_make_it_the_names():
    first = cite(sometimes("silent", 2, 9))
    half_of_them = go_on(["silent", "ok"] * 5 + ["silent", "ok", "ok", "silent", "silent"]).case(cites=(first,))
    verdict = judge(half_of_them)
    assert (verdict.status, verdict.cause) == (Status.DEGRADED, Cause.NETWORK)


@pytest.mark.parametrize(("neutral", "moot"), [("ok", False), ("silent", True), ("reset", True)])
def test_a_neutral_name_that_fails_in_a_late_round_ends_it(neutral, moot):
    story = go_on(["silent"])
    planned = story.experiment(Design.SNI, Step.HANDSHAKE, NameKind.NEUTRAL, 12, endpoint=HERE)
    story.tcp(experiment=planned).tls(neutral, experiment=planned)
    case = story.case(cites=(cite(sometimes("silent", 2, 9)),))
    following = story.experiment(Design.SHARE, Step.HANDSHAKE, NameKind.TEST, 13, endpoint=HERE)
    assert is_share_moot(following, build_table(case)) is moot


def test_late_controls_of_another_design_are_not_ended_by_one_that_fails():
    story = Story()
    planned = story.experiment(Design.SNI, Step.HANDSHAKE, NameKind.NEUTRAL, 11, endpoint=HERE)
    story.tcp(experiment=planned).tls("silent", experiment=planned)
    following = story.experiment(Design.SNI, Step.HANDSHAKE, NameKind.NEUTRAL, 12, endpoint=HERE)
    assert not is_share_moot(following, build_table(story.case(cites=(cite(sometimes("silent", 2, 9)),))))


def test_three_rounds_are_the_end():
    story = go_on(["ok"] * 20)
    case = story.case(cites=(cite(sometimes("silent", 2, 9)),), baseline=msgspec.structs.replace(FIT, loss_ratio=0.1))
    assert share_later(case, build_table(case)) == ()
