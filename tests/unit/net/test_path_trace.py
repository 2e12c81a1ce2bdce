"""Traces on loopback: no hop lies between, so every packet arrives; how routers answer is tried in the lab."""

import asyncio
import sys

import msgspec
import pytest

from probe.model.endpoint import Endpoint
from probe.model.experiment import Grant, Traffic
from probe.model.failure import FailureCode
from probe.model.path_trace import HopAnswer
from probe.net.capabilities import Capabilities
from probe.net.path_trace import trace_name, trace_syn
from probe.net.stack import Stack
from tests.fakes import OpenGate, make_context

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs IP_RECVERR")


async def trace(closed: bool, named: bool, capable: bool = True):
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    endpoint = Endpoint(address="127.0.0.1", port=server.sockets[0].getsockname()[1])
    if closed:
        server.close()
        await server.wait_closed()
    stack = Stack.open()
    if not capable:
        stack.capabilities = Capabilities()
    ctx = make_context(stack)
    seen = await (trace_name(ctx, endpoint, "a.example", (3, 1)) if named else trace_syn(ctx, endpoint, (3, 1)))
    server.close()
    await stack.close()
    assert ctx.journal.observations == [seen]
    assert len(ctx.gate.asked) == len(ctx.gate.released)
    return seen


@linux
def test_a_syn_that_arrives_is_answered_or_reset():
    for closed, answer in ((False, HopAnswer.ANSWERED), (True, HopAnswer.RESET)):
        seen = asyncio.run(trace(closed, named=False))
        assert [(hop.ttl, hop.answer) for hop in seen.hops] == [(1, answer), (3, answer)]


@linux
def test_a_hello_needs_an_open_connection_and_may_be_hung_up_on():
    ended = asyncio.run(trace(closed=False, named=True))
    assert {hop.answer for hop in ended.hops} <= {HopAnswer.FIN, HopAnswer.RESET}
    assert ended.payload_bytes > 0
    unopened = asyncio.run(trace(closed=True, named=True))
    assert {hop.answer for hop in unopened.hops} == {HopAnswer.UNOPENED}


def test_without_an_error_queue_there_is_no_trace_and_a_reason():
    seen = asyncio.run(trace(closed=False, named=False, capable=False))
    assert seen.hops == ()
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.NO_PROTOCOL_OPTION
    assert msgspec.json.decode(msgspec.json.encode(seen), type=type(seen)) == seen


class FullHouse(OpenGate):
    """Never has a seat to give."""

    async def ask(self, traffic: Traffic, endpoint: Endpoint | None, holder: str) -> Grant:
        await asyncio.Event().wait()
        raise AssertionError


@linux
def test_a_place_that_others_hold_leaves_the_trace_without_hops_and_in_time():
    async def trace_in_vain():
        stack = Stack.open()
        ctx = make_context(stack, gate=FullHouse(), timeout_s=0.1)
        seen = await trace_syn(ctx, Endpoint(address="127.0.0.1", port=9), (3, 1))
        await stack.close()
        return seen

    seen = asyncio.run(asyncio.wait_for(trace_in_vain(), 5))
    assert {hop.answer for hop in seen.hops} <= {HopAnswer.INSTRUMENT}
