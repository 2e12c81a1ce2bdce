"""TTL floors on loopback, where a server may send with any TTL: its own, and that of who would speak in its place."""

import dataclasses
import socket
import sys

import pytest

from probe.model.path_trace import HopAnswer, PathTrace
from probe.net.capabilities import LINUX_ONLY, mask_capabilities
from probe.net.stack import Stack
from probe.net.ttl_floor import MARGIN, compare_ttls
from tests.fakes import make_context
from tests.unit.net.misbehaving import Behaviour, open_stack, reset, serving, stay_silent, tls_context, tls_server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="an option of Linux's")

TEST, NEUTRAL = "test.example", "neutral.example"
SERVERS = 64
ANSWERED, SILENT, RESET = HopAnswer.ANSWERED, HopAnswer.SILENT, HopAnswer.RESET


def ends_with(ttl: int) -> Behaviour:
    """Shake hands with everybody; who says the test name is reset, by a packet with this TTL."""
    serve = tls_server(tls_context(NEUTRAL))

    def behave(peer: socket.socket) -> None:
        if TEST.encode() in peer.recv(4096, socket.MSG_PEEK):
            peer.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            peer.recv(4096)
            reset(peer)
        else:
            serve(peer)

    return behave


async def compare(
    behaviour: Behaviour, stack: Stack | None = None, **more: str
) -> dict[str, list[tuple[int, HopAnswer]]]:
    stack = stack or open_stack()
    ctx = dataclasses.replace(make_context(stack), experiment="x.1", hop=2)
    with serving(behaviour) as endpoint:
        await compare_ttls(ctx, endpoint, TEST, NEUTRAL, **more)
    await stack.close()
    assert len(ctx.gate.asked) == len(ctx.gate.released)
    found = {}
    for trace in ctx.journal.observations:
        assert isinstance(trace, PathTrace)
        assert trace.kind.is_floor
        assert (trace.experiment, trace.hop) == ("x.1", 2)
        found[trace.server_name] = [(hop.ttl, hop.answer) for hop in trace.hops]
    return found


async def test_the_servers_ttl_is_found_in_few_connections():
    opened = (await compare(ends_with(SERVERS)))[""]
    assert max(floor for floor, answer in opened if answer is ANSWERED) == SERVERS
    assert min(floor for floor, answer in opened if answer is SILENT) == SERVERS + 1
    assert len(opened) <= 9


async def test_a_reset_with_the_servers_own_ttl_shows_nothing():
    found = await compare(ends_with(SERVERS))
    assert found[TEST] == [(SERVERS + 1 + MARGIN, SILENT), (SERVERS - MARGIN, RESET)]
    assert found[NEUTRAL] == [(SERVERS + 1 + MARGIN, SILENT), *[(SERVERS - MARGIN, ANSWERED)] * 2]


async def test_a_reset_from_nearer_is_heard_where_the_server_is_not():
    found = await compare(ends_with(100))
    assert found[TEST] == [(SERVERS + 1 + MARGIN, RESET)] * 2


async def test_a_reset_with_a_lower_ttl_is_lost_and_comes_without_a_floor():
    found = await compare(ends_with(40))
    below = SERVERS - MARGIN
    assert found[TEST] == [(SERVERS + 1 + MARGIN, SILENT), (below, SILENT), (0, RESET), (below, SILENT)]
    assert all(answer is ANSWERED for floor, answer in found[NEUTRAL] if floor <= SERVERS)


async def test_no_name_is_said_where_a_neutral_one_does_not_pass():
    assert set(await compare(stay_silent)) == {"", NEUTRAL}


async def test_a_request_in_the_clear_is_compared_alike():
    def behave(peer: socket.socket) -> None:
        said = peer.recv(4096)
        if TEST.encode() in said:
            peer.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 100)
            reset(peer)
        elif said:
            peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            peer.close()

    found = await compare(behave, path="/")
    assert found[TEST] == [(SERVERS + 1 + MARGIN, RESET)] * 2


async def test_a_host_without_the_option_says_nothing_at_all():
    stack = open_stack()
    stack.capabilities = mask_capabilities(stack.capabilities, ",".join(LINUX_ONLY))
    assert await compare(ends_with(100), stack) == {}
