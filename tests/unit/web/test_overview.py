import pytest
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.export.text.words import describe_event
from probe.model.cell import encode_cell
from probe.model.episode import Episode, Event, EventKind, Interval
from probe.model.pattern import Pattern
from probe.model.settings import WebSettings
from probe.model.snapshot import TargetSnapshot
from probe.model.vantage import Baseline, VantageState
from probe.model.verdict import Status, Verdict
from probe.web.limits import DEFAULT_LIMITS
from probe.web.server import build_app
from probe.web.templating import render
from tests.unit.export.snapshots import NOW, make_snapshot, make_target
from tests.unit.web.conftest import Connect
from tests.unit.web.fakes import FakeAgent
from tests.unit.web.reading import Reader, read

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>"


async def test_a_blocked_target_shows_status_since_and_pattern(connect: Connect):
    text = (await read(connect, FakeAgent([make_snapshot(status=Status.LIKELY_BLOCKED)]))).text
    for words in ("www.site-00000.example", "✗ likely blocked", "2023-11-14 22:03", "tls.reset.sni", "AS4134", "C2"):
        assert words in text


async def test_the_first_sentence_says_what_matters_most(connect: Connect):
    agent = FakeAgent([make_snapshot(0), make_snapshot(1, Status.BLOCKED), make_snapshot(2, Status.DOWN)])
    page = await read(connect, agent)
    assert "Of 3 targets, 1 blocked, 1 not reachable for another reason." in page.text
    assert "The one target can be reached." in (await read(connect, FakeAgent([make_snapshot(0)]))).text
    page = (await read(connect, FakeAgent())).text
    assert "No target is on the list." in page
    assert "Put targets into the configuration" in page
    waiting = FakeAgent([TargetSnapshot(target=make_target())])
    assert "The one target is not judged yet." in (await read(connect, waiting)).text


async def test_hostile_names_are_text_and_not_tags(connect: Connect):
    target = make_target(address=HOSTILE, group=HOSTILE, category=HOSTILE)
    agent = FakeAgent([make_snapshot(target=target, verdict=Verdict(status=Status.DOWN, summary=HOSTILE))])
    agent.all_events = [Event(kind=EventKind.VANTAGE, at=NOW, text=HOSTILE)]
    page = await read(connect, agent, "/?q=%3Cscript%3Ealert(1)")
    scripts = [attributes.get("src") for tag, attributes in page.tags if tag == "script"]
    assert [str(one).partition("?")[0] for one in scripts] == ["/static/app.js"]
    assert "img" not in {tag for tag, _ in page.tags}
    assert page.text.count(HOSTILE) >= 4


@given(st.text(), st.text(), st.text())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_words_make_a_well_formed_page(words, state, notice):
    frame = {"vantage": {"id": words}, "state": state, "network": words, "words": words, "notice": notice, "now_s": 0.0}
    Reader(render("problem.html", words=words, frame=frame, here="/", root="", telemetry="/metrics").decode())


async def test_the_table_can_be_read_aloud(connect: Connect):
    page = await read(connect, FakeAgent([make_snapshot()]))
    assert ("html", {"lang": "en"}) in page.tags
    assert [attributes.get("scope") for tag, attributes in page.tags if tag == "th"] == ["col"] * 4 + ["row"]
    assert "caption" in [tag for tag, _ in page.tags]
    assert all("aria-label" in attributes for tag, attributes in page.tags if tag == "nav")
    labelled = [attributes["aria-labelledby"] for _, attributes in page.tags if "aria-labelledby" in attributes]
    assert set(labelled) <= set(page.ids())
    assert len(page.ids()) == len(set(page.ids()))
    pictures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert all(one.get("aria-hidden") == "true" or one.get("aria-label") for one in pictures)


