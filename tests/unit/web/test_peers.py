"""An agent asked by another: by the real client, over the real server, with what it says of its own targets."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp.test_utils import TestServer

from probe.control.client import ControlClient
from probe.control.policy import Policy
from probe.control.tokens import hash_token
from probe.model.control import ControlKind, ControlRequest
from probe.model.observation import HTTPExchange
from probe.model.settings import ControlSettings, PeerSettings, Settings, TokenEntry
from probe.model.target import CheckName, Exposure, SecretRef
from probe.model.verdict import Status
from probe.web.limits import DEFAULT_LIMITS
from probe.web.peers import Peers
from probe.web.server import build_app
from tests.unit.checks.world import PAGE, World, open_world
from tests.unit.control.place import ANYWHERE
from tests.unit.export.snapshots import NOW, make_snapshot
from tests.unit.web.fakes import FakeAgent

TOKEN = "wpc_" + "p" * 43
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ENTRY = TokenEntry(name="ber-2", sha256=hash_token(TOKEN), per_minute=600)
PEERS = PeerSettings(tokens=(ENTRY,))
NAMES = {"www.site-00000.example": ["127.0.0.1"]}
MEASURE, VERDICTS = "/api/v1/peer/measure", "/api/v1/peer/verdicts"


@contextlib.asynccontextmanager
async def open_agent(
    agent: FakeAgent, peers: PeerSettings = PEERS, policy: Policy = ANYWHERE
) -> AsyncIterator[tuple[World, str]]:
    """Serve an agent's web with its routes for peers."""
    async with open_world() as world:
        world.names.update(NAMES)
        routes = Peers(agent, Settings(peers=peers), world.stack, policy=policy).routes()
        server = TestServer(build_app(agent, DEFAULT_LIMITS, routes=routes))
        await server.start_server()
        try:
            yield world, str(server.make_url("")).rstrip("/")
        finally:
            await server.close()


async def ask(method: str, url: str, **fields: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.request(method, url, **fields) as response:
        return response.status, msgspec.json.decode(await response.read())


async def test_a_peer_measures_for_us_and_says_what_it_knows() -> None:
    agent = FakeAgent([make_snapshot(status=Status.BLOCKED)])
    async with open_agent(agent) as (world, url):
        port = await world.serve(world.answer(PAGE))
        settings = (ControlSettings(url=url, kind=ControlKind.PEER, name="fra-1", token=SecretRef(source="env:T")),)
        client = ControlClient(settings, world.stack, environ={"T": TOKEN}, families=(4,))
        report = await client.ask(
            ControlRequest(check=CheckName.WEB, host="www.site-00000.example", port=port, secure=False, families=(4,))
        )
        assert await client.find_echo() is None
        await client.close()
    assert (report.failure, report.kind) == ("", ControlKind.PEER)
    assert [seen.status for seen in report.observations if isinstance(seen, HTTPExchange)] == [200]
    (known,) = report.known
    assert (known.target, known.status, known.since) == ("https://www.site-00000.example/", Status.BLOCKED, NOW - 600)


async def test_fresh_verdicts_are_listed_and_those_of_private_targets_and_stale_ones_are_not() -> None:
    shown, private, stale, old = (make_snapshot(number, Status.BLOCKED) for number in range(4))
    replace = msgspec.structs.replace
    hidden = replace(private, target=replace(private.target, exposure=Exposure.PRIVATE))
    agent = FakeAgent([shown, hidden, replace(stale, stale=True), replace(old, valid_until=NOW - 1)])
    async with open_agent(agent) as (_, url):
        status, answer = await ask("GET", url + VERDICTS, headers=BEARER)
    assert (status, answer["vantage"]) == (200, agent.vantage().id)
    assert [known["target"] for known in answer["verdicts"]] == [shown.target.address]


@pytest.mark.parametrize(("method", "path"), [("POST", MEASURE), ("GET", VERDICTS)])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wpc_wrong"}])
async def test_strangers_get_nothing_not_even_from_loopback(method: str, path: str, headers: dict[str, str]) -> None:
    async with open_agent(FakeAgent()) as (_, url):
        status, answer = await ask(method, url + path, headers=headers, data=b"{}")
    assert (status, answer) == (401, {"error": "a token is needed"})


async def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    slow = PeerSettings(tokens=(msgspec.structs.replace(ENTRY, per_minute=4),))
    async with open_agent(FakeAgent(), slow) as (_, url):
        statuses = [(await ask("GET", url + VERDICTS, headers=BEARER))[0] for _ in range(3)]
    assert statuses == [200, 429, 429]


async def test_nothing_private_and_no_odd_port_is_measured_for_a_peer() -> None:
    async with open_agent(FakeAgent(), policy=Policy()) as (_, url):
        site = {"check": "web", "host": "www.site-00000.example", "port": 443}
        status, answer = await ask("POST", url + MEASURE, headers=BEARER, json=site)
        odd, _ = await ask("POST", url + MEASURE, headers=BEARER, json=site | {"port": 25})
    assert (status, odd) == (200, 403)
    assert {seen["type"] for seen in answer["observations"]} == {"dns"}


async def test_an_agent_that_serves_no_peers_has_no_such_page() -> None:
    server = TestServer(build_app(FakeAgent(), DEFAULT_LIMITS))
    await server.start_server()
    async with aiohttp.ClientSession() as session:
        answer = await session.get(server.make_url(VERDICTS), headers=BEARER)
        assert answer.status == 404
    await server.close()
