"""Follow-ups over real sockets: each makes its one step and its observations carry its id."""

import dataclasses
import sys
import time
from typing import Any

import pytest

from probe.checks.experiment import run_experiment
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Step
from probe.model.observation import DNSLookup, HTTPExchange, Resolver, Role, TCPConnect, TLSHandshake, Transport
from probe.model.path_trace import PathTrace, TraceKind
from probe.model.target import CheckName, Target
from probe.net.context import Context
from probe.net.lookup import lookup
from tests.fakes import make_context
from tests.unit.checks.world import PAGE, World, assert_all_released, hang_up, keep_silent, open_world, seen
from tests.unit.net.fake_resolver import Reply, build_reply, run_resolver

TARGET = Target(id="t", check=CheckName.WEB, address="https://a.test/", host="a.test", port=443)


async def follow_up(world: World, step: Step, port: int | None, **fields: Any) -> Context:
    given: dict[str, Any] = {"id": "x.1", "design": Design.SNI, "name": "a.test", "name_kind": NameKind.TEST, "hop": 3}
    endpoint = None if port is None else Endpoint(address="127.0.0.1", port=port)
    experiment = Experiment(**(given | {"step": step, "endpoint": endpoint} | fields))
    ctx = make_context(world.stack, families=(4,), hold_s=0.05)
    await run_experiment(experiment, ctx, TARGET)
    assert ctx.journal.observations
    for observation in ctx.journal.observations:
        assert (observation.role, observation.experiment, observation.hop) == (Role.EXPERIMENT, "x.1", 3)
    assert_all_released(ctx)
    return ctx


async def test_connect_connects_and_no_more():
    async with open_world() as world:
        ctx = await follow_up(world, Step.CONNECT, await world.serve(keep_silent))
        (attempt,) = ctx.journal.observations
        assert isinstance(attempt, TCPConnect)
        assert attempt.failure is None


@pytest.mark.skipif(sys.platform != "linux", reason="an option of Linux's")
async def test_floors_are_found_before_any_name_is_said():
    async with open_world() as world:
        port = await world.serve(keep_silent)
        opened, said = seen(await follow_up(world, Step.MIN_TTL, port, beside="neutral.test"), PathTrace)
        assert (opened.kind, said.kind) == (TraceKind.FLOOR_SYN, TraceKind.FLOOR_HELLO)
        assert said.server_name == "neutral.test"


async def test_hold_waits_on_an_idle_connection():
    async with open_world() as world:
        (attempt,) = seen(await follow_up(world, Step.HOLD, await world.serve(keep_silent)), TCPConnect)
        assert attempt.held_s == pytest.approx(0.3, abs=0.1)
        assert attempt.held_ending is None


@pytest.mark.parametrize(
    ("kind", "name", "sni", "verified"),
    [
        (NameKind.TEST, "a.test", "a.test", True),
        (NameKind.NEUTRAL, "neutral.test", "neutral.test", False),
        (NameKind.NONE, "a.test", "", False),
    ],
)
async def test_a_handshake_asks_for_proof_only_of_the_tested_name(kind, name, sni, verified):
    async with open_world() as world:
        port = await world.serve(keep_silent, certificate_for=("a.test",))
        (handshake,) = seen(await follow_up(world, Step.HANDSHAKE, port, name=name, name_kind=kind), TLSHandshake)
        assert (handshake.failure, handshake.server_name, handshake.verified) == (None, sni, verified)


async def test_a_handshake_with_another_site_is_untrusted():
    async with open_world() as world:
        port = await world.serve(keep_silent, certificate_for=("other.test",))
        (handshake,) = seen(await follow_up(world, Step.HANDSHAKE, port), TLSHandshake)
        assert handshake.failure is not None


async def test_a_page_is_fetched_by_its_name_from_the_address_given():
    async with open_world() as world:
        port = await world.serve(world.answer(PAGE))
        ctx = await follow_up(world, Step.FETCH, port, secure=False, path="/p", name="neutral.test")
        (exchange,) = seen(ctx, HTTPExchange)
        assert (exchange.status, exchange.title) == (200, "Ok")
        assert world.requests[0].startswith(f"GET /p HTTP/1.1\r\nHost: neutral.test:{port}\r\n".encode())


