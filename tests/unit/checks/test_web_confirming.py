"""A quicker TLS library may say that a target is still fine; when it does not, OpenSSL looks again and is judged."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
import pytest

from probe.classify.facts.symptom import find_symptom
from probe.classify.tries import Layer, build_tries
from probe.model.failure import FailureCode
from probe.model.observation import HTTPExchange, Observation, Role, TCPConnect, TLSHandshake
from probe.model.settings import TLSLibrary
from probe.net.quick_tls import HELLO_SHAPE, load_quick_tls
from tests.unit.checks.world import PAGE, Behaviour, World, assert_all_released, open_world, seen

pytest.importorskip("rtls", reason="the extra `fast` is not installed")


@contextlib.asynccontextmanager
async def quick_world(**names: list[str]) -> AsyncIterator[World]:
    """Open a world that has the quicker library."""
    async with open_world(**names) as world:
        world.stack.trust.quick = load_quick_tls(TLSLibrary.RUSTLS, world.stack.trust.pem)
        yield world


def relay_if(wanted: int, port: int) -> Behaviour:
    """Return a behaviour that passes connections on whose first bytes are at most so many, and drops the others."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = await reader.read(4096)
        if len(hello) > wanted:
            writer.close()
            return
        to, back = await asyncio.open_connection("127.0.0.1", port)
        back.write(hello)
        await asyncio.gather(_pipe(reader, back), _pipe(to, writer))

    return behave


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(4096):
            writer.write(data)
    writer.close()


async def test_a_target_that_is_still_fine_costs_one_quick_handshake() -> None:
    async with quick_world(a_test=["127.0.0.1"]) as world:
        port = await world.serve(world.answer(PAGE), certificate_for=("a.test",))
        ctx = await world.check(host="a.test", port=port, secure=True, confirms=True)
        (handshake,) = seen(ctx, TLSHandshake)
        assert (handshake.hello_shape, handshake.verified, handshake.role) == (HELLO_SHAPE, True, Role.TARGET)
        assert handshake.hello_bytes > 1000
        assert all(isinstance(der, bytes) for der in handshake.chain)
        assert msgspec.json.decode(msgspec.json.encode(handshake), type=Observation) == handshake
        assert seen(ctx, HTTPExchange)[0].status == 200
        assert_all_released(ctx)


async def test_without_an_earlier_success_openssl_shakes_hands() -> None:
    async with quick_world(a_test=["127.0.0.1"]) as world:
        port = await world.serve(world.answer(PAGE), certificate_for=("a.test",))
        ctx = await world.check(host="a.test", port=port, secure=True)
        (handshake,) = seen(ctx, TLSHandshake)
        assert handshake.hello_shape == "stock"


async def test_a_quick_handshake_that_fails_is_followed_by_one_that_counts() -> None:
    async with quick_world(a_test=["127.0.0.1"]) as world:
        inner = await world.serve(world.answer(PAGE), certificate_for=("a.test",))
        port = await world.serve(relay_if(1000, inner))
        ctx = await world.check(host="a.test", port=port, secure=True, confirms=True)
        first, second = seen(ctx, TLSHandshake)
        assert first.failure is not None
        assert (first.role, first.hello_shape) == (Role.EXPERIMENT, HELLO_SHAPE)
        assert (second.role, second.hello_shape, second.verified) == (Role.TARGET, "stock", True)
        assert len(seen(ctx, TCPConnect)) == 2
        assert seen(ctx, HTTPExchange)[0].status == 200
        assert_all_released(ctx)


async def test_what_only_the_quick_library_saw_is_in_no_table_and_no_symptom() -> None:
    async with quick_world(a_test=["127.0.0.1"]) as world:
        inner = await world.serve(world.answer(PAGE), certificate_for=("a.test",))
        port = await world.serve(relay_if(1000, inner))
        ctx = await world.check(host="a.test", port=port, secure=True, confirms=True)
        rows = build_tries(tuple(ctx.journal.observations), ())
        assert [row.outcome.value for row in rows if row.layer is Layer.TLS] == ["ok"]
        assert not find_symptom(tuple(ctx.journal.observations))


async def test_a_peer_that_is_not_who_was_meant_is_judged_by_openssls_word() -> None:
    async with quick_world(a_test=["127.0.0.1"]) as world:
        port = await world.serve(world.answer(PAGE), certificate_for=("other.test",))
        ctx = await world.check(host="a.test", port=port, secure=True, confirms=True)
        quick, stock = seen(ctx, TLSHandshake)
        assert quick.role is Role.EXPERIMENT
        assert stock.failure is not None
        assert stock.failure.code is FailureCode.SSL_INVALID_HOSTNAME
        assert stock.chain
        assert seen(ctx, HTTPExchange) == []
        assert world.requests == []
