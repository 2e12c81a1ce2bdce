"""The driver of dialogues over real sockets on loopback: channels, stages, transcripts, endings, spacing."""

import asyncio
import contextlib
import dataclasses
import socket

import msgspec
import pytest

from probe.model.depth import Depth
from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError, UserError
from probe.model.failure import FailureCode
from probe.model.observation import DialogueExchange, Ending, TCPConnect
from probe.net.context import Manners, TooSoon
from probe.net.conversation import Occasion
from probe.net.dialogue import converse
from probe.net.stack import Stack
from probe.protocols.dialogue import Ask, Dialogue, DialogueSpec, Lapsed, Reached, Receive, Refused, Send, Tcp, Udp
from probe.protocols.engines.roots import distrust
from tests.fakes import OpenGate, make_context


class Said(msgspec.Struct, frozen=True):
    word: str
    empty: str = ""


def start(ask: Ask) -> Dialogue:
    yield Send(b"hello" + ask.secrets.get("key", b""), ((5, 9),))
    answer = yield Receive(0.3)
    if not answer:
        return None
    yield Reached(Depth.HELLO)
    if answer.startswith(b"no"):
        raise Refused("no, it says")
    if answer.startswith(b"over"):
        raise Lapsed("nothing more comes")
    if answer.startswith(b"old"):
        raise distrust(10, "certificate has expired")
    if answer.startswith(b"?"):
        raise ProtocolError("nonsense: 3f")
    yield Send(b"more")
    answer = yield Receive(0.3, secret=True)
    if not answer:
        return None
    yield Reached(Depth.PROOF)
    return Said(word=answer.decode())


def occasion(stack, **fields) -> Occasion:
    spec = DialogueSpec(name="toy", question="?", schemes=("toy",), default_port=1, stack=stack, start=start, **fields)
    return Occasion(spec=spec, host="toy.test", params={}, secrets={"key": b"SECR"})


class Answers(asyncio.DatagramProtocol):
    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.heard: list[bytes] = []

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data, addr) -> None:
        self.heard.append(data)
        if self.answers:
            self.transport.sendto(self.answers.pop(0), addr)


@contextlib.asynccontextmanager
async def udp_server(*answers: bytes):
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: Answers(*answers), local_addr=("127.0.0.1", 0))
    try:
        yield Endpoint(address="127.0.0.1", port=transport.get_extra_info("sockname")[1]), server
    finally:
        transport.close()


@contextlib.asynccontextmanager
async def tcp_server(talk):
    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield Endpoint(address="127.0.0.1", port=server.sockets[0].getsockname()[1])


@pytest.fixture
async def stack():
    stack = Stack.open()
    yield stack
    await stack.close()


def seen(ctx) -> DialogueExchange:
    return next(o for o in ctx.journal.observations if isinstance(o, DialogueExchange))


async def test_a_conversation_over_udp_is_one_observation_with_its_stages(stack):
    ctx = make_context(stack)
    async with udp_server(b"yes", b"word") as (endpoint, server):
        returned = await converse(ctx, endpoint, occasion((Udp(),)))
    exchange = seen(ctx)
    assert returned is exchange
    assert server.heard == [b"helloSECR", b"more"]
    assert exchange.failure is None
    assert [stage.depth for stage in exchange.stages] == [Depth.HELLO, Depth.PROOF]
    assert exchange.depth is Depth.PROOF
    assert exchange.reply == {"word": "word"}
    assert exchange.transport == "udp"
    assert exchange.sends == 2
    assert (exchange.bytes_sent, exchange.bytes_received) == (13, 7)
    assert ctx.gate.hot == []
    assert ctx.gate.claimed == [f"toy {endpoint}"]
    assert len(ctx.gate.released) == 1


async def test_secrets_are_zeros_in_the_transcript_and_secret_answers_are_lengths(stack):
    ctx = make_context(stack)
    async with udp_server(b"yes", b"word") as (endpoint, _):
        await converse(ctx, endpoint, occasion((Udp(),)))
    exchange = seen(ctx)
    assert exchange.messages[0].data == b"hello\0\0\0\0"
    assert (exchange.messages[-1].length, exchange.messages[-1].data) == (4, b"")
    assert b"SECR" not in msgspec.msgpack.encode(exchange)


async def test_silence_is_a_timeout_that_makes_the_place_hot_and_is_told_to_the_planner(stack):
    ctx = make_context(stack)
    async with udp_server() as (endpoint, _):
        await converse(ctx, endpoint, occasion((Udp(),)))
    exchange = seen(ctx)
    assert exchange.failure.code is FailureCode.TIMEOUT
    assert exchange.ending is Ending.SILENCE
    assert exchange.depth is Depth.NONE
    assert ctx.gate.hot == [endpoint]
    assert [silence.layer for silence in ctx.journal.silences] == ["vpn"]


async def test_a_protocol_that_no_filter_recognises_makes_nothing_hot(stack):
    ctx = make_context(stack)
    async with udp_server() as (endpoint, _):
        await converse(ctx, endpoint, occasion((Udp(),), trigger=False))
    assert ctx.gate.hot == []


