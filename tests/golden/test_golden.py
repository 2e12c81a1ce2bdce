"""Every rule has a case that fires it and one that nearly does, and both are judged as they were reviewed."""

import pathlib

import msgspec
import pytest

from probe.classify.case import Case
from probe.classify.judge import judge
from probe.classify.rules.forgery import GHOST_RULES
from probe.classify.rules.layers import PATH_RULES
from probe.classify.rules.name import NAME_RULES
from probe.model.verdict import Verdict
from tests.golden.plain import render
from tests.golden.stories import PAIRS

HERE = pathlib.Path(__file__).parent
RULES = [rule.id for rule in (*NAME_RULES, *GHOST_RULES, *PATH_RULES)]


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """What a golden file holds."""

    case: Case
    verdict: Verdict


def read(rule: str, name: str) -> Recorded:
    return msgspec.json.decode((HERE / rule / f"{name}.json").read_bytes(), type=Recorded)


def test_every_rule_has_its_pair_and_every_pair_its_rule():
    assert sorted(PAIRS) == sorted(RULES)
    assert {folder.name for folder in HERE.iterdir() if (folder / "about.md").exists()} == set(RULES)


def test_no_rule_id_is_used_twice():
    assert len(RULES) == len(set(RULES))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("name", ["fires", "nearly"])
def test_the_recorded_case_is_judged_as_it_was_reviewed(rule, name):
    recorded = read(rule, name)
    assert judge(recorded.case) == recorded.verdict


@pytest.mark.parametrize("rule", RULES)
def test_the_rule_speaks_in_one_case_and_not_in_the_other(rule):
    fires, nearly = (judge(read(rule, name).case) for name in ("fires", "nearly"))
    assert rule in {evidence.rule_id for evidence in fires.evidence}
    assert rule not in {evidence.rule_id for evidence in nearly.evidence}


@pytest.mark.parametrize("rule", sorted(PAIRS))
def test_the_files_are_what_the_stories_tell(rule):
    pair = PAIRS[rule]()
    for name, half in (("fires", pair.fires), ("nearly", pair.nearly)):
        assert (HERE / rule / f"{name}.json").read_text("utf-8") == render(
            {"case": half.case, "verdict": judge(half.case)}
        )


@pytest.mark.parametrize("rule", sorted(PAIRS))
def test_status_cause_and_confidence_are_what_a_person_wrote(rule):
    pair = PAIRS[rule]()
    for half in (pair.fires, pair.nearly):
        verdict = judge(half.case)
        assert (verdict.status, verdict.cause, verdict.confidence) == half.says
