import json
from typing import Any

import pytest

from probe.model.episode import Event, EventKind, Interval
from probe.model.measurement import Measurement
from probe.model.snapshot import TargetSnapshot
from probe.model.target import Header, Request
from probe.model.vantage import Vantage
from probe.model.verdict import Status, Verdict
from probe.store.values import Run, Spread
from tests.unit.export.snapshots import NOW, make_snapshot, make_target
from tests.unit.web.conftest import Connect
from tests.unit.web.fakes import FakeAgent

PLAIN = {"Accept-Encoding": "identity"}


async def ask(connect: Connect, agent: FakeAgent, path: str) -> tuple[int, Any]:
    response = await (await connect(agent)).get(path, headers=PLAIN)
    assert response.headers["Content-Type"].startswith("application/json")
    assert response.headers["Cache-Control"] == ("no-cache, private" if response.status == 200 else "no-store")
    return response.status, json.loads(await response.read())


async def test_targets_tell_status_pattern_and_since(connect: Connect):
    _, answer = await ask(connect, FakeAgent([make_snapshot(status=Status.BLOCKED)]), "/api/v1/targets")
    [row] = answer["targets"]
    assert (row["id"], row["status"], row["reachable"]) == ("web-www-site-00000-example", "blocked", False)
    assert (row["patterns"], row["cause"], row["confidence"]) == (["tls.reset.sni"], "network", 2)
    assert row["since"] == {"last_before": NOW - 900, "first_in": NOW - 600}
    assert (answer["total"], answer["next_offset"]) == (1, None)


async def test_a_target_never_run_is_insufficient_and_neither_reachable_nor_not(connect: Connect):
    _, answer = await ask(connect, FakeAgent([TargetSnapshot(target=make_target())]), "/api/v1/targets")
    assert (answer["targets"][0]["status"], answer["targets"][0]["reachable"]) == ("insufficient", None)


async def test_targets_come_in_pages_that_leave_nothing_out(connect: Connect):
    client = await connect(FakeAgent([make_snapshot(number) for number in range(25)]))
    seen, offset = [], 0
    while offset is not None:
        answer = json.loads(await (await client.get(f"/api/v1/targets?limit=10&offset={offset}", headers=PLAIN)).read())
        seen += [row["id"] for row in answer["targets"]]
        offset = answer["next_offset"]
    assert seen == [make_target(number).id for number in range(25)]


async def test_targets_are_filtered_by_status_and_text(connect: Connect):
    agent = FakeAgent([make_snapshot(number, Status.DOWN if number % 2 else Status.OK) for number in range(20)])
    _, answer = await ask(connect, agent, "/api/v1/targets?status=down&q=SITE-0001")
    assert [row["id"][-13:-8] for row in answer["targets"]] == ["00011", "00013", "00015", "00017", "00019"]


async def test_runs_are_asked_of_the_store_within_bounds(connect: Connect):
    agent = FakeAgent()
    agent.all_runs = [
        Run(
            target="a",
            first_at=NOW,
            last_at=NOW,
            runs=1,
            status=Status.OK,
            durations=Spread(min_s=0.1, mean_s=0.1, max_s=0.1),
            measurement="01JB",
        )
    ]
    status, answer = await ask(connect, agent, "/api/v1/measurements?target=a&since=2023-11-14T22:13:20Z&limit=5")
    assert status == 200
    assert agent.asked == [("runs", "a", NOW, 5)]
    assert answer["measurements"][0]["measurement"] == "01JB"


async def test_without_a_target_the_last_run_of_each_is_listed_newest_first(connect: Connect):
    agent = FakeAgent(
        [
            make_snapshot(1, last_run_at=NOW),
            make_snapshot(2, Status.BLOCKED, last_run_at=NOW + 2),
            make_snapshot(3, Status.BLOCKED, last_run_at=NOW + 1, stale=True),
            make_snapshot(4, last_run_at=NOW - 1),
            TargetSnapshot(target=make_target(5)),
        ]
    )
    _, answer = await ask(connect, agent, f"/api/v1/measurements?since={NOW}")
    rows = [(row["target"][-13:-8], row["status"], row["pattern"]) for row in answer["measurements"]]
    assert rows == [("00002", "blocked", "tls.reset.sni"), ("00003", "insufficient", None), ("00001", "ok", None)]
    _, answer = await ask(connect, agent, "/api/v1/measurements?limit=1")
    assert len(answer["measurements"]) == 1
    assert agent.asked == []


async def test_a_measurement_shows_everything_but_what_the_user_sends(connect: Connect):
    request = Request(headers=(Header(name="Authorization", value="Bearer s3cret"),), body="p4ssword")
    agent = FakeAgent()
    agent.kept_whole["01JB"] = Measurement(
        id="01JB",
        target=make_target(request=request),
        vantage=Vantage(),
        started_at=NOW,
        runtime_s=0.2,
        observations=(),
        verdict=Verdict(status=Status.OK),
    )
    status, answer = await ask(connect, agent, "/api/v1/measurements/01JB")
    assert (status, answer["id"], answer["verdict"]["status"]) == (200, "01JB", "ok")
    assert answer["target"]["request"]["headers"] == [{"name": "Authorization", "value": "(left out)"}]
    assert "s3cret" not in json.dumps(answer)
    assert "p4ssword" not in json.dumps(answer)


async def test_a_measurement_that_is_not_kept_is_404(connect: Connect):
    assert await ask(connect, FakeAgent(), "/api/v1/measurements/nope") == (
        404,
        {"error": "no such measurement is kept"},
    )


async def test_events_tell_what_changed(connect: Connect):
    agent = FakeAgent()
    agent.all_events = [
        Event(
            kind=EventKind.ONSET,
            at=NOW,
            target="a",
            since=Interval(last_before=NOW - 60, first_in=NOW - 30),
            before=Status.OK,
            after=Status.BLOCKED,
        )
    ]
    _, answer = await ask(connect, agent, "/api/v1/events?limit=1")
    [event] = answer["events"]
    assert (event["kind"], event["before"], event["after"]) == ("onset", "ok", "blocked")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/targets?limit=0",
        "/api/v1/targets?limit=1001",
        "/api/v1/targets?offset=-1",
        "/api/v1/targets?status=nice",
        "/api/v1/targets?sort=name",
        "/api/v1/measurements?since=yesterday",
        "/api/v1/measurements?limit=many",
        "/api/v1/measurements?target=" + "x" * 501,
        "/api/v1/measurements/01JB?full=1",
        "/api/v1/events?limit=1&limit=2",
    ],
)
async def test_a_bad_parameter_is_one_line_of_json(connect: Connect, path: str):
    status, answer = await ask(connect, FakeAgent(), path)
    assert status == 400
    assert list(answer) == ["error"]
    assert "\n" not in answer["error"]


async def test_an_unknown_path_under_api_is_404_as_json(connect: Connect):
    assert await ask(connect, FakeAgent(), "/api/v2/targets") == (404, {"error": "nothing here"})
