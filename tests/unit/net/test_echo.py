"""ICMP echo on loopback, by whichever socket this host allows."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from probe.model.experiment import Traffic
from probe.model.failure import FailureCode, Stage
from probe.model.observation import ICMPEcho
from probe.net.capabilities import Capabilities, probe_capabilities
from probe.net.context import Context
from probe.net.echo import echo
from probe.net.stack import Stack
from tests.fakes import OpenGate, make_context

HOST = probe_capabilities()
any_echo = pytest.mark.skipif(not (HOST.ping_socket or HOST.raw_socket), reason="no ICMP socket allowed here")


@pytest.fixture
async def ctx() -> AsyncIterator[Context]:
    stack = Stack.open()
    yield make_context(stack, timeout_s=1.0)
    await stack.close()


def only(ctx: Context) -> ICMPEcho:
    (seen,) = ctx.journal.observations
    assert isinstance(seen, ICMPEcho)
    return seen


@any_echo
@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1"])
async def test_loopback_answers_with_its_ttl(ctx: Context, address: str) -> None:
    assert await echo(ctx, address)
    seen = only(ctx)
    assert (seen.address, seen.failure, seen.ip_ttl) == (address, None, 64)
    assert seen.t0_s < seen.t_s
    assert isinstance(ctx.gate, OpenGate)
    assert [grant.traffic for grant in ctx.gate.released] == [Traffic.ECHO]


async def test_without_any_socket_it_is_a_lack_of_permission() -> None:
    stack = Stack.open(capabilities=Capabilities())
    ctx = make_context(stack)
    for address in ("127.0.0.1", "::1"):
        assert not await echo(ctx, address)
    for seen in ctx.journal.observations:
        assert isinstance(seen, ICMPEcho)
        assert seen.failure is not None
        assert (seen.failure.stage, seen.failure.code) == (Stage.ECHO, FailureCode.PERMISSION_DENIED)
    await stack.close()


@any_echo
async def test_a_ttl_that_the_kernel_does_not_say_is_missing() -> None:
    masked = msgspec.structs.replace(HOST, reply_ttl=False, error_queue=False)
    stack = Stack.open(capabilities=masked)
    ctx = make_context(stack)
    assert await echo(ctx, "127.0.0.1")
    assert only(ctx).ip_ttl is None
    await stack.close()
