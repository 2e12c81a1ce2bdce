import msgspec
import pytest

from probe.model.cell import encode_cell
from probe.model.episode import Episode, Event, EventKind, Interval
from probe.model.measurement import Citation, Measurement
from probe.model.observation import Role
from probe.model.pattern import Pattern
from probe.model.target import GroupMode, Header, Request
from probe.model.verdict import Status
from probe.store.values import History, PhaseSpread, Run, Spread
from probe.targets.groups import build_groups
from tests.browser.seed import VANTAGE
from tests.golden.test_golden import RULES
from tests.golden.test_golden import read as read_golden
from tests.unit.export.snapshots import NOW, make_snapshot, make_target
from tests.unit.web.conftest import Connect
from tests.unit.web.fakes import FakeAgent
from tests.unit.web.reading import read

ID = make_target().id
HOSTILE = "<script>alert(1)</script>"


def measure(rule: str, **fields: object) -> Measurement:
    case = read_golden(rule, "fires")
    given = {
        "id": "01JB0000000000000000000000",
        "target": make_target(),
        "vantage": VANTAGE,
        "started_at": NOW,
        "runtime_s": 1.9,
        "observations": case.case.observations,
        "experiments": case.case.experiments,
        "verdict": case.verdict,
    }
    return Measurement(**(given | fields))  # type: ignore[arg-type]


def agent_of(measurement: Measurement) -> FakeAgent:
    snapshot = make_snapshot(0, measurement.verdict.status, verdict=measurement.verdict, measurement=measurement.id)
    agent = FakeAgent([snapshot])
    agent.kept_whole[measurement.id] = measurement
    return agent


@pytest.mark.parametrize("rule", RULES)
async def test_every_kind_of_finding_has_a_page_that_is_well_formed(connect: Connect, rule: str):
    page = await read(connect, agent_of(measure(rule)), f"/targets/{ID}")
    assert "The way, step by step" in page.text
    assert len(page.ids()) == len(set(page.ids()))


async def test_the_verdict_comes_first_then_since_evidence_and_the_way(connect: Connect):
    text = (await read(connect, agent_of(measure("tls.reset.sni.injected")), f"/targets/{ID}")).text
    places = [
        text.index(words)
        for words in (
            "https://www.site-00000.example/ is blocked, by the network, not the server.",
            "Since 2023-11-14 22:03:20Z",
            "TLS ✗ reset",
            "the break: hop 3, AS64510",
            "TLS with this name same address ✗ reset 5/5",
            "TLS with another name same address ✓ ok 5/5",
            "tls.reset.sni.injected",
        )
    ]
    assert places[0] < places[1] < places[2]
    assert max(places[2:4]) < places[4] < places[5]


async def test_a_break_that_nobody_located_is_drawn_as_not_known(connect: Connect):
    page = await read(connect, agent_of(measure("tls.reset.sni.neutral_ok")), f"/targets/{ID}")
    assert "somewhere on the way" in page.text
    assert "the break:" not in page.text


async def test_what_the_user_sends_is_not_shown(connect: Connect):
    request = Request(method="POST", headers=(Header(name="Authorization", value="s3cret-t0ken"),), body="pa55word")
    target = make_target(request=request)
    agent = agent_of(measure("http.reset.host.neutral_ok", target=target))
    agent.put([msgspec.structs.replace(agent.snapshots()[0], target=target)])
    text = (await read(connect, agent, f"/targets/{ID}")).text
    assert "s3cret" not in text
    assert "pa55word" not in text


async def test_what_servers_say_is_text(connect: Connect):
    measurement = measure("srv.http_error.5xx")
    changed = tuple(
        msgspec.structs.replace(one, title=HOSTILE, reason=HOSTILE) if hasattr(one, "title") else one
        for one in measurement.observations
    )
    page = await read(connect, agent_of(msgspec.structs.replace(measurement, observations=changed)), f"/targets/{ID}")
    assert len([tag for tag, _ in page.tags if tag == "script"]) == 1
    assert HOSTILE in page.text


