"""More series than Prometheus could carry are refused, and the refusal says what to do."""

import pytest

from probe.cli.series import refuse_too_many
from probe.model.errors import UserError
from probe.model.settings import PerTarget, Settings
from tests.unit.cli.test_commands import call


def test_a_hundred_thousand_targets_are_served_at_less_detail_and_refused_at_full():
    refuse_too_many(Settings(), 100_000)
    with pytest.raises(UserError, match=r"4,500,200 series.*per_target to status"):
        refuse_too_many(Settings(per_target=PerTarget.FULL), 100_000)
    refuse_too_many(Settings(per_target=PerTarget.NONE), 10_000_000)


def test_config_check_names_the_limit(tmp_path):
    (tmp_path / "list.txt").write_text("".join(f"https://site-{number}.example\n" for number in range(100)))
    config = tmp_path / "wallprobe.yml"
    config.write_text("targets: [{file: list.txt, interval: 1d}]\nmetrics: {max_series: 4000}\n")
    told = call("config", "check", str(config))
    assert "metrics.max_series: 100 targets at `per_target: full`" in told.output
    assert "not good" in told.output


def test_what_errors_advise_to_pass_can_be_passed():
    assert "--web.allow-insecure" in call("run", "--help").output
