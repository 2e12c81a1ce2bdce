"""The document is held against what is served: every path, every parameter, every answer."""

import gzip
import json
from typing import Any

import msgspec
import pytest
from aiohttp import web
from jsonschema import Draft202012Validator

from probe.model.cell import encode_cell
from probe.model.episode import Event, EventKind, Interval
from probe.model.pattern import Pattern
from probe.model.verdict import Status
from probe.store.values import Run, Spread
from probe.web.limits import DEFAULT_LIMITS
from probe.web.openapi import ENDPOINTS, PATH, build_openapi
from probe.web.server import build_app
from tests.browser.seed import BASELINE
from tests.golden.test_golden import RULES
from tests.unit.export.snapshots import NOW, make_snapshot
from tests.unit.web.conftest import Connect
from tests.unit.web.fakes import FakeAgent
from tests.unit.web.test_target_page import measure

ID = make_snapshot().target.id
EXAMPLES = {"status": "blocked", "pattern": "tls.reset", "since": "2023-11-14T00:00:00Z", "span": "week", "limit": "2"}
PLAIN = {"Accept-Encoding": "identity"}


def make_agent() -> FakeAgent:
    agent = FakeAgent([make_snapshot(0), make_snapshot(1, Status.BLOCKED), make_snapshot(2, Status.DOWN)])
    agent.baseline_now = BASELINE
    took = Spread(min_s=0.1, mean_s=0.2, max_s=0.3)
    agent.all_runs = [Run(target=ID, first_at=NOW, last_at=NOW, runs=1, status=Status.OK, durations=took)]
    since = Interval(last_before=None, first_in=NOW)
    agent.all_events = [Event(kind=EventKind.ONSET, at=NOW, target=ID, since=since, after=Status.DOWN)]
    agent.hours[int(agent.now_s // 3600)] = bytes(4) + bytes([encode_cell(Status.OK)] * 8)
    for rule in RULES:
        agent.kept_whole[rule] = measure(rule, id=rule)
    return agent


def validate(path: str, code: int, answer: object) -> None:
    document = build_openapi()
    schema = document["paths"][path]["get"]["responses"][str(code)]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(answer)


async def ask(connect: Connect, path: str) -> tuple[int, Any]:
    response = await (await connect(make_agent())).get(path, headers=PLAIN)
    return response.status, json.loads(await response.read())


async def test_the_document_is_served_and_its_schemas_are_schemas(connect: Connect):
    code, document = await ask(connect, PATH)
    assert code == 200
    assert document == json.loads(json.dumps(build_openapi()))
    assert document["openapi"] == "3.1.0"
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


async def test_every_endpoint_is_described_and_nothing_else():
    app: web.Application = build_app(FakeAgent(), DEFAULT_LIMITS)
    served = {resource.canonical for resource in app.router.resources() if resource.canonical.startswith("/api/")}
    assert served == {PATH, *ENDPOINTS}


@pytest.mark.parametrize("path", [path for path in ENDPOINTS if "{" not in path])
async def test_an_answer_is_as_described(connect: Connect, path: str):
    code, answer = await ask(connect, path)
    assert code == 200
    validate(path, 200, answer)


@pytest.mark.parametrize("rule", RULES)
async def test_any_measurement_is_as_described(connect: Connect, rule: str):
    code, answer = await ask(connect, f"/api/v1/measurements/{rule}")
    assert code == 200
    validate("/api/v1/measurements/{id}", 200, answer)


def _parameters() -> list[tuple[str, str]]:
    return [(path, one["name"]) for path, (_, _, found) in ENDPOINTS.items() for one in found if one["in"] == "query"]


@pytest.mark.parametrize(("path", "name"), _parameters())
async def test_every_parameter_that_is_described_is_known(connect: Connect, path: str, name: str):
    code, answer = await ask(connect, f"{path}?{name}={EXAMPLES.get(name, '0')}")
    assert code == 200
    validate(path, 200, answer)


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_a_parameter_that_is_not_described_is_refused_as_described(connect: Connect, path: str):
    code, answer = await ask(connect, path.replace("{id}", "x") + "?colour=red")
    assert code == 400
    validate(path, 400, answer)


async def test_bounds_of_numbers_are_those_that_are_described(connect: Connect):
    for path, (_, _, found) in ENDPOINTS.items():
        for one in (one for one in found if one["schema"]["type"] == "integer"):
            low, high = one["schema"]["minimum"], one["schema"]["maximum"]
            for value, expected in ((low, 200), (high, 200), (low - 1, 400), (high + 1, 400)):
                assert (await ask(connect, f"{path}?{one['name']}={value}"))[0] == expected


async def test_a_heat_map_can_be_read_back(connect: Connect):
    _, answer = await ask(connect, "/api/v1/heatmap?limit=2")
    assert (answer["total"], answer["next_offset"], len(answer["rows"])) == (3, 2, 2)
    target, address, status, since, pattern, confidence, runs = answer["rows"][0]
    found = (target, status, pattern, confidence)
    assert found == (make_snapshot(1).target.id, "blocked", "tls.reset.sni", 2)
    assert address.startswith("https://")
    assert since == pytest.approx(make_snapshot(1).episode.since.first_in)  # type: ignore[union-attr]
    assert sum(runs[1::2]) == answer["cells"] == 96
    assert answer["statuses"][runs[-2] >> 4] == "ok"
    assert answer["layers"][runs[-2] & 15] == ""


async def test_ten_thousand_targets_over_time_fit_400_kb(connect: Connect):
    agent = FakeAgent([make_snapshot(number, Status.OK if number % 10 else Status.BLOCKED) for number in range(10_000)])
    for back in range(25):
        codes = bytes([encode_cell(Status.OK)] * 4) * 10_001
        blocked = bytes([encode_cell(Status.BLOCKED, Pattern.TLS_RESET)])
        some = bytearray(codes)
        for number in range(back, 10_000, 97):
            some[4 * number : 4 * number + 1] = blocked
        agent.hours[int(agent.now_s // 3600) - back] = bytes(some)
    client = await connect(agent)
    response = await client.get("/api/v1/heatmap?limit=10000", headers={"Accept-Encoding": "gzip"})
    packed = await response.read()
    assert len(packed) < 400_000
    assert len(msgspec.json.decode(gzip.decompress(packed))["rows"]) == 10_000
