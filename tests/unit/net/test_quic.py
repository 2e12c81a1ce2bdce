"""QUIC handshakes, questions for versions and HTTP/3 exchanges against servers on loopback."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from probe.lab.censor.quic import join_fragments, read_initials
from probe.model.endpoint import Endpoint
from probe.model.failure import FailureCode, Stage
from probe.model.observation import Ending, HTTPExchange, QUICHandshake, QUICStage
from probe.net.context import Context
from probe.net.datagrams import Datagrams
from probe.net.exchange_h3 import exchange_h3
from probe.net.quic import quic
from probe.net.quic_versions import ping_quic
from probe.protocols.engines.quic import QUICEngine
from probe.protocols.http.http1 import OutgoingRequest
from tests.fakes import OpenGate, make_context
from tests.unit.net.misbehaving import NAME, open_stack
from tests.unit.net.misbehaving import authority as known_authority
from tests.unit.net.quic_server import PAGE, hearing, serving_h3


@pytest.fixture
async def ctx() -> AsyncIterator[Context]:
    stack = open_stack()
    yield make_context(stack, gate=OpenGate(), timeout_s=5.0)
    await stack.close()


async def shake(ctx: Context, endpoint: Endpoint, **arguments: object) -> QUICHandshake:
    given = {"server_name": NAME} | arguments
    async with quic(ctx, endpoint, **given) as channel:  # type: ignore[arg-type]
        seen = ctx.journal.observations[-1]
        assert isinstance(seen, QUICHandshake)
        assert (channel is None) == (seen.failure is not None)
    return seen


def gate_of(ctx: Context) -> OpenGate:
    assert isinstance(ctx.gate, OpenGate)
    return ctx.gate


async def fetch(ctx: Context, endpoint: Endpoint, path: str) -> HTTPExchange:
    async with quic(ctx, endpoint, server_name=NAME) as channel:
        assert channel is not None
        return await exchange_h3(ctx, channel, OutgoingRequest(host=NAME, port=443, secure=True, path=path))


async def test_a_good_server_is_verified(ctx: Context) -> None:
    async with serving_h3(known_authority(), NAME) as endpoint:
        seen = await shake(ctx, endpoint)
    assert seen.failure is None
    assert seen.verified
    assert seen.stage is QUICStage.DONE
    assert seen.alpn == "h3"
    assert seen.version == 1
    assert seen.cipher.startswith("TLS_")
    assert len(seen.chain) >= 1
    assert seen.datagrams_sent >= 2
    assert seen.datagrams_received >= 1
    assert seen.bytes_sent >= 2400
    assert gate_of(ctx).asked == gate_of(ctx).released
    assert gate_of(ctx).hot == []


async def test_a_retry_does_not_stop_the_handshake(ctx: Context) -> None:
    async with serving_h3(known_authority(), NAME, retry=True) as endpoint:
        seen = await shake(ctx, endpoint)
    assert seen.verified


async def test_a_certificate_for_another_name_is_kept_and_not_believed(ctx: Context) -> None:
    async with serving_h3(known_authority(), "other.example") as endpoint:
        seen = await shake(ctx, endpoint)
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.SSL_INVALID_HOSTNAME
    assert seen.failure.stage is Stage.QUIC
    assert seen.verify_code == 62
    assert seen.chain
    assert not seen.verified


async def test_a_certificate_of_nobody_known_is_kept_and_not_believed(ctx: Context) -> None:
    from trustme import CA

    async with serving_h3(CA(), NAME) as endpoint:
        seen = await shake(ctx, endpoint)
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.SSL_UNKNOWN_AUTHORITY
    assert seen.chain


async def test_a_neutral_name_completes_without_being_asked_who_it_is(ctx: Context) -> None:
    async with serving_h3(known_authority(), "other.example") as endpoint:
        seen = await shake(ctx, endpoint, server_name="neutral.example", verify=False)
    assert seen.failure is None
    assert not seen.verified
    assert seen.server_name == "neutral.example"


async def test_no_common_protocol_is_the_servers_farewell(ctx: Context) -> None:
    async with serving_h3(known_authority(), NAME, alpn=("hq",)) as endpoint:
        seen = await shake(ctx, endpoint)
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.TLS_ALERT
    assert seen.close_code == 0x100 + 120


async def test_silence_times_out_is_told_to_the_planner_and_heats_the_place(ctx: Context) -> None:
    with hearing() as (_deaf, endpoint):
        short = make_context(ctx.stack, gate=ctx.gate, timeout_s=1.4)
        seen = await shake(short, endpoint)
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.TIMEOUT
    assert seen.stage is QUICStage.NOTHING
    assert [(silence.layer, silence.name) for silence in short.journal.silences] == [("quic", NAME)]
    assert gate_of(ctx).hot == [endpoint]
    assert seen.datagrams_sent >= 2


async def test_a_closed_port_is_refused_at_once(ctx: Context) -> None:
    with hearing() as (deaf, endpoint):
        deaf.close()
        seen = await shake(ctx, endpoint)
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.CONNECTION_REFUSED
    assert seen.t_s - seen.t0_s < 2
    assert gate_of(ctx).hot == []


async def test_garbage_is_no_quic_and_the_handshake_goes_on_waiting(ctx: Context) -> None:
    with hearing() as (deaf, endpoint):
        short = make_context(ctx.stack, gate=ctx.gate, timeout_s=1.0)
        trying = asyncio.create_task(shake(short, endpoint))
        await babble(deaf, b"\x00" * 40)
        seen = await trying
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.TIMEOUT
    assert seen.stage is QUICStage.GARBAGE
    assert seen.datagrams_received >= 1


async def babble(deaf: socket.socket, answer: bytes) -> None:
    """Answer the first datagram with these bytes."""
    deaf.setblocking(False)
    for _ in range(200):
        try:
            _, sender = deaf.recvfrom(2048)
        except BlockingIOError:
            await asyncio.sleep(0.01)
            continue
        deaf.sendto(answer, sender)
        return


async def test_a_server_says_which_versions_it_has_without_a_name(ctx: Context) -> None:
    async with serving_h3(known_authority(), NAME) as endpoint:
        assert await ping_quic(ctx, endpoint)
    seen = ctx.journal.observations[-1]
    assert isinstance(seen, QUICHandshake)
    assert seen.ping
    assert 1 in seen.versions
    assert seen.stage is QUICStage.VERSIONS
    assert seen.server_name == ""


async def test_a_silent_place_gets_three_pings_and_stays_cold(ctx: Context) -> None:
    with hearing() as (_deaf, endpoint):
        short = make_context(ctx.stack, gate=ctx.gate, timeout_s=2.0)
        assert not await ping_quic(short, endpoint)
    seen = short.journal.observations[-1]
    assert isinstance(seen, QUICHandshake)
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.TIMEOUT
    assert seen.datagrams_sent == 3
    assert len(short.journal.silences) == 1
    assert gate_of(ctx).hot == []


async def test_an_answer_that_is_no_negotiation_is_kept(ctx: Context) -> None:
    with hearing() as (deaf, endpoint):
        short = make_context(ctx.stack, gate=ctx.gate, timeout_s=0.5)
        trying = asyncio.create_task(ping_quic(short, endpoint))
        await babble(deaf, b"go away")
        assert not await trying
    seen = short.journal.observations[-1]
    assert isinstance(seen, QUICHandshake)
    assert seen.first_bytes == b"go away"
    assert seen.stage is QUICStage.GARBAGE


async def test_a_page_comes_over_http3(ctx: Context) -> None:
    async with serving_h3(known_authority(), NAME) as endpoint:
        page = await fetch(ctx, endpoint, "/here?x=1")
    assert page.failure is None
    assert page.over_quic
    assert page.status == 200
    assert page.title == "Third"
    assert page.body == PAGE
    assert dict(page.headers)["x-path"] == "/here?x=1"
    assert page.first_byte_s is not None
    assert page.bytes_received > 0


async def test_a_long_page_is_cut_at_the_limit(ctx: Context) -> None:
    async with serving_h3(known_authority(), NAME) as endpoint:
        page = await fetch(ctx, endpoint, "/long")
    assert page.failure is None
    assert page.body_truncated
    assert len(page.body) == ctx.body_limit_bytes


async def test_a_server_that_closes_instead_of_answering_ended_it(ctx: Context) -> None:
    async with serving_h3(known_authority(), NAME) as endpoint:
        page = await fetch(ctx, endpoint, "/close")
    assert page.failure is not None
    assert page.failure.code is FailureCode.EOF
    assert page.ending is Ending.FIN


async def test_a_server_that_never_answers_times_out(ctx: Context) -> None:
    async with serving_h3(known_authority(), NAME) as endpoint:
        short = make_context(ctx.stack, gate=ctx.gate, timeout_s=1.5)
        page = await fetch(short, endpoint, "/mute")
    assert page.failure is not None
    assert page.failure.code is FailureCode.TIMEOUT
    assert page.status == 0


@pytest.mark.parametrize("port", [443, 40000, 60999, 65000])
def test_the_source_port_lies_above_the_peers(ctx: Context, port: int) -> None:
    for _ in range(20):
        socket_ = Datagrams(Endpoint(address="127.0.0.1", port=port), ctx.stack.capabilities, ctx.stack.clock)
        assert socket_.local_port > port
        socket_.close()


@pytest.mark.parametrize("port", [1025, 20000, 65535])
def test_a_low_source_port_is_not_above_the_peers(ctx: Context, port: int) -> None:
    for _ in range(20):
        where = Endpoint(address="127.0.0.1", port=port)
        socket_ = Datagrams(where, ctx.stack.capabilities, ctx.stack.clock, low_port=True)
        assert 1024 <= socket_.local_port <= port
        socket_.close()


def test_where_no_low_port_is_to_be_had_our_own_host_is_to_blame(ctx: Context) -> None:
    where = Endpoint(address="127.0.0.1", port=1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        with contextlib.suppress(PermissionError):  # the usual case: a low port takes a privilege
            taken.bind(("0.0.0.0", 1))
        with pytest.raises(PermissionError):
            Datagrams(where, ctx.stack.capabilities, ctx.stack.clock, low_port=True)


async def test_a_handshake_from_a_low_port_says_so_in_its_observation(ctx: Context) -> None:
    async with serving_h3(known_authority(), NAME) as endpoint:
        seen = await shake(ctx, endpoint, low_port=True)
    assert seen.verified
    assert 1024 <= seen.local_port <= endpoint.port


async def test_two_tries_never_share_a_four_tuple(ctx: Context) -> None:
    async with serving_h3(known_authority(), NAME) as endpoint:
        first = await shake(ctx, endpoint)
        second = await shake(ctx, endpoint)
    assert first.local_port != second.local_port


async def test_a_large_hello_completes_and_its_name_is_in_the_second_datagram(ctx: Context) -> None:
    async with serving_h3(known_authority(), NAME) as endpoint:
        seen = await shake(ctx, endpoint, large=True)
    assert seen.verified
    engine = QUICEngine(("192.0.2.1", 443), server_name=NAME, meant=NAME, alpn=("h3",), roots=None, large=True)
    engine.start(0.0)
    first, second = engine.flush(0.0)
    (alone,) = read_initials(first)
    (rest,) = read_initials(second, alone.destination_id)
    assert NAME.encode() not in join_fragments(alone.fragments)
    assert NAME.encode() in join_fragments(alone.fragments | rest.fragments)
