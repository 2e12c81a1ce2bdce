"""Commands that need no network: they answer, as text and as JSON, and refuse bad input in one line."""

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from probe.__main__ import COMPLETE, run_command
from probe.cli import COMMANDS, main
from probe.cli.commands.check import exit_code, parse_targets
from probe.cli.logs import FieldFormatter, LogFormat
from probe.model.errors import CombinedUserError, UserError
from probe.model.pattern import Pattern
from probe.model.verdict import Status


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize("name", [name for name in COMMANDS if main.get_command(None, name)])  # type: ignore[arg-type]
def test_every_command_explains_itself(name: str) -> None:
    told = call(name, "--help")
    assert told.exit_code == 0
    assert "Usage:" in told.output


def test_the_taxonomy_is_listed_whole() -> None:
    told = call("patterns")
    assert all(pattern.value in told.output for pattern in Pattern)


def test_versions_are_one_json_object() -> None:
    assert {"wallprobe", "python", "openssl"} <= set(json.loads(call("version", "--json").output))


def test_a_missing_database_is_the_users_to_mend(tmp_path: Path) -> None:
    config = tmp_path / "wallprobe.yml"
    config.write_text(f"store: {{path: {tmp_path}/none.db}}\n")
    for command in (["explain", "01JB7Q"], ["reclassify"]):
        with pytest.raises(UserError, match="no database yet"):
            call(*command, "--config.file", str(config))


def test_the_worst_target_decides_the_exit_status() -> None:
    assert exit_code([Status.OK, Status.DEGRADED]) == 0
    assert exit_code([Status.OK, Status.INSUFFICIENT]) == 4
    assert exit_code([Status.INSUFFICIENT, Status.DOWN, Status.OK]) == 3
    assert exit_code([]) == 0


def test_a_target_named_twice_is_checked_once_and_bad_ones_are_all_told() -> None:
    assert len(parse_targets(("https://127.0.0.1:8443", "https://127.0.0.1:8443/", "http://[::1]"))) == 2
    with pytest.raises(CombinedUserError) as told:
        parse_targets(("https://", "https://site.example", "nonsense://x"))
    assert len(str(told.value).splitlines()) == 2


@pytest.mark.parametrize("log_format", list(LogFormat))
def test_a_log_record_is_one_line_with_its_fields(log_format: LogFormat) -> None:
    record = logging.makeLogRecord({"msg": "two words", "levelno": logging.WARNING, "target": 'a"b\nc', "empty": ""})
    line = FieldFormatter(log_format).format(record)
    assert "\n" not in line
    if log_format is LogFormat.JSON:
        fields = json.loads(line)
        assert (fields["level"], fields["msg"], fields["target"]) == ("warn", "two words", 'a"b\nc')
    else:
        assert 'level=warn msg="two words"' in line
        assert r'target="a\"b\nc" empty=""' in line


def test_a_crash_is_logged_in_one_line_with_its_trace() -> None:
    try:
        raise ValueError("ours")
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "crashed", "levelno": 40, "exc_info": (ValueError, error, None)})
    line = FieldFormatter(LogFormat.LOGFMT).format(record)
    assert "ValueError: ours" in line
    assert "\n" not in line


def walk(command: click.Command, path: str = "wallprobe") -> Iterator[tuple[str, click.Command]]:
    """Yield every command with its name."""
    if not isinstance(command, click.Group):
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield f"{path} {name}", inner
        yield from walk(inner, f"{path} {name}")


COMMANDS_WITHIN = [pytest.param(name, command, id=name) for name, command in walk(main)]


@pytest.mark.parametrize(("name", "command"), COMMANDS_WITHIN)
def test_every_command_has_an_example_and_a_word_for_each_option(name: str, command: click.Command) -> None:
    shown = re.sub(r"^  (?:.* (?:\||&&) )?(?:sudo -u \w+ )?", "", command.epilog or "", flags=re.MULTILINE)
    assert re.search(rf"^{name}\b", shown, re.MULTILINE), command.epilog
    assert [option.name for option in command.params if isinstance(option, click.Option) and not option.help] == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_given_the_code_that_completes(shell: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv(COMPLETE, f"{shell}_source")
    assert run_command([]) == 0
    assert "wallprobe" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("wallprobe cla", "plain,classify"),
        ("wallprobe check --exit", "plain,--exit-status"),
        ("wallprobe targets l", "plain,lint\nplain,list"),
        ("wallprobe check --config.file ", "file,"),
    ],
)
def test_words_are_completed(words: str, says: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setenv(COMPLETE, "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(words.count(" ")))
    assert run_command([]) == 0
    assert capsys.readouterr().out.strip() == says


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["chekc"], "wallprobe: No such command 'chekc'. Did you mean 'check'?; see `wallprobe --help`"),
        (["zzz"], "wallprobe: No such command 'zzz'; see `wallprobe --help`"),
        (["demo", "--nope"], "wallprobe: No such option '--nope'; see `wallprobe demo --help`"),
        (["patterns", "nope"], "patterns: none starts with 'nope'; `wallprobe patterns` lists them all"),
    ],
)  # fmt: skip
def test_a_slip_of_the_pen_is_told_with_the_page_that_helps(arguments: list[str], says: str, capsys) -> None:
    assert run_command(arguments) == 2
    assert capsys.readouterr().err.strip() == says
