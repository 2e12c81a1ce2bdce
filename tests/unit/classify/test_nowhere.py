"""Questions to nobody: asked only where the user names a place, and read with care for who may stand at home."""

import pytest

from probe.classify.case import Case
from probe.classify.judge import judge
from probe.classify.plans.plan import plan
from probe.model.experiment import Design, NameKind
from probe.model.failure import FailureCode
from probe.model.verdict import Cause, Confidence, Status
from tests.golden.nowhere import AT_THE_DOOR, FORGED, LOST, NX, ask_nobody, behind_a_router, denying
from tests.unit.classify.cases import DOH, DOT, HOME, ISP, OWN, REAL, Story

NEIGHBOURS = ("one.example", "two.example", "three.example")


def planned(story: Story, **fields: object) -> list[tuple[NameKind, str]]:
    case = story.case(**({"neutral_names": NEIGHBOURS} | fields))
    return [(e.name_kind, e.name) for e in plan(case).now if e.design is Design.NOWHERE]


def test_nobody_is_asked_unless_the_user_names_a_place() -> None:
    assert planned(Story().dns(NX)) == []


def test_the_name_goes_there_twice_and_three_neutral_ones_once_an_answer_looks_false() -> None:
    kinds = planned(Story().dns(NX), nowhere=("45.90.9.9",))
    assert [kind for kind, _ in kinds] == [NameKind.TEST] * 2 + [NameKind.NEUTRAL] * 3
    assert [name for kind, name in kinds if kind is NameKind.NEUTRAL] == list(NEIGHBOURS)


def test_nobody_is_asked_of_a_name_that_works() -> None:
    assert planned(Story().dns(OWN).tcp().tls().http(), nowhere=("45.90.9.9",), deep=True) == []


def test_nobody_is_asked_of_a_failing_site_whose_answer_is_not_in_doubt() -> None:
    assert planned(Story().dns(OWN).tcp().tls("reset"), nowhere=("45.90.9.9",)) == []


def test_too_few_neutral_names_ask_nothing() -> None:
    assert planned(Story().dns(NX), nowhere=("45.90.9.9",), neutral_names=NEIGHBOURS[:2]) == []


def accuses(case: Case) -> bool:
    verdict = judge(case)
    return verdict.cause is Cause.NETWORK


@pytest.mark.parametrize("ttl", [None, 63])
def test_who_may_stand_at_home_is_not_accused(ttl: int | None) -> None:
    """A second router behind one's own, or a kernel that does not say how far a packet came."""
    assert not accuses(ask_nobody(behind_a_router(FORGED), FORGED, LOST, ttl).case())
    assert not accuses(ask_nobody(denying(HOME), NX, "45.90.3.3", ttl).case())


def test_a_resolver_at_home_that_answers_in_every_name_is_not_the_networks_doing() -> None:
    assert not accuses(ask_nobody(denying(HOME), NX, "45.90.3.3").case())


def test_a_forger_whose_answer_nobody_has_refuted_is_likely_only() -> None:
    story = Story().dns(FORGED, resolver=HOME).tcp("silent", address=FORGED).ask(REAL, DOH).ask(REAL, DOT)
    story.validate(REAL, "silent").again(FORGED, resolver=HOME).neutrals(resolver=HOME)
    verdict = judge(ask_nobody(story, FORGED, LOST).case())
    assert (verdict.status, verdict.confidence) == (Status.LIKELY_BLOCKED, Confidence.C2)


def test_an_honest_resolver_that_all_questions_go_to_may_know_another_node() -> None:
    """A CDN answers it otherwise than encrypted resolvers, and that node is down."""
    story = Story().dns(OWN).tcp("silent").ask(REAL, DOH).ask(REAL, DOT).validate(REAL, "silent").again(OWN).neutrals()
    assert not accuses(ask_nobody(story, OWN, "45.90.3.3").case())


def test_a_single_neutral_answer_tells_neither_injection_nor_interception() -> None:
    story = ask_nobody(behind_a_router(FORGED), FORGED, LOST, asked=2)
    assert "nowhere" not in judge(story.case()).rule_id
    one_lost = ask_nobody(Story(), FORGED, "45.90.3.3", asked=1).observations[-1:]
    assert one_lost
    mixed = ask_nobody(behind_a_router(FORGED), FORGED, LOST, asked=3)
    mixed.observations[-1] = type(mixed.observations[-1])(
        **{field: getattr(mixed.observations[-1], field) for field in ("transaction", "t0_s", "t_s", "experiment")},
        role=mixed.observations[-1].role,
        resolver=mixed.observations[-1].resolver,
        name=mixed.observations[-1].name,
        query_type="A",
        replies=one_lost[0].replies,
    )
    assert "nowhere" not in judge(mixed.case()).rule_id


def test_what_nobody_says_is_no_other_resolvers_word() -> None:
    """Rules that count resolvers asked in the clear do not count him."""
    without = judge(behind_a_router(FORGED).case())
    silent = judge(ask_nobody(behind_a_router(FORGED), LOST, LOST).case())
    assert (without.rule_id, without.status) == (silent.rule_id, silent.status)
    denied = judge(denying(ISP).case())
    doubled = judge(ask_nobody(denying(ISP), LOST, LOST, AT_THE_DOOR).case())
    assert (denied.rule_id, denied.confidence) == (doubled.rule_id, doubled.confidence)


def test_where_nothing_tells_how_far_an_answer_came_other_rules_keep_their_word() -> None:
    without = judge(denying(ISP).case())
    unknown = judge(ask_nobody(denying(ISP), NX, "45.90.3.3", None).case())
    assert (
        (unknown.rule_id, unknown.status)
        == (without.rule_id, without.status)
        == (
            "dns.nxdomain.encrypted_knows",
            Status.BLOCKED,
        )
    )


def test_interception_that_proves_no_lie_leaves_a_refusal_its_own_rule() -> None:
    refused = FailureCode.DNS_REFUSED

    def told() -> Story:
        story = Story().dns(refused).ask(REAL, DOH).ask(REAL, DOT).validate(REAL)
        return story.again(refused, times=4).neutrals(times=5)

    verdict = judge(ask_nobody(told(), refused, "45.90.3.3").case())
    assert (verdict.rule_id, verdict.status) == (judge(told().case()).rule_id, Status.LIKELY_BLOCKED)
