"""The rules mean what their version says; whoever changes one is told what to do."""

import dataclasses

import pytest

from probe.classify.rules import layers, name
from probe.model.verdict import Cause
from tests.golden import meaning
from tests.golden.meaning import FILE, RAISE, RECORD, find_fault, render_meaning
from tests.golden.test_golden import RULES


def test_the_rules_mean_what_is_recorded_for_their_version() -> None:
    fault = find_fault(FILE.read_text(encoding="utf-8"), render_meaning())
    if fault:
        pytest.fail(fault)


def test_every_rule_is_in_the_record() -> None:
    lines = render_meaning().splitlines()
    assert {rule for rule in RULES if not any(line.startswith(f"{rule}: ") for line in lines)} == set()
    assert "no case" not in render_meaning()


def test_another_cause_under_a_recorded_version_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = render_meaning()
    changed = dataclasses.replace(name.NAME_RULES[0], cause=Cause.OUTAGE)
    monkeypatch.setattr(meaning, "NAME_RULES", (changed, *name.NAME_RULES[1:]))
    assert find_fault(recorded, render_meaning()) == RAISE


def test_another_order_is_a_fault_and_another_sentence_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = render_meaning()
    first, second, *rest = name.NAME_RULES
    monkeypatch.setattr(meaning, "NAME_RULES", (dataclasses.replace(first, reason="Better said."), second, *rest))
    assert find_fault(recorded, render_meaning()) == ""
    monkeypatch.setattr(meaning, "NAME_RULES", (second, first, *rest))
    assert find_fault(recorded, render_meaning()) == RAISE
    assert len(layers.PATH_RULES) > 100


def test_a_raised_version_wants_to_be_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    recorded = render_meaning().replace("version", "version 0", 1)
    assert find_fault(recorded, render_meaning()) == RECORD
    monkeypatch.setattr(meaning, "FILE", tmp_path / "meaning.txt")
    assert meaning.main() == 0
    assert meaning.FILE.read_text(encoding="utf-8") == render_meaning()
    assert meaning.main() == 0
    meaning.FILE.write_text(render_meaning() + "one more rule\n", encoding="utf-8")
    assert meaning.main() == 1
