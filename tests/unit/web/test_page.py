from html.parser import HTMLParser

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.model.episode import Episode, Interval
from probe.model.snapshot import TargetSnapshot
from probe.model.vantage import Baseline, VantageState
from probe.model.verdict import Status, Verdict
from probe.web.page import _render_row
from tests.unit.export.snapshots import NOW, make_snapshot, make_target
from tests.unit.web.conftest import Connect
from tests.unit.web.fakes import FakeAgent

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


class Reader(HTMLParser):
    """Collects tags and text, and complains of a tag that is not closed in order."""

    EMPTY = ("meta", "link", "input")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


async def read(connect: Connect, agent: FakeAgent, path: str = "/") -> Reader:
    response = await (await connect(agent)).get(path)
    assert response.status == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    return Reader(await response.text())


async def test_a_blocked_target_shows_status_since_and_pattern(connect: Connect):
    text = " ".join((await read(connect, FakeAgent([make_snapshot(status=Status.LIKELY_BLOCKED)]))).text)
    for words in ("https://www.site-00000.example/", "✗ likely blocked", "2023-11-14 22:03", "tls.reset.sni", "AS4134"):
        assert words in text


async def test_hostile_names_are_text_and_not_tags(connect: Connect):
    target = make_target(address=HOSTILE, group=HOSTILE)
    snapshot = make_snapshot(target=target, verdict=Verdict(status=Status.DOWN, summary=HOSTILE))
    page = await read(connect, FakeAgent([snapshot]), "/?q=%3Cscript%3Ealert(1)")
    assert {tag for tag, _ in page.tags}.isdisjoint({"script", "img"})
    assert page.text.count(HOSTILE) == 3


@given(st.text(), st.text(), st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_name_makes_a_well_formed_row(address, group, summary):
    target = make_target(address=address, group=group)
    row = _render_row(make_snapshot(target=target, verdict=Verdict(status=Status.DOWN, summary=summary)))
    assert {tag for tag, _ in Reader(row).tags} <= {"tr", "th", "td", "small", "span", "time"}


async def test_the_table_can_be_read_aloud(connect: Connect):
    page = await read(connect, FakeAgent([make_snapshot()]))
    assert ("html", {"lang": "en"}) in page.tags
    assert [attributes.get("scope") for tag, attributes in page.tags if tag == "th"] == ["col"] * 5 + ["row"]
    assert "caption" in [tag for tag, _ in page.tags]
    assert all("aria-label" in attributes for tag, attributes in page.tags if tag == "nav")


async def test_ten_thousand_targets_come_a_hundred_at_a_time(connect: Connect):
    agent = FakeAgent([make_snapshot(number) for number in range(10_000)])
    first = await read(connect, agent)
    assert len([tag for tag, _ in first.tags if tag == "tr"]) == 101
    assert "page 1 of 100" in first.text
    last = await read(connect, agent, "/?page=100")
    assert "https://www.site-09999.example/" in last.text
    assert "next" not in last.text


async def test_a_page_past_the_end_is_the_last(connect: Connect):
    page = await read(connect, FakeAgent([make_snapshot(number) for number in range(150)]), "/?page=99")
    assert "page 2 of 2" in page.text


async def test_the_filter_shows_one_status_and_counts_all(connect: Connect):
    agent = FakeAgent([make_snapshot(0), make_snapshot(1, Status.BLOCKED), make_snapshot(2, Status.BLOCKED)])
    page = await read(connect, agent, "/?status=blocked")
    text = " ".join(page.text)
    assert "site-00000" not in text
    assert "site-00002" in text
    assert "all 3" in text
    assert "blocked 2" in text
    [current] = [attributes["href"] for tag, attributes in page.tags if tag == "a" and "aria-current" in attributes]
    assert current == "/?status=blocked"


async def test_a_change_that_is_not_confirmed_has_no_since(connect: Connect):
    episode = Episode(target="x", since=Interval(last_before=None, first_in=NOW - 9e6), status=Status.OK)
    page = await read(connect, FakeAgent([make_snapshot(status=Status.BLOCKED, episode=episode)]))
    assert "not confirmed" in page.text
    assert "ok until the last run" in page.text


async def test_unobserved_time_in_an_episode_is_said(connect: Connect):
    episode = Episode(
        target="x", since=Interval(last_before=None, first_in=NOW), status=Status.BLOCKED, unobserved_s=2400.0
    )
    page = await read(connect, FakeAgent([make_snapshot(status=Status.BLOCKED, episode=episode)]))
    assert "40 min unobserved" in page.text


async def test_a_target_never_run_has_its_row(connect: Connect):
    page = await read(connect, FakeAgent([TargetSnapshot(target=make_target())]))
    assert "· insufficient" in page.text
    assert "never" in page.text


@pytest.mark.parametrize(
    ("state", "words"),
    [(VantageState.OFFLINE, "Vantage offline"), (VantageState.PORTAL, "portal"), (VantageState.FOREIGN_CUT, "cut")],
)
async def test_an_unfit_vantage_is_said_first(connect: Connect, state: VantageState, words: str):
    agent = FakeAgent([make_snapshot()])
    agent.baseline_now = Baseline(id="b", quick=False, started_at=NOW, started_boot_s=1.0, runtime_s=1.0, state=state)
    assert any(words in text for text in (await read(connect, agent)).text)


@pytest.mark.parametrize("query", ["status=nice", "page=0", "page=x", "x=1"])
async def test_a_bad_parameter_is_a_page_that_says_so(connect: Connect, query: str):
    response = await (await connect(FakeAgent())).get(f"/?{query}")
    assert response.status == 400
    Reader(await response.text())


async def test_the_style_sheet_is_ours_and_knows_the_dark(connect: Connect):
    response = await (await connect(FakeAgent())).get("/page.css")
    assert response.headers["Content-Type"] == "text/css; charset=utf-8"
    assert "prefers-color-scheme: dark" in await response.text()
