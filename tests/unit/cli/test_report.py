import csv
import io
import json
import re
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from probe.cli import main
from probe.cli.commands.report import build_period
from probe.export.period import COLUMNS, Period, render_csv, render_json
from probe.model.episode import Episode, Event, EventKind, Interval
from probe.model.measurement import Measurement
from probe.model.pattern import Pattern
from probe.model.settings import Settings, StoreSettings, VantageSettings
from probe.model.vantage import Vantage
from probe.model.verdict import Cause, Confidence, Status, Verdict
from probe.net.clock import SystemClock
from probe.store.store import Store
from probe.web.report_page import render_report
from tests.browser.seed import NOW, make, seed
from tests.unit.export.snapshots import make_target
from tests.unit.web.reading import Reader

SETTINGS = Settings(vantage=VantageSettings(id="sh-1", country="CN", asn=4134))
WEEK = 7 * 86400


@pytest.fixture(scope="module")
def period(tmp_path_factory: pytest.TempPathFactory) -> Period:
    store = seed(tmp_path_factory.mktemp("report") / "w.db", make(200))
    with store:
        return build_period(store, SETTINGS, frozenset(), NOW - WEEK, NOW)


def test_the_worst_come_first_with_the_share_of_time_that_they_were_usable(period: Period):
    assert len(period.targets) == 200
    assert period.targets[0].status is Status.BLOCKED
    assert period.targets[-1].status in (Status.OK, Status.INSUFFICIENT)
    one = next(target for target in period.targets if "-0007-" in target.id)
    assert one.usable_ratio == pytest.approx(1 - 3 * 3600 / WEEK, abs=1e-4)
    assert one.onsets == 1
    fine = [target for target in period.targets if target.status is Status.OK]
    assert {target.usable_ratio for target in fine} == {1.0}


def test_cells_are_whole_hours_and_cover_the_period(period: Period):
    assert period.axis.cell_s == 3600
    assert period.axis.from_at <= NOW - WEEK < period.axis.from_at + 3600
    assert period.axis.to_at > NOW
    assert {len(target.cells) for target in period.targets} == {period.axis.cells}


def test_the_html_is_one_file_without_scripts_and_without_anything_from_elsewhere(period: Period):
    text = render_report(period, 10)
    page = Reader(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert "link" not in {tag for tag, _ in page.tags}
    assert [a for _, a in page.tags if {"src", "href", "action"} & set(a)] == []
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    assert len([1 for tag, a in page.tags if tag == "svg" and a.get("class") == "strip"]) == 10
    assert set(re.findall(r"url\((#p-[a-z]+)\)", text)) <= {f"#{name}" for name in page.ids()}
    for words in ("sh-1 · AS4134 · CN", "200 targets;", "more: `--limit`", "blocked"):
        assert words in page.text
    assert len(text) < 400_000


def test_csv_has_a_line_for_each_episode(period: Period):
    rows = list(csv.reader(io.StringIO(render_csv(period))))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) - 1 == sum(max(1, len(target.episodes)) for target in period.targets)
    blocked = dict(zip(rows[0], rows[1], strict=True))
    assert blocked["status"] == "blocked"
    assert blocked["until"] == ""
    assert blocked["since_earliest"] < blocked["since"]


def test_json_has_it_all(period: Period):
    record = json.loads(render_json(period))
    assert (record["vantage"], record["network"], len(record["targets"])) == ("sh-1", "AS4134 · CN", 200)
    assert all(sum(target["runs"][1::2]) == period.axis.cells for target in record["targets"])
    assert record["events"][0]["kind"] == "onset"


def test_a_formula_in_a_name_stays_text(period: Period):
    evil = msgspec.structs.replace(period.targets[0], address='=HYPERLINK("http://x")', episodes=())
    text = render_csv(msgspec.structs.replace(period, targets=(evil,)))
    assert "'=HYPERLINK" in text


def test_hostile_names_are_text(period: Period):
    evil = msgspec.structs.replace(period.targets[0], address="<script>alert(1)</script>")
    page = Reader(render_report(msgspec.structs.replace(period, targets=(evil,)), 5))
    assert "script" not in {tag for tag, _ in page.tags}
    assert "<script>alert(1)</script>" in page.text


def test_a_quarter_of_a_year_fits_a_page(tmp_path: Path):
    with seed(tmp_path / "w.db", make(20)) as store:
        period = build_period(store, SETTINGS, frozenset(), NOW - 90 * 86400, NOW)
    assert period.axis.cells <= 181
    assert period.axis.cell_s % 3600 == 0
    first = next(target for target in period.targets if target.status is Status.BLOCKED)
    assert first.cells.count(0) > 100, "what was not measured is empty"


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A database of the last hours, with an address that is ours in a target's name."""
    path, now = tmp_path / "now.db", SystemClock().wall_s()
    with Store.open(StoreSettings(path=str(path)), SystemClock()) as store:
        for number, address in enumerate(("https://198.51.100.7/", "https://www.example.org/")):
            target = make_target(number, address=address)
            began = Interval(last_before=now - 7500, first_in=now - 7200)
            episode = Episode(target=target.id, since=began, status=Status.BLOCKED, patterns=(Pattern.IP_DROP,),
                              cause=Cause.NETWORK, confidence=Confidence.C3)  # fmt: skip
            event = Event(kind=EventKind.ONSET, at=now - 7100, target=target.id, since=began, after=Status.BLOCKED)
            verdict = Verdict(status=Status.BLOCKED, patterns=(Pattern.IP_DROP,))
            measurement = Measurement(id=f"01JB{number:022}", target=target, vantage=Vantage(), started_at=now - 7200,
                                      runtime_s=1.0, observations=(), verdict=verdict)  # fmt: skip
            store.add(measurement, episode=episode, events=(event,))
        assert store.flush_now()
    return path


@pytest.mark.parametrize("form", ["html", "csv", "json"])
def test_our_own_address_is_scrubbed_in_every_format(stored: Path, tmp_path: Path, form: str):
    out = tmp_path / f"report.{form}"
    argv = ["report", "--since", "1d", "--format", form, "--store.path", str(stored), "--output", str(out)]
    found = CliRunner().invoke(main, [*argv, "--scrub", "198.51.100.7"])
    assert found.exit_code == 0, found.output
    text = out.read_text("utf-8")
    assert "198.51.100.7" not in text
    assert "[scrubbed]" in text
    assert "www.example.org" in text


def test_one_target_alone_can_be_reported(stored: Path):
    argv = ["report", "--since", "1d", "--format", "json", "--store.path", str(stored), "www.example.org"]
    record = json.loads(CliRunner().invoke(main, argv).output)
    assert [target["address"] for target in record["targets"]] == ["https://www.example.org/"]
    assert {event["target"] for event in record["events"]} == {record["targets"][0]["id"]}


@pytest.mark.parametrize("since", ["0d", "2999-01-01", "1990-01-01", "yesterday"])
def test_a_time_that_is_none_is_refused(stored: Path, since: str):
    found = CliRunner().invoke(main, ["report", "--since", since, "--store.path", str(stored)])
    assert found.exit_code != 0
    assert "--since" in str(found.exception)