async def test_a_closed_udp_port_is_refused_and_says_who_said_so(stack):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        endpoint = Endpoint(address="127.0.0.1", port=sock.getsockname()[1])
    ctx = make_context(stack)
    await converse(ctx, endpoint, occasion((Udp(),)))
    failure = seen(ctx).failure
    assert failure.code is FailureCode.CONNECTION_REFUSED
    if stack.capabilities.error_queue:
        assert failure.icmp.offender == "127.0.0.1"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"no", FailureCode.REFUSED_BY_PEER),
        (b"over", FailureCode.CREDENTIALS_EXPIRED),
        (b"?", FailureCode.UNEXPECTED_ANSWER),
    ],
)
async def test_a_refusal_and_nonsense_are_failures_after_a_proven_hello(stack, answer, code):
    ctx = make_context(stack)
    async with udp_server(answer) as (endpoint, _):
        await converse(ctx, endpoint, occasion((Udp(),)))
    exchange = seen(ctx)
    assert exchange.failure.code is code
    assert exchange.depth is Depth.HELLO
    assert ctx.gate.hot == [], "an answer is no interference"


async def test_a_certificate_that_does_not_hold_is_kept_by_its_number(stack):
    async with udp_server(b"old") as (endpoint, _):
        seen = await converse(make_context(stack), endpoint, occasion((Udp(),)))
    assert seen.failure.code is FailureCode.SSL_INVALID_CERTIFICATE
    assert (seen.verify_code, seen.depth, seen.ending) == (10, Depth.HELLO, None)


async def test_over_tcp_the_connection_is_an_observation_of_its_own_and_a_fin_is_an_ending(stack):
    async def talk(reader, writer) -> None:
        await reader.readexactly(9)
        writer.write(b"yes")
        await reader.readexactly(4)
        writer.close()

    ctx = make_context(stack)
    async with tcp_server(talk) as endpoint:
        await converse(ctx, endpoint, occasion((Tcp(),)))
    assert [type(o) for o in ctx.journal.observations] == [TCPConnect, DialogueExchange]
    exchange = seen(ctx)
    assert exchange.failure.code is FailureCode.EOF
    assert exchange.ending is Ending.FIN
    assert exchange.depth is Depth.HELLO
    assert ctx.gate.hot == [endpoint]


async def test_a_reset_ends_it_from_outside(stack):
    async def talk(reader, writer) -> None:
        await reader.readexactly(9)
        writer.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    ctx = make_context(stack)
    async with tcp_server(talk) as endpoint:
        await converse(ctx, endpoint, occasion((Tcp(),)))
    assert seen(ctx).failure.code is FailureCode.CONNECTION_RESET


async def test_a_peer_that_sends_for_ever_is_left_when_the_time_is_over(stack):
    def listen(_ask: Ask) -> Dialogue:
        while True:
            yield Receive(5)

    async def talk(_reader, writer) -> None:
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(bytes(100))
                await writer.drain()
                await asyncio.sleep(0.01)

    ctx = make_context(stack, timeout_s=0.3)
    async with tcp_server(talk) as endpoint:
        spec = DialogueSpec(name="toy", question="?", schemes=(), default_port=1, stack=(Tcp(),), start=listen)
        await converse(ctx, endpoint, Occasion(spec=spec, host="", params={}, secrets={}))
    exchange = seen(ctx)
    assert exchange.failure.code is FailureCode.TIMEOUT
    assert len(exchange.messages) <= 48


async def test_too_soon_opens_nothing_and_says_for_how_long(stack):
    class StrictGate(OpenGate):
        async def claim_handshake(self, identity, spacing_s, patience_s) -> None:
            raise TooSoon(40)

    ctx = make_context(stack, gate=StrictGate())
    await converse(ctx, Endpoint(address="127.0.0.1", port=9), occasion((Udp(),)))
    failure = seen(ctx).failure
    assert failure.code is FailureCode.TOO_SOON
    assert "40 s" in failure.detail
    assert ctx.gate.asked == []


async def test_stamps_are_reserved_before_the_first_byte(stack):
    given = []

    def note(ask: Ask) -> Dialogue:
        given.append(ask.stamps)
        yield Send(b"x")
        return None

    spec = DialogueSpec(
        name="toy", question="?", schemes=(), default_port=1, stack=(Udp(),), start=note, counter="toy.stamp"
    )
    ctx = make_context(stack)
    async with udp_server() as (endpoint, _):
        await converse(ctx, endpoint, Occasion(spec=spec, host="", params={}, secrets={}))
    assert ctx.gate.reserved == ["toy.stamp"]
    assert given[0] > 1_700_000_000_000_000_000


async def test_a_setting_that_the_protocol_cannot_use_sends_nothing_and_is_no_finding(stack):
    def refuse(_ask: Ask) -> Dialogue:
        raise UserError("method", "'rot13' is no cipher", "write aes-256-gcm")

    async with udp_server() as (endpoint, server):
        wanted = occasion((Udp(),))
        spec = dataclasses.replace(wanted.spec, start=refuse)
        ctx = make_context(stack)
        seen = await converse(ctx, endpoint, dataclasses.replace(wanted, spec=spec))
        assert seen is not None
        assert seen.failure is not None
        assert seen.failure.code is FailureCode.CREDENTIALS_MISSING
        assert server.heard == []


def test_manners_stop_at_proof_unless_told_otherwise():
    assert Manners().deepest is Depth.PROOF