async def test_a_page_is_fetched_over_tls():
    async with open_world() as world:
        port = await world.serve(world.answer(PAGE), certificate_for=("a.test",))
        ctx = await follow_up(world, Step.FETCH, port)
        assert [type(observation) for observation in ctx.journal.observations] == [
            TCPConnect,
            TLSHandshake,
            HTTPExchange,
        ]


async def test_a_fetch_follows_no_redirect():
    async with open_world() as world:
        port = await world.serve(world.answer(b"HTTP/1.1 302 Go\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"))
        ctx = await follow_up(world, Step.FETCH, port, secure=False)
        assert [exchange.status for exchange in seen(ctx, HTTPExchange)] == [302]


async def test_a_fetch_without_a_connection_ends_there():
    async with open_world() as world:
        ctx = await follow_up(world, Step.FETCH, 9)
        assert [type(observation) for observation in ctx.journal.observations] == [TCPConnect]


async def test_a_resolver_is_asked_and_listened_to():
    async with open_world(a_test=["127.0.0.1"]) as world:
        (system,) = world.stack.names.resolvers()
        resolver = Resolver(transport=Transport.UDP, endpoint=system.endpoint)
        ctx = await follow_up(world, Step.LOOKUP, None, resolver=resolver, design=Design.RESOLVERS)
        (lookup,) = seen(ctx, DNSLookup)
        assert (lookup.addresses, lookup.resolver) == (("127.0.0.1",), resolver)
        assert lookup.held_s >= 0.04


async def test_without_a_resolver_the_operating_system_is_asked():
    async with open_world() as world:
        ctx = await follow_up(world, Step.LOOKUP, None, name="localhost", design=Design.SYSTEM)
        (lookup,) = seen(ctx, DNSLookup)
        assert lookup.resolver.transport is Transport.GETADDRINFO


async def test_a_delay_is_waited_out():
    async with open_world() as world:
        port = await world.serve(hang_up)
        started = time.perf_counter()
        await follow_up(world, Step.CONNECT, port, delay_s=0.2)
        assert time.perf_counter() - started >= 0.2


async def test_a_plan_that_says_nowhere_to_go_is_our_own_mistake():
    async with open_world() as world:
        with pytest.raises(ValueError, match=r"x\.1"):
            await follow_up(world, Step.CONNECT, None)


@pytest.mark.parametrize(("first", "listens_s"), [("a.test", 0.7), ("other.test", 1.5)])
async def test_what_the_server_was_asked_before_is_listened_for_no_longer_than_a_round_trip(first, listens_s):
    """Its true answer is ready: a repeat that waits as long as a first question doubles the time to the verdict."""

    def denies(query: bytes) -> list[Reply]:
        return [Reply(build_reply(query, rcode=3))]

    async with open_world() as world, run_resolver(denies) as fake:
        ctx = make_context(world.stack, families=(4,), hold_s=0.01)
        await lookup(ctx, fake.resolver, first, "A")
        repeat = Experiment(
            id="repeat.1", design=Design.REPEAT, step=Step.LOOKUP, name="a.test", name_kind=NameKind.TEST,
            resolver=fake.resolver,
        )  # fmt: skip
        await run_experiment(repeat, dataclasses.replace(ctx, hold_s=1.5), TARGET)
        asked = seen(ctx, DNSLookup)[-1]
        assert asked.held_s == pytest.approx(listens_s, abs=0.3)


async def test_a_question_that_was_lost_is_repeated_for_half_the_time():
    async with open_world() as world, run_resolver(lambda query: []) as fake:
        ctx = make_context(world.stack, families=(4,), hold_s=0.01, timeout_s=0.6)
        await lookup(ctx, fake.resolver, "a.test", "A")
        repeat = Experiment(
            id="repeat.1", design=Design.REPEAT, step=Step.LOOKUP, name="a.test", name_kind=NameKind.TEST,
            resolver=fake.resolver,
        )  # fmt: skip
        await run_experiment(repeat, ctx, TARGET)
        first, again = seen(ctx, DNSLookup)
        assert first.t_s - first.t0_s >= 0.59
        assert again.t_s - again.t0_s == pytest.approx(0.27, abs=0.15)
