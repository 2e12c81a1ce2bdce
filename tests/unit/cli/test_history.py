"""`wallprobe history`: what a terminal, a pipe and a program get."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from probe.cli.commands.history import parse_since
from probe.export.text.words import render_interval, render_span, render_time
from probe.model.episode import EventKind, Interval
from probe.model.errors import UserError
from probe.model.settings import StoreSettings
from probe.store.store import Store
from tests.fakes import FakeClock
from tests.unit.store.samples import START, make_blocked, make_episode, make_event, make_ok, make_target


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "w.db"
    healthy, bad, again = make_ok(1, START), make_blocked(1, START + 300), make_ok(1, START + 900)
    episode = msgspec.structs.replace(make_episode(bad), since=Interval(last_before=START, first_in=START + 300))
    told = msgspec.structs.replace(make_event(bad), text="blocked \x1b[31msince\x07 14:05")
    with Store.open(StoreSettings(path=str(path)), FakeClock(wall_s=START)) as store:
        store.add(healthy, episode=make_episode(healthy))
        store.add(bad, episode=episode, events=(told,))
        store.add(again, episode=make_episode(again), events=(make_event(again, EventKind.ENDED),))
        store.add(make_blocked(12, START))
    return path


def run_history(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "probe", "history", *arguments, "--store.path", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_in_a_pipe_each_line_is_an_episode_or_an_event_newest_first(database: Path) -> None:
    done = run_history(database, "https://www.example1.org")
    assert done.returncode == 0, done.stderr
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    assert [len(row) for row in rows] == [8, 8, 8, 4, 4]
    assert [row[3] for row in rows[:3]] == ["ok", "likely_blocked", "ok"]
    assert rows[1][:3] == ["2023-11-14 22:18:20Z (-5 m)", "before 2023-11-14 22:28:20Z", "10 m"]
    assert rows[1][4:7] == ["tls.reset.sni", "network", "C2"]
    assert [row[1] for row in rows[3:]] == ["ended", "onset"]
    assert rows[4][3] == make_blocked(1, START + 300).id
    assert "\x1b" not in done.stdout
    assert "\x07" not in done.stdout


def test_json_is_one_object(database: Path) -> None:
    found = json.loads(run_history(database, make_target(1).id, "--json").stdout)
    assert found["target"] == make_target(1).id
    assert [episode["status"] for episode in found["episodes"]] == ["ok", "likely_blocked", "ok"]
    assert [event["kind"] for event in found["events"]] == ["ended", "onset"]
    assert found["tally"]["runs_total"] == 3


def test_since_leaves_out_what_ended_before(database: Path) -> None:
    found = json.loads(run_history(database, make_target(1).id, "--json", "--since", "2023-11-14T22:28:00").stdout)
    assert [episode["status"] for episode in found["episodes"]] == ["ok", "likely_blocked"]
    assert [event["kind"] for event in found["events"]] == ["ended"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.example",), "no such target was ever run here"),
        (("example1",), "several targets are meant: https-www-example1-org, https-www-example12-org"),
        (("https://www.example1.org", "--since", "yesterday"), "neither a duration nor a date"),
    ],
)
def test_an_unclear_question_is_one_line_and_exit_code_2(database: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run_history(database, *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_a_database_it_says_how_to_get_one(tmp_path: Path) -> None:
    done = run_history(tmp_path / "none.db", "x")
    assert done.returncode == 2
    assert "there is no database yet" in done.stderr


def test_a_time_may_be_a_span_or_a_date() -> None:
    assert parse_since("2h", 10_000.0) == 2_800.0
    assert parse_since("1d12h", 200_000.0) == 70_400.0
    assert parse_since("2023-11-14", 0.0) == 1_699_920_000.0
    assert parse_since("2023-11-14T01:00+01:00", 0.0) == 1_699_920_000.0
    for text in ("", "yesterday", "7", "2023-13-01", "-5m"):
        with pytest.raises(UserError):
            parse_since(text, 0.0)


def test_times_are_written_for_people() -> None:
    assert render_span(0) == render_span(-5) == "0 s"
    assert render_span(59.6) == "1 m"
    assert render_span(3 * 86400 + 4 * 3600 + 59) == "3 d 4 h"
    assert render_span(86400 + 30) == "1 d"
    assert render_interval(Interval(last_before=None, first_in=0.0)) == "before 1970-01-01 00:00:00Z"
    assert render_interval(Interval(last_before=0.0, first_in=0.5)) == "1970-01-01 00:00:00Z"
    assert render_time(1e20) == "100000000000000000000"


def test_a_pipe_with_nothing_in_it_is_told_why(database: Path) -> None:
    done = run_history(database, make_target(12).id)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.endswith("nothing confirmed yet\n")