async def test_a_strip_says_in_words_what_it_shows(connect: Connect):
    agent = FakeAgent([make_snapshot()])
    hour = int(agent.now_s // 3600)
    blocked = encode_cell(Status.BLOCKED, Pattern.TLS_RESET_SNI)
    for back in range(24):
        code = encode_cell(Status.OK) if back else blocked
        agent.hours[hour - back] = bytes(4) + bytes([code] * 4)
    page = await read(connect, agent, "/?span=day")
    labels = [str(a.get("aria-label")) for tag, a in page.tags if tag == "svg" and a.get("class") == "strip"]
    assert len(labels) == 1
    assert labels[0].startswith("24 hours: ok 9")
    assert "(tls)" in labels[0]
    assert ("rect", "url(#p-tls)") in [(tag, attributes.get("fill")) for tag, attributes in page.tags]


async def test_ten_thousand_targets_come_fifty_at_a_time(connect: Connect):
    agent = FakeAgent([make_snapshot(number) for number in range(10_000)])
    first = await read(connect, agent)
    assert len([tag for tag, _ in first.tags if tag == "tr"]) == 51
    assert "page 1 of 200" in first.text
    last = await read(connect, agent, "/?page=200")
    assert "www.site-09999.example" in last.text
    assert "Next" not in last.text


async def test_a_page_past_the_end_is_the_last(connect: Connect):
    page = await read(connect, FakeAgent([make_snapshot(number) for number in range(60)]), "/?page=99")
    assert "page 2 of 2" in page.text


async def test_the_worst_come_first_and_of_them_the_newest(connect: Connect):
    def began(number: int, status: Status, ago_s: float) -> TargetSnapshot:
        since = Interval(last_before=None, first_in=NOW - ago_s)
        return make_snapshot(number, status, episode=Episode(target="x", since=since, status=status))

    agent = FakeAgent(
        [began(0, Status.OK, 9), began(1, Status.BLOCKED, 900), began(2, Status.DOWN, 5), began(3, Status.BLOCKED, 60)]
    )
    page = await read(connect, agent)
    heads = [a["href"] for tag, a in page.tags if tag == "a" and str(a.get("href")).startswith("/targets/")]
    assert [str(one)[-13:-8] for one in heads] == ["00003", "00001", "00002", "00000"]


async def test_the_filter_shows_one_status_and_counts_all(connect: Connect):
    agent = FakeAgent([make_snapshot(0), make_snapshot(1, Status.BLOCKED), make_snapshot(2, Status.BLOCKED)])
    page = await read(connect, agent, "/?status=blocked")
    assert "site-00000" not in page.text
    assert "site-00002" in page.text
    assert "2 targets of 3" in page.text
    tiles = [attributes for _, attributes in page.tags if str(attributes.get("class")).startswith("tile")]
    current = [one["href"] for one in tiles if "aria-current" in one]
    assert current == ["/?status=blocked&span=hour#map"]


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ("group=vpn", {"1"}),
        ("category=NEWS", {"0"}),
        ("pattern=tls", {"2"}),
        ("pattern=tls.reset.sni", {"2"}),
        ("pattern=tls.timeout", set()),
        ("q=SITE-00001", {"1"}),
        ("group=vpn&category=NEWS", set()),
        ("", {"0", "1", "2"}),
    ],
)
async def test_each_filter_narrows(connect: Connect, query: str, seen: set[str]):
    agent = FakeAgent(
        [
            make_snapshot(0),
            make_snapshot(1, target=make_target(1, group="vpn", category="")),
            make_snapshot(2, Status.BLOCKED, target=make_target(2, group="a", category="")),
        ]
    )
    page = await read(connect, agent, f"/?{query}")
    assert {number for number in "012" if f"www.site-0000{number}.example" in page.text} == seen


async def test_a_change_that_is_not_confirmed_has_no_since(connect: Connect):
    episode = Episode(target="x", since=Interval(last_before=None, first_in=NOW - 9e6), status=Status.OK)
    page = await read(connect, FakeAgent([make_snapshot(status=Status.BLOCKED, episode=episode)]))
    assert "not confirmed ok until the last run" in page.text


async def test_unobserved_time_in_an_episode_is_said(connect: Connect):
    since = Interval(last_before=None, first_in=NOW)
    episode = Episode(target="x", since=since, status=Status.BLOCKED, unobserved_s=2400.0)
    page = await read(connect, FakeAgent([make_snapshot(status=Status.BLOCKED, episode=episode)]))
    assert "40 m unobserved" in page.text


async def test_a_target_never_run_has_its_row(connect: Connect):
    page = await read(connect, FakeAgent([TargetSnapshot(target=make_target())]))
    assert "· insufficient" in page.text


@pytest.mark.parametrize(
    ("state", "words"),
    [(VantageState.OFFLINE, "Vantage offline"), (VantageState.PORTAL, "portal"), (VantageState.FOREIGN_CUT, "cut")],
)
async def test_an_unfit_vantage_is_said_first(connect: Connect, state: VantageState, words: str):
    agent = FakeAgent([make_snapshot()])
    agent.baseline_now = Baseline(id="b", quick=False, started_at=NOW, started_boot_s=1.0, runtime_s=1.0, state=state)
    text = (await read(connect, agent)).text
    _title, before, _after = text.split("The one target")
    assert words in before


async def test_what_changed_leads_to_the_target(connect: Connect):
    agent = FakeAgent([make_snapshot()])
    name = "web-www-site-00000-example"
    event = Event(kind=EventKind.ONSET, at=NOW, target=name, before=Status.OK, after=Status.DOWN)
    agent.all_events = [event]
    page = await read(connect, agent)
    assert "/targets/web-www-site-00000-example" in [attributes.get("href") for _, attributes in page.tags]
    assert describe_event(event) == "ok → down"
    assert "▼ down www.site-00000.example" in page.text


BAD = ("status=nice", "page=0", "page=x", "x=1", "pattern=rainbow", "span=year", "q=" + "a" * 501)


@pytest.mark.parametrize("query", BAD)
async def test_a_bad_parameter_is_a_page_that_says_so(connect: Connect, query: str):
    page = await read(connect, FakeAgent(), f"/?{query}", status=400)
    assert "Not shown" in page.text


@pytest.mark.parametrize("path", ["/", "/events", "/vantage", "/patterns", "/targets/web-www-site-00000-example"])
async def test_every_link_begins_with_the_prefix_that_stands_before_all(path: str):
    settings = WebSettings(route_prefix="/wall", telemetry_path="/figures")
    agent = FakeAgent([make_snapshot(number, target=make_target(number, group="vpn")) for number in range(60)])
    async with TestClient(TestServer(build_app(agent, DEFAULT_LIMITS, None, settings))) as client:
        page = Reader(await (await client.get(f"/wall{path}")).text())
    links = [str(a[name]) for _, a in page.tags for name in ("href", "src", "action") if name in a]
    assert len(links) > 8
    assert [link for link in links if not link.startswith(("/wall/", "#", "?"))] == []
    assert "/wall/figures" in links
    current = [a["href"] for _, a in page.tags if a.get("aria-current") == "page"]
    assert current == ([] if "targets" in path else [f"/wall{path}"])
