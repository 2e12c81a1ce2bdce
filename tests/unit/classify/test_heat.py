"""What fails at a place that another target made hot is no data, until a neutral name passes there."""

import pytest

from probe.classify.heat import HOT_RULE, was_heated
from probe.classify.judge import judge
from probe.classify.plans.plan import plan
from probe.model.experiment import Design, NameKind, Step
from probe.model.measurement import Citation
from probe.model.verdict import Status
from tests.unit.classify.cases import OTHER, OWN, Story


def story(outcome: str = "reset", *, hot: bool = True) -> Story:
    return Story().dns(OWN).tcp(hot=hot).tls(outcome)


def add(told: Story, kind: NameKind, outcome: str, number: int) -> Story:
    fields = {"endpoint": told.observations[1].endpoint}  # type: ignore[union-attr]
    experiment = told.experiment(Design.SNI, Step.HANDSHAKE, kind, number, **fields)
    return told.tcp(experiment=experiment).tls(outcome, experiment=experiment)


@pytest.mark.parametrize("outcome", ["reset", "fin", "silent"])
def test_a_failure_at_a_hot_place_alone_is_not_judged(outcome: str) -> None:
    verdict = judge(story(outcome).case())
    assert (verdict.status, verdict.patterns) == (Status.INSUFFICIENT, ())
    assert was_heated(verdict)
    assert not was_heated(judge(story(outcome, hot=False).case()))


def test_a_success_at_a_hot_place_counts() -> None:
    assert judge(Story().dns(OWN).tcp(hot=True).tls().http().case()).status is Status.OK


def test_a_neutral_name_that_fails_too_leaves_it_open() -> None:
    assert was_heated(judge(add(story(), NameKind.NEUTRAL, "reset", 1).case()))


def test_five_tests_after_passed_controls_are_asked_for_and_suffice() -> None:
    told = story()
    for _ in range(20):
        wanted = [e for e in plan(told.case()).now if e.design is Design.SNI]
        if not wanted:
            break
        for experiment in wanted:
            told.experiments.append(experiment)
            outcome = "alert" if experiment.name_kind is NameKind.NEUTRAL else "reset"
            told.tcp(experiment=experiment).tls(outcome, experiment=experiment)
    sni = [e for e in told.experiments if e.design is Design.SNI]
    assert len(sni) == 10
    verdict = judge(told.case())
    assert (verdict.status, verdict.patterns) == (Status.LIKELY_BLOCKED, ("tls.reset.sni",))


def test_a_target_that_heated_the_place_itself_leans_on_its_first_run() -> None:
    first = story(hot=False).case()
    cite = Citation(measurement="FIRST", age_s=40.0, observations=first.observations)
    assert not was_heated(judge(story().case(cites=(cite,))))


def test_a_colder_address_is_judged_for_itself() -> None:
    told = (
        Story().dns((OWN, OTHER)).tcp(hot=True).tls("reset").tcp(address=OTHER).tls(address=OTHER).http(address=OTHER)
    )
    verdict = judge(told.case())
    assert verdict.status is Status.OK
    assert HOT_RULE not in {e.rule_id for e in verdict.evidence}
