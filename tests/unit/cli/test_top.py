from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from probe.cli import main
from probe.cli.commands.top import render
from probe.cli.contact import Contact
from probe.cli.glances import FileSource, HttpSource
from probe.export.glance import Glance, Row, draw_bars, write_plain
from probe.model.cell import encode_cell
from probe.model.episode import Event, EventKind
from probe.model.pattern import Pattern
from probe.model.settings import Settings, StoreSettings
from probe.model.vantage import Vantage
from probe.model.verdict import Status
from probe.store.store import Store
from tests.browser.seed import BASELINE, NOW, make, seed
from tests.browser.serving import Serving
from tests.fakes import FakeClock
from tests.unit.export.snapshots import make_snapshot
from tests.unit.store.samples import START, make_blocked
from tests.unit.web.fakes import FakeAgent

OK, BLOCKED = encode_cell(Status.OK), encode_cell(Status.BLOCKED, Pattern.TLS_RESET)


def make_agent() -> FakeAgent:
    agent = FakeAgent([make_snapshot(number, Status.BLOCKED if number == 2 else Status.OK) for number in range(5)])
    agent.baseline_now = BASELINE
    agent.vantage_now = Vantage(id="sh-1")
    agent.hours[int(agent.now_s // 3600)] = bytes(12) + bytes([OK, BLOCKED, BLOCKED, BLOCKED])
    target = make_snapshot(2).target.id
    agent.all_events = [
        Event(kind=EventKind.ONSET, at=agent.now_s - 60, target=target, before=Status.OK, after=Status.BLOCKED)
    ]
    return agent


def test_in_a_pipe_it_is_plain_lines_once():
    with Serving(make_agent()) as serving:
        found = CliRunner().invoke(main, ["top", "--url", serving.url])
    lines = found.output.splitlines()
    assert found.exit_code == 0
    assert lines[0].split("\t")[1:] == [serving.url, "sh-1 (online, 0 runs under way)"]
    assert lines[1] == "5 targets: 1 blocked, 4 ok"
    assert lines[2].startswith("✗ blocked C2\t")
    assert lines[2].endswith("\ttls.reset.sni\thttps://www.site-00002.example/")
    assert lines[-1].endswith("\tonset\tweb-www-site-00002-example\tok → blocked")


def test_the_database_is_read_where_no_agent_runs(tmp_path: Path):
    path = tmp_path / "w.db"
    seed(path, make(40), 24).close()
    found = CliRunner().invoke(main, ["top", "--store.path", str(path)])
    assert found.exit_code == 0
    assert "blocked" in found.output


def test_neither_agent_nor_database_is_one_line_with_a_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    found = CliRunner().invoke(main, ["top", "--url", "http://127.0.0.1:1"])
    assert found.exit_code != 0
    assert "no agent answers (connection refused); start `wallprobe run`" in str(found.exception)


async def test_what_answers_but_is_no_agent_is_a_user_error():
    with Serving(make_agent()) as serving, pytest.raises(Exception, match="answers 404"):
        await HttpSource(Contact(url=f"{serving.url}/nothing")).look(5)


async def test_rows_come_from_the_store_with_since_and_bars(tmp_path: Path):
    path = tmp_path / "w.db"
    seed(path, make(40), 24).close()
    glance = await FileSource(Settings(store=StoreSettings(path=str(path)))).look(3)
    assert glance.rows[0].status is Status.BLOCKED
    assert glance.rows[0].since is not None
    assert len(glance.rows[0].cells) == 96


async def test_what_is_not_confirmed_yet_is_shown_as_the_agent_shows_it(tmp_path: Path):
    path = tmp_path / "w.db"
    with Store.open(StoreSettings(path=str(path)), FakeClock(START + 100)) as store:
        store.add(make_blocked(1, START + 60, serial=2))
        store.flush_now()
    glance = await FileSource(Settings(store=StoreSettings(path=str(path)))).look(3)
    (row,) = glance.rows
    assert (row.status, row.since) == (Status.LIKELY_BLOCKED, None)
    assert row.pattern
    assert row.confidence == 2
    assert glance.counts[Status.LIKELY_BLOCKED] == 1


def test_bars_show_the_worst_of_what_falls_together():
    assert draw_bars(bytes([OK, OK, OK, BLOCKED, 0, 0]), 3) == "▁█ "
    assert draw_bars(bytes([OK, BLOCKED]), 48) == "▁█"
    assert len(draw_bars(bytes(96), 24)) == 24


def make_glance(address: str = "https://www.example.org/", note: str = "") -> Glance:
    row = Row(id="t", address=address, status=Status.BLOCKED, since=NOW - 60, pattern="tls.reset.sni", confidence=3,
              cells=bytes([OK] * 90 + [BLOCKED] * 6))  # fmt: skip
    counts = {Status.BLOCKED: 1, Status.OK: 7}
    return Glance(now=NOW, source="file", place="sh-1", counts=counts, rows=(row,), events=(), note=note)


@pytest.mark.parametrize("width", [80, 120, 200])
def test_the_live_view_fits_its_terminal(width: int):
    console = Console(width=width, height=24, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(render(make_glance(note="No contact"), width))
    text = console.export_text()
    assert all(len(line) <= width for line in text.splitlines())
    for words in (
        "www.example.org",
        "✗ blocked C3",
        "1 m",
        "8 targets: 1 blocked, 7 ok",
        "No contact",
        "… and 7 more",
        "▁█",
    ):
        assert words in text


def test_what_servers_wrote_cannot_move_the_cursor():
    hostile = "https://x/\x1b[2J\x07"
    assert "\x1b" not in "\n".join(write_plain(make_glance(hostile)))
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(render(make_glance(hostile), 200))
    assert "\x1b[2J" not in console.export_text()
