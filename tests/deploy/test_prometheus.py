"""The rules, by Prometheus' own tools; and that they ask for nothing which is not exported."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.page import render_page, sample_names

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "wallprobe.rules.yml"
_NAME = re.compile(r"\b(?:[a-z_]+:)?wallprobe_[a-z0-9_]+(?::[a-z0-9_]+)?|\bprocess_[a-z_]+|\bup\b")
promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
amtool = pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")


def call(*command: str, given: str | None = None) -> str:
    """Run a tool in the folder of the rules; return what it says, or fail with it."""
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, check=False, cwd=RULES.parent, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def known_names() -> set[str]:
    return sample_names() | {rule["record"] for rule in rules() if "record" in rule} | {"up"}


def asked_names(expr: str) -> set[str]:
    """Return the metrics that a query asks for; label matchers and their values are none."""
    return set(_NAME.findall(re.sub(r'"[^"]*"', '""', expr)))


@promtool
def test_the_rules_do_in_time_what_they_promise():
    assert "SUCCESS" in call("promtool", "test", "rules", "wallprobe.test.yml")


@promtool
def test_a_day_wakes_its_operator_once_for_each_thing_that_happens():
    assert "SUCCESS" in call("promtool", "test", "rules", "wallprobe.day.test.yml")


@promtool
def test_a_vantage_gate_in_the_blocked_alert_would_be_caught(tmp_path):
    """The tests can fail: the three mistakes that come to mind first break them."""
    text = RULES.read_text()
    tested = (RULES.parent / "wallprobe.test.yml").read_text()
    blocked = "expr: instance_target:wallprobe_interfered:max == 1\n"
    offline = 'wallprobe_vantage_state{state="offline"} == 1'
    gate = blocked.replace("\n", f" unless on (instance) {offline}\n")
    refined = blocked.replace(
        "max == 1", "max * on (instance, target) group_left (pattern) wallprobe_target_pattern_info"
    )
    stale = "expr: time() > wallprobe_verdict_valid_until_timestamp_seconds\n"
    naive = "expr: time() - (wallprobe_verdict_valid_until_timestamp_seconds - 64800) > 3600\n"
    no_memory = re.sub(r"          or\n          \(instance_target.*?up\[1d\]\)\n", "", text, flags=re.DOTALL)
    wrong = [text.replace(blocked, gate), text.replace(blocked, refined), text.replace(stale, naive), no_memory]
    for changed in wrong:
        assert changed != text
        (tmp_path / RULES.name).write_text(changed)
        (tmp_path / "wallprobe.test.yml").write_text(tested)
        done = subprocess.run(
            ["promtool", "test", "rules", str(tmp_path / "wallprobe.test.yml")], capture_output=True, check=False
        )
        assert done.returncode != 0, changed


def test_every_alert_is_tested_and_has_a_time_at_which_it_is_silent():
    tested = [case for test in yaml.safe_load((RULES.parent / "wallprobe.test.yml").read_text())["tests"]
              for case in test.get("alert_rule_test", ())]  # fmt: skip
    for alert in (rule["alert"] for rule in rules() if "alert" in rule):
        cases = [case for case in tested if case["alertname"] == alert]
        assert any(case.get("exp_alerts") for case in cases), f"{alert} never fires in the tests"
        assert any(not case.get("exp_alerts") for case in cases), f"{alert} is never silent in the tests"


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("alert") or rule.get("record"))
def test_a_rule_asks_only_for_what_is_exported(rule):
    asked = asked_names(rule["expr"])
    assert asked
    assert asked <= known_names()
    for annotation in rule.get("annotations", {}).values():
        assert asked_names(annotation.replace('"', "")) - {"wallprobe"} <= known_names() | asked_names("")


def test_every_alert_has_a_paragraph_for_whoever_is_woken_by_it():
    headings = {
        "deploy/README.md#" + line.lstrip("#").strip().lower()
        for line in (DEPLOY / "README.md").read_text().splitlines()
        if line.startswith("#")
    }
    for rule in rules():
        if "alert" in rule:
            assert rule["annotations"]["runbook"] in headings
            assert rule["labels"]["severity"] in ("critical", "warning", "info")


@promtool
def test_the_scrape_examples_are_valid():
    call("promtool", "check", "config", "--syntax-only", "scrape.yml", "agent.yml")


@amtool
def test_the_alertmanager_example_is_valid_and_knows_our_alerts():
    path = DEPLOY / "alertmanager" / "alertmanager.yml"
    call("amtool", "check-config", str(path))
    named = set(re.findall(r"Wallprobe\w+", path.read_text()))
    assert named <= {rule.get("alert") for rule in rules()}
    message = ["--tree", "severity=info", "alertname=WallprobeOverloaded"]
    assert "quiet" in call("amtool", "config", "routes", "test", f"--config.file={path}", *message)


@promtool
def test_promtool_finds_nothing_to_lint_on_the_whole_page():
    ours = "\n".join(line for line in render_page().splitlines() if "python_" not in line) + "\n"
    assert call("promtool", "check", "metrics", given=ours) == ""