async def test_history_phases_and_the_strip_are_there(connect: Connect):
    agent = agent_of(measure("tls.reset.sni.neutral_ok"))
    began = Interval(last_before=NOW - 900, first_in=NOW - 600)
    first = Interval(last_before=None, first_in=NOW - 9e5)
    agent.histories[ID] = History(
        target=ID,
        address="https://www.site-00000.example/",
        episodes=(
            Episode(target=ID, since=began, status=Status.LIKELY_BLOCKED, patterns=(Pattern.TLS_RESET_SNI,)),
            Episode(target=ID, since=first, status=Status.OK, ended=began, unobserved_s=7200.0),
        ),
        events=(Event(kind=EventKind.ONSET, at=NOW, target=ID, before=Status.OK, after=Status.LIKELY_BLOCKED),),
    )
    took = Spread(min_s=0.04, mean_s=0.052, max_s=0.08)
    phases = (PhaseSpread(name="connect", family=4, runs=12, durations=took),)
    agent.all_runs = [
        Run(
            target=ID, first_at=NOW - 9000, last_at=NOW - 6000, runs=12, status=Status.OK, durations=took, phases=phases
        )
    ]
    agent.hours[int(NOW // 3600)] = bytes(4) + bytes([encode_cell(Status.BLOCKED, Pattern.TLS_RESET_SNI)] * 4)
    page = await read(connect, agent, f"/targets/{ID}?span=day")
    for words in (
        "likely blocked",
        "2 h unobserved",
        "began",
        "ok → likely blocked",
        "connect median 52 ms",
        "12 runs",
    ):
        assert words in page.text
    strips = [str(attributes["data-strip"]) for _, attributes in page.tags if "data-strip" in attributes]
    assert "blocked (tls)x" in strips[0]


async def test_an_earlier_measurement_can_be_looked_at_but_not_one_of_another_target(connect: Connect):
    agent = agent_of(measure("tls.reset.sni.neutral_ok"))
    earlier = measure("dns.injection.race.conflict", id="01JA")
    agent.kept_whole["01JA"] = earlier
    agent.kept_whole["01JX"] = msgspec.structs.replace(earlier, id="01JX", target=make_target(5))
    page = await read(connect, agent, f"/targets/{ID}?measurement=01JA")
    assert "not the last run" in page.text
    await read(connect, agent, f"/targets/{ID}?measurement=01JX", status=404)
    await read(connect, agent, f"/targets/{ID}?measurement=none", status=404)


async def test_comparisons_that_are_leaned_on_are_shown_with_where_they_are_from(connect: Connect):
    first = measure("tls.reset.sni.neutral_ok", id="01JA")
    own = tuple(one for one in first.observations if not one.experiment)
    later = msgspec.structs.replace(
        first, id="01JC", observations=own, experiments=(), cites=(Citation(measurement="01JA", age_s=300.0),)
    )
    agent = agent_of(later)
    agent.kept_whole["01JA"] = first
    text = (await read(connect, agent, f"/targets/{ID}")).text
    assert "taken over from 01JA , which failed in the same way" in text
    assert "TLS with another name same address ✓ ok 5/5" in text
    fine = tuple(one for one in own if one.failure is None)
    agent.kept_whole["01JC"] = msgspec.structs.replace(later, observations=fine)
    assert "taken over" not in (await read(connect, agent, f"/targets/{ID}")).text, "what works needs no comparison"
    agent.kept_whole["01JC"] = later
    del agent.kept_whole["01JA"]
    assert "taken over" not in (await read(connect, agent, f"/targets/{ID}")).text


async def test_a_deferred_comparison_is_drawn_on_the_steps_of_the_run_that_it_goes_on_with(connect: Connect):
    begun = measure("tls.reset.sni.injected", id="01JB000000000000000000000B")
    late = [one for one in begun.observations if one.role is not Role.TARGET]
    later = measure("tls.reset.sni.injected", observations=tuple(late), continues=begun.id)
    agent = agent_of(later)
    alone = await read(connect, agent, f"/targets/{ID}")
    assert "no resolver asked" in alone.text, "nothing is made up where the run it goes on with is not kept"
    agent.kept_whole[begun.id] = begun
    page = await read(connect, agent, f"/targets/{ID}")
    assert "TLS ✗ reset" in page.text
    assert "the break: hop 3" in page.text
    assert "it goes on with" in page.text
    assert begun.id in page.text


async def test_a_target_of_which_nothing_is_kept_has_a_page(connect: Connect):
    page = await read(connect, FakeAgent([make_snapshot()]), f"/targets/{ID}")
    assert "works." in page.text
    assert "No measurement of this target is kept whole" in page.text


async def test_an_unknown_target_and_a_bad_parameter_are_said(connect: Connect):
    await read(connect, FakeAgent(), "/targets/none", status=404)
    await read(connect, FakeAgent([make_snapshot()]), f"/targets/{ID}?span=year", status=400)


@pytest.mark.parametrize(("mode", "words"), [(GroupMode.ANY, "ok 100 %"), (GroupMode.ALL, "blocked 100 %")])
async def test_a_group_shows_its_members_and_what_they_came_to_together(connect: Connect, mode: GroupMode, words: str):
    members = [make_target(number, group="office.ovpn", group_mode=mode) for number in (0, 1)]
    [group] = build_groups(members)
    agent = FakeAgent(
        [
            make_snapshot(0, target=members[0]),
            make_snapshot(1, Status.BLOCKED, target=members[1]),
            make_snapshot(2, Status.DEGRADED, target=group),
            make_snapshot(3, target=make_target(3)),
        ]
    )
    ok, blocked = encode_cell(Status.OK), encode_cell(Status.BLOCKED)
    for back in range(2):
        agent.hours[int(agent.now_s // 3600) - back] = bytes(4) + bytes([ok] * 4 + [blocked] * 4)
    page = await read(connect, agent, f"/targets/{group.id}?span=hour")
    strips = [str(a["aria-label"]) for tag, a in page.tags if tag == "svg" and a.get("class") == "strip"]
    assert strips == [f"1 hour: {words}", "ok 100 %", "blocked 100 %"]
    assert ("one usable member" in page.text) is (mode is GroupMode.ANY)
    assert "The way, step by step" not in page.text
    overview = await read(connect, agent, "/?span=hour&q=office.ovpn&status=degraded")
    labels = [str(a["aria-label"]) for tag, a in overview.tags if tag == "svg" and a.get("class") == "strip"]
    assert labels == [f"1 hour: {words}"]


async def test_a_verdict_whose_time_has_run_out_is_called_stale_on_list_and_page(connect: Connect):
    fresh, old = make_snapshot(0), make_snapshot(1, last_run_at=NOW - 7140, valid_until=NOW - 60)
    agent = FakeAgent([fresh, old])
    assert "stale" not in (await read(connect, agent, f"/targets/{fresh.target.id}")).text
    page = await read(connect, agent, f"/targets/{old.target.id}")
    assert "stale: not judged for 2 h, this is what was last known" in page.text
    assert (await read(connect, agent)).text.count(" stale ") == 1
