import msgspec

from probe.model.episode import Event, EventKind, Interval
from probe.model.pattern import Pattern
from probe.model.vantage import LocalFinding, VantageState
from probe.model.verdict import Status
from tests.browser.seed import BASELINE
from tests.unit.export.snapshots import NOW, make_snapshot
from tests.unit.web.conftest import Connect
from tests.unit.web.fakes import FakeAgent
from tests.unit.web.reading import read

ID = make_snapshot().target.id


async def test_events_tell_target_change_and_when_it_may_have_begun(connect: Connect):
    agent = FakeAgent([make_snapshot()])
    since = Interval(last_before=NOW - 600, first_in=NOW - 300)
    agent.all_events = [
        Event(kind=EventKind.ONSET, at=NOW, target=ID, since=since, before=Status.OK, after=Status.BLOCKED,
              patterns=(Pattern.TLS_RESET_SNI,)),
        Event(kind=EventKind.VANTAGE, at=NOW - 900, text="vantage offline, was online"),
    ]  # fmt: skip
    page = await read(connect, agent, f"/events?target={ID}&since=5")
    for words in ("ok → ✗ blocked", "tls.reset.sni", "or up to 5 m earlier", "vantage offline, was online", "2 events"):
        assert words in page.text
    assert agent.asked[-1] == ("events", ID, 5.0, 200)
    await read(connect, agent, "/events?since=yesterday", status=400)


async def test_no_events_are_said(connect: Connect):
    assert "Nothing has changed yet." in (await read(connect, FakeAgent(), "/events")).text


async def test_the_vantage_tells_state_anchors_and_what_is_on_this_network(connect: Connect):
    agent = FakeAgent()
    agent.baseline_now = msgspec.structs.replace(
        BASELINE, state=VantageState.DEGRADED, findings=(LocalFinding.TLS_INSPECTION,)
    )
    agent.all_baselines = [agent.baseline_now, BASELINE, msgspec.structs.replace(BASELINE, started_at=NOW - 9000)]
    page = await read(connect, agent, "/vantage")
    for words in ("Vantage sh-1: degraded", "5 of 6 answer", "✗ generic_timeout_error", "one private issuer signs"):
        assert words in page.text
    past = page.text.partition("Changes of its state")[2]
    assert past.count("answered") == 2, "looks that found the same are one row"


async def test_a_vantage_not_yet_looked_at_has_its_page(connect: Connect):
    assert "not yet looked at" in (await read(connect, FakeAgent(), "/vantage")).text


async def test_every_pattern_is_listed_with_what_it_needs_and_how_many_show_it(connect: Connect):
    page = await read(
        connect, FakeAgent([make_snapshot(1, Status.BLOCKED), make_snapshot(2, Status.DOWN)]), "/patterns"
    )
    assert {pattern.value for pattern in Pattern} <= set(page.ids())
    assert "name × neutral name at one address, 5 against 5" in page.text
    assert "/?pattern=tls.reset.sni#map" in [attributes.get("href") for _, attributes in page.tags]
