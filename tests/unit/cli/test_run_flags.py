"""The flags of `wallprobe run` that unit files and charts assume, as kingpin spells them."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from probe.cli.commands.run import _merge_web, run
from probe.model.settings import WebSettings

VERBATIM = (
    "--config.file",
    "--config.check",
    "--config.enable-auto-reload",
    "--config.auto-reload-interval",
    "--web.listen-address",
    "--web.systemd-socket",
    "--web.config.file",
    "--web.telemetry-path",
    "--web.external-url",
    "--web.route-prefix",
    "--log.level",
    "--log.format",
    "--log.prober",
    "--version",
)
NOTHING = {
    "listen": (), "web_config": "", "systemd_socket": None, "open_health": None, "telemetry_path": "",
    "external_url": "", "route_prefix": "", "allow_insecure": False,
}  # fmt: skip


def call(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(run, arguments, standalone_mode=False)
    code = done.return_value if isinstance(done.return_value, int) else done.exit_code
    return code, done.output + str(done.exception or "")


def test_the_names_are_those_that_the_prometheus_family_uses():
    shown = call("--help")[1]
    for flag in VERBATIM:
        assert re.search(rf"(^|[\s/]){re.escape(flag)}\b", shown), flag


def test_version_is_one_line():
    assert call("--version")[1].startswith("wallprobe, version ")


def test_a_check_tells_good_from_not_good_without_starting(tmp_path: Path):
    config = tmp_path / "wallprobe.yml"
    (tmp_path / "list.txt").write_text("https://a.example\n")
    config.write_text("targets: [{file: list.txt}]\n")
    code, shown = call("--config.file", str(config), "--config.check")
    assert (code, "good" in shown) == (0, True)
    (tmp_path / "web.yml").write_text("basic_auth_users: {a: b}\n")
    config.write_text("targets: [{file: list.txt}]\nweb: {config_file: web.yml}\n")
    code, shown = call("--config.file", str(config), "--config.check")
    assert (code, "no bcrypt hash" in shown) == (2, True)


@pytest.mark.parametrize("text", ["soon", "10", "500ms", ""])
def test_an_interval_that_is_none_is_said(text):
    assert "--config.auto-reload-interval" in call("--config.auto-reload-interval", text)[1]


def test_a_flag_wins_over_the_file_and_one_that_is_not_given_changes_nothing():
    written = WebSettings(
        listen=("[::1]:1",), config_file="a.yml", open_health=True, external_url="https://m.example/x"
    )
    assert _merge_web(written, NOTHING).listen == ("[::1]:1",)
    assert _merge_web(written, NOTHING).open_health
    merged = _merge_web(written, {**NOTHING, "web_config": "b.yml", "open_health": False, "route_prefix": "/y"})
    assert (merged.config_file, merged.open_health, merged.route_prefix) == ("b.yml", False, "/y")
