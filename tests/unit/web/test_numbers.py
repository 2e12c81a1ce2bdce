"""What is counted in several places is the same figure in each: pages, JSON, metrics, and the terminal."""

import json
from collections import Counter

import aiohttp
import msgspec
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse

from probe.cli.contact import Contact
from probe.cli.glances import HttpSource
from probe.export.text.words import MARKS, name_status
from probe.model.verdict import Status
from tests.browser.serving import Serving
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.fakes import FakeAgent
from tests.unit.web.reading import Reader

PATHS = ("/api/v1/vantage", "/api/v1/targets", "/api/v1/heatmap", "/metrics", "/")
HOW_MANY = {status: number for number, status in enumerate(Status, 1)}


def make_agent() -> FakeAgent:
    every = [status for status, count in HOW_MANY.items() for _ in range(count)]
    return FakeAgent([make_snapshot(number, status) for number, status in enumerate(every)])


async def fetch(url: str) -> str:
    headers = {"Accept": "application/openmetrics-text"}
    async with aiohttp.ClientSession(headers=headers) as session, session.get(url) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_every_page_answer_and_metric_counts_the_same():
    with Serving(make_agent()) as serving:
        glance = await HttpSource(Contact(url=serving.url)).look(1000)
        pages = {path: await fetch(serving.url + path) for path in PATHS}
    total = sum(HOW_MANY.values())
    assert glance.counts == HOW_MANY
    assert Counter(row.status for row in glance.rows) == HOW_MANY
    vantage, targets, heat = (json.loads(pages[path]) for path in PATHS[:3])
    assert vantage["statuses"] == {status.value: count for status, count in HOW_MANY.items()}
    assert vantage["targets"] == targets["total"] == heat["total"] == len(targets["targets"]) == total
    assert Counter(row["status"] for row in targets["targets"]) == vantage["statuses"]
    reachable = sum(count for status, count in HOW_MANY.items() if status.reachable)
    samples = [s for family in parse(pages["/metrics"]) for s in family.samples if s.value == 1]
    shown = Counter(s.labels["status"] for s in samples if s.name == "wallprobe_target_status")
    assert shown == vantage["statuses"]
    assert sum(s.name == "wallprobe_target_reachable" for s in samples) == reachable
    read = Reader(pages["/"]).text
    for status, count in HOW_MANY.items():
        assert f" {count} {MARKS[status]} {name_status(status)} " in read
    assert f"{total} all targets" in read
    assert f"{total} targets, worst first" in read


async def test_since_is_that_of_what_is_shown_or_nothing():
    agent = make_agent()
    turned = agent.snapshots()[0]
    assert turned.episode is not None
    episode = msgspec.structs.replace(turned.episode, status=Status.OK)
    blocked = msgspec.structs.replace(make_snapshot(0, Status.BLOCKED), episode=episode)
    agent.put([blocked, make_snapshot(1, Status.BLOCKED)])
    with Serving(agent) as serving:
        rows = (await HttpSource(Contact(url=serving.url)).look(10)).rows
        page = Reader(await fetch(f"{serving.url}/targets/{blocked.target.id}")).text
    since = {row.id: row.since for row in rows}
    assert since[blocked.target.id] is None, "it was ok so long, and is not blocked since then"
    assert since[make_snapshot(1).target.id] is not None
    assert "Not confirmed yet" in page
