"""TLS handshakes against loopback servers of every temper."""

import asyncio
import socket
import ssl
import struct
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from probe.model.failure import FailureCode, Stage
from probe.model.observation import Ending, TLSHandshake, TLSStage
from probe.net.connect import connect
from probe.net.context import Context
from probe.net.secure import secure
from probe.net.stack import Stack
from tests.fakes import OpenGate, make_context
from tests.unit.net.misbehaving import (
    NAME,
    Behaviour,
    after_hello,
    finish,
    open_stack,
    read_hello,
    relay,
    reset,
    serving,
    stay_silent,
    tls_context,
    tls_server,
)

SERVER_HELLO = bytes.fromhex("160303007a020000760303") + bytes(range(32))
PLAIN_HTTP = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>The plain HTTP request</html>"


@pytest.fixture
async def ctx() -> AsyncIterator[Context]:
    stack = open_stack()
    yield make_context(stack, gate=OpenGate())
    await stack.close()


async def shake(ctx: Context, behaviour: Behaviour, **arguments: object) -> TLSHandshake:
    """Make one handshake and return its observation."""
    given = {"server_name": NAME} | arguments
    with serving(behaviour) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            stream = await secure(ctx, channel, **given)  # type: ignore[arg-type]
    seen = ctx.journal.observations[-1]
    assert isinstance(seen, TLSHandshake)
    assert (stream is None) == (seen.failure is not None)
    assert seen.endpoint == endpoint
    assert seen.t0_s <= seen.t_s
    return seen


def code_of(seen: TLSHandshake) -> FailureCode:
    assert seen.failure is not None
    assert seen.failure.stage is Stage.TLS
    return seen.failure.code


def is_hot(ctx: Context) -> bool:
    assert isinstance(ctx.gate, OpenGate)
    return bool(ctx.gate.hot)


# What works


@pytest.mark.parametrize("follows", [False, True])
async def test_a_good_server_is_verified_and_then_speaks(ctx: Context, follows: bool) -> None:
    context = tls_context(NAME)
    context.set_alpn_protocols(["http/1.1"])
    with serving(tls_server(context)) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            stream = await secure(ctx, channel, server_name=NAME, request_follows=follows)
            assert stream is not None
            deadline_s = ctx.stack.clock.boot_s() + 2
            await stream.send(b"GET", deadline_s)
            assert await stream.receive(100, deadline_s) == b"hello"
            assert await stream.receive(100, deadline_s) == b""
            assert stream.endpoint == endpoint
            assert stream.rtt_s == channel.rtt_s
            assert stream.bytes_sent > 517
            assert stream.bytes_received > 517
    seen = ctx.journal.observations[-1]
    assert isinstance(seen, TLSHandshake)
    assert seen.failure is None
    assert seen.verified
    assert (seen.stage, seen.ending, seen.version, seen.alpn) == (TLSStage.DONE, None, "TLSv1.3", "http/1.1")
    assert seen.server_name == NAME
    assert seen.cipher.startswith("TLS_")
    assert seen.hello_bytes > 200
    assert seen.chain[0][:1] == b"\x30"
    assert seen.records == ()
    assert seen.bytes_acked is None
    assert not seen.hello_retry
    assert seen.root_store == "file root.pem, 1 root"
    assert seen.bytes_sent >= seen.hello_bytes
    assert seen.bytes_received > 500
    assert not is_hot(ctx)


async def test_a_last_flight_held_for_the_request_goes_out_when_the_caller_listens_instead(ctx: Context) -> None:
    def greet(peer: socket.socket) -> None:
        with tls_context(NAME).wrap_socket(peer, server_side=True) as secured:
            secured.sendall(b"220 ready")
            stay_silent(secured)

    with serving(greet) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            stream = await secure(ctx, channel, server_name=NAME, request_follows=True)
            assert stream is not None
            assert await stream.receive(100, ctx.stack.clock.boot_s() + 2) == b"220 ready"


async def test_large_bodies_pass_both_ways_and_limits_hold(ctx: Context) -> None:
    body = bytes(range(256)) * 4000

    def echo_back(peer: socket.socket) -> None:
        with tls_context(NAME).wrap_socket(peer, server_side=True) as secured:
            got = b""
            while len(got) < len(body):
                got += secured.recv(65536)
            secured.sendall(got)
            stay_silent(secured)

    with serving(echo_back) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            stream = await secure(ctx, channel, server_name=NAME)
            assert stream is not None
            deadline_s = ctx.stack.clock.boot_s() + 10
            await stream.send(body, deadline_s)
            got = b""
            while len(got) < len(body):
                piece = await stream.receive(5000, deadline_s)
                assert 0 < len(piece) <= 5000
                got += piece
    assert got == body


async def test_a_tls_1_2_server_works(ctx: Context) -> None:
    context = tls_context(NAME)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    seen = await shake(ctx, tls_server(context))
    assert seen.version == "TLSv1.2"
    assert seen.verified


async def test_a_server_that_asks_for_another_key_share_is_seen_doing_so(ctx: Context) -> None:
    context = tls_context(NAME)
    context.set_ecdh_curve("secp384r1")
    seen = await shake(ctx, tls_server(context))
    assert seen.failure is None
    assert seen.hello_retry
    assert seen.bytes_sent > 2 * seen.hello_bytes


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_a_server_that_sends_a_few_bytes_at_a_time_is_understood(ctx: Context, size: int) -> None:
    context = tls_context(NAME)
    context.set_ecdh_curve("secp384r1")
    seen = await shake(ctx, relay(context, size, 0.0))
    assert seen.verified
    assert seen.hello_retry


async def test_no_name_is_sent_when_none_is_given_and_another_is_verified(ctx: Context) -> None:
    names: list[str | None] = []
    context = tls_context(NAME)
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    seen = await shake(ctx, tls_server(context), server_name="", verify_name=NAME)
    assert seen.server_name == ""
    assert seen.verified
    seen = await shake(ctx, tls_server(context), server_name="neutral.test", verify_name=NAME)
    assert seen.server_name == "neutral.test"
    assert seen.verified
    assert names == [None, "neutral.test"]


async def test_an_address_is_verified_and_never_sent(ctx: Context) -> None:
    names: list[str | None] = []
    context = tls_context("127.0.0.1")
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    for arguments in ({"server_name": "127.0.0.1"}, {"server_name": ""}):
        seen = await shake(ctx, tls_server(context), **arguments)
        assert seen.verified
        assert seen.server_name == ""
    assert names == [None, None]
    seen = await shake(ctx, tls_server(tls_context("127.0.0.2")), server_name="127.0.0.1")
    assert code_of(seen) is FailureCode.SSL_INVALID_HOSTNAME


async def test_a_neutral_name_completes_without_verification(ctx: Context) -> None:
    seen = await shake(ctx, tls_server(tls_context("other.test", ca=trustme.CA())), verify=False)
    assert seen.failure is None
    assert seen.stage is TLSStage.DONE
    assert not seen.verified
    assert seen.root_store == ""
    assert len(seen.chain) == 1


async def test_alpn_is_offered_as_asked(ctx: Context) -> None:
    context = tls_context(NAME)
    context.set_alpn_protocols(["h2"])
    assert (await shake(ctx, tls_server(context), alpn=("h2", "http/1.1"))).alpn == "h2"
    seen = await shake(ctx, tls_server(context), alpn=())
    assert (seen.alpn, seen.alpn_offered) == ("", ())


# A certificate that is not trusted


async def test_an_unknown_issuer_keeps_the_chain_and_heats_nothing(ctx: Context) -> None:
    foreign = trustme.CA().create_child_ca()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = tls_context(NAME, ca=foreign)
        context.maximum_version = version
        seen = await shake(ctx, tls_server(context))
        assert code_of(seen) is FailureCode.SSL_UNKNOWN_AUTHORITY
        assert len(seen.chain) == 2
        assert seen.verify_code in (19, 20)
        assert seen.verify_message
        assert (seen.stage, seen.ending, seen.verified) == (TLSStage.SERVER_HELLO, None, False)
        assert seen.version == ("TLSv1.2" if version is ssl.TLSVersion.TLSv1_2 else "TLSv1.3")
        assert seen.records[-1].sent
        assert seen.records[-1].type == 21
    assert not is_hot(ctx)


async def test_an_expired_certificate_is_invalid(ctx: Context) -> None:
    seen = await shake(ctx, tls_server(tls_context(NAME, not_after=datetime.now(UTC) - timedelta(days=1))))
    assert code_of(seen) is FailureCode.SSL_INVALID_CERTIFICATE
    assert seen.verify_code == 10
    assert seen.chain


@pytest.mark.parametrize("arguments", [{}, {"server_name": ""}, {"server_name": "", "verify_name": NAME}])
async def test_a_wrong_name_is_an_invalid_hostname(ctx: Context, arguments: dict[str, str]) -> None:
    seen = await shake(ctx, tls_server(tls_context("other.test")), **arguments)
    assert code_of(seen) is FailureCode.SSL_INVALID_HOSTNAME
    assert seen.verify_code in (62, 64)
    assert seen.chain
    assert not seen.verified
    assert not is_hot(ctx)


# How handshakes are broken


@pytest.mark.parametrize(
    ("answers", "stage"),
    [
        ((), TLSStage.NOTHING),
        ((SERVER_HELLO[:3],), TLSStage.PARTIAL),
        ((SERVER_HELLO,), TLSStage.PARTIAL),
    ],
)
@pytest.mark.parametrize(
    ("then", "ending", "code"),
    [
        (reset, Ending.RESET, FailureCode.CONNECTION_RESET),
        (finish, Ending.FIN, FailureCode.EOF),
        (stay_silent, Ending.SILENCE, FailureCode.TIMEOUT),
    ],
)
async def test_where_and_how_a_handshake_stops_is_told_apart(
    ctx: Context, answers: tuple[bytes, ...], stage: TLSStage, then: Behaviour, ending: Ending, code: FailureCode
) -> None:
    ctx = make_context(ctx.stack, timeout_s=0.5)
    seen = await shake(ctx, after_hello(*answers, then=then))
    assert (seen.stage, seen.ending, code_of(seen)) == (stage, ending, code)
    assert seen.records[0].sent
    assert seen.records[0].type == 22
    assert seen.bytes_sent == seen.hello_bytes
    assert seen.bytes_received == sum(map(len, answers))
    assert seen.bytes_acked in (None, 0, seen.hello_bytes)
    assert seen.server_name == NAME
    assert is_hot(ctx)
    assert [silence.layer for silence in ctx.journal.silences] == (["tls"] if ending is Ending.SILENCE else [])


async def test_a_reset_before_the_hello_was_sent_heats_nothing(ctx: Context) -> None:
    with serving(reset) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            await asyncio.sleep(0.05)
            assert await secure(ctx, channel, server_name=NAME) is None
    seen = ctx.journal.observations[-1]
    assert isinstance(seen, TLSHandshake)
    assert (seen.stage, seen.ending, seen.bytes_sent) == (TLSStage.NOTHING, Ending.RESET, 0)
    assert not is_hot(ctx)


async def test_a_reset_without_a_name_heats_nothing(ctx: Context) -> None:
    seen = await shake(ctx, after_hello(then=reset), server_name="")
    assert seen.ending is Ending.RESET
    assert not is_hot(ctx)


@pytest.mark.parametrize("description", [40, 112])
async def test_an_alert_is_read_with_its_number(ctx: Context, description: int) -> None:
    alert = bytes((21, 3, 3, 0, 2, 2, description))
    for answers in ((alert,), tuple(alert[n : n + 1] for n in range(len(alert)))):
        seen = await shake(ctx, after_hello(*answers))
        assert (seen.stage, seen.ending, seen.alert) == (TLSStage.ALERT, Ending.ALERT, (2, description))
        assert code_of(seen) is FailureCode.TLS_ALERT
    assert not is_hot(ctx)


async def test_an_alert_of_a_real_server_is_read(ctx: Context) -> None:
    def refuse(_sock: object, _name: object, _context: object) -> int:
        return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME

    context = tls_context(NAME)
    context.sni_callback = refuse  # type: ignore[assignment]
    seen = await shake(ctx, tls_server(context))
    assert seen.alert == (2, 112)


async def test_silence_in_the_middle_is_told_from_silence_at_once(ctx: Context) -> None:
    ctx = make_context(ctx.stack, timeout_s=0.6)
    seen = await shake(ctx, relay(tls_context(NAME), 1, 0.01))
    assert (seen.stage, seen.ending) == (TLSStage.PARTIAL, Ending.SILENCE)
    assert 0.55 < seen.t_s - seen.t0_s < 1
    assert seen.bytes_received > 10


async def test_one_byte_a_second_ends_at_the_deadline(ctx: Context) -> None:
    ctx = make_context(ctx.stack, timeout_s=1.5)
    started = time.monotonic()
    seen = await shake(ctx, after_hello(*(SERVER_HELLO[n : n + 1] for n in range(5)), pause_s=1, then=stay_silent))
    assert time.monotonic() - started < 6
    assert seen.t_s - seen.t0_s < 2
    assert (seen.stage, seen.ending) == (TLSStage.PARTIAL, Ending.SILENCE)
    assert len(ctx.journal.silences) == 1


@pytest.mark.parametrize(
    "answer",
    [
        PLAIN_HTTP,
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        bytes(range(100, 200)),
        b"\x16\x03\x01\xff\xff" + bytes(50),
        b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00",
        b"\x17\x03\x03\x00\x10" + bytes(16),
    ],
)
async def test_an_answer_that_is_no_handshake_is_kept(ctx: Context, answer: bytes) -> None:
    ctx = make_context(ctx.stack, timeout_s=0.5)
    seen = await shake(ctx, after_hello(answer))
    assert seen.stage is TLSStage.GARBAGE
    assert seen.first_bytes == answer[:64]
    assert seen.ending in (Ending.ERROR, Ending.FIN)
    assert seen.alert is None
    assert seen.chain == ()


async def test_a_server_hello_that_is_followed_by_noise_is_an_error_after_it(ctx: Context) -> None:
    def garble(peer: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        engine = tls_context(NAME).wrap_bio(incoming, outgoing, server_side=True)
        incoming.write(read_hello(peer))
        with pytest.raises(ssl.SSLWantReadError):
            engine.do_handshake()
        flight = bytearray(outgoing.read())
        flight[-200] ^= 0xFF
        peer.sendall(flight)
        stay_silent(peer)

    seen = await shake(ctx, garble)
    assert (seen.stage, seen.ending) == (TLSStage.SERVER_HELLO, Ending.ERROR)
    assert code_of(seen) is FailureCode.SSL_FAILED_HANDSHAKE
    assert seen.version == "TLSv1.3"
    assert {record.type for record in seen.records if not record.sent} == {20, 22, 23}


async def test_a_server_that_never_stops_talking_ends_in_bounded_memory(ctx: Context) -> None:
    def babble(peer: socket.socket) -> None:
        read_hello(peer)
        # A handshake message of 16 MB, in records of the largest size.
        record = struct.pack("!BHH", 22, 0x0303, 16384)
        peer.sendall(record + b"\x02\xff\xff\xff" + bytes(16380))
        while True:
            peer.sendall(record + bytes(16384))

    seen = await shake(ctx, babble)
    assert seen.ending in (Ending.ERROR, Ending.RESET)
    assert seen.bytes_received < 500_000


async def test_an_old_server_is_refused_with_its_version_seen(ctx: Context) -> None:
    body = struct.pack("!H", 0x0301) + bytes(32) + b"\x00" + b"\xc0\x13" + b"\x00"
    message = b"\x02" + len(body).to_bytes(3, "big") + body
    record = struct.pack("!BHH", 22, 0x0301, len(message)) + message
    seen = await shake(ctx, after_hello(record))
    assert (seen.stage, seen.ending, seen.version) == (TLSStage.SERVER_HELLO, Ending.ERROR, "TLSv1")


@pytest.mark.parametrize("name", ["a" * 64 + ".test", ".test", "a..test"])
async def test_a_name_that_cannot_be_sent_is_our_own_failure(ctx: Context, name: str) -> None:
    with serving(stay_silent) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            assert await secure(ctx, channel, server_name=name) is None
    seen = ctx.journal.observations[-1]
    assert isinstance(seen, TLSHandshake)
    assert code_of(seen) is FailureCode.NO_PROTOCOL_OPTION
    assert (seen.stage, seen.bytes_sent) == (TLSStage.NOTHING, 0)
    assert not is_hot(ctx)


async def test_a_cancelled_handshake_leaves_no_observation(ctx: Context) -> None:
    async def try_it() -> None:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            await secure(ctx, channel, server_name=NAME)

    with serving(stay_silent) as endpoint:
        task = asyncio.create_task(try_it())
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not any(isinstance(seen, TLSHandshake) for seen in ctx.journal.observations)
    assert isinstance(ctx.gate, OpenGate)
    assert len(ctx.gate.released) == 1


async def test_a_reset_after_the_handshake_is_raised_to_the_reader(ctx: Context) -> None:
    def drop(peer: socket.socket) -> None:
        with tls_context(NAME).wrap_socket(peer, server_side=True) as secured:
            secured.recv(100)
            reset(secured)

    with serving(drop) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            stream = await secure(ctx, channel, server_name=NAME)
            assert stream is not None
            deadline_s = ctx.stack.clock.boot_s() + 2
            await stream.send(b"GET", deadline_s)
            with pytest.raises(ConnectionResetError):
                await stream.receive(100, deadline_s)


async def test_bytes_tampered_with_after_the_handshake_are_a_tls_error(ctx: Context) -> None:
    def tamper(peer: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        engine = tls_context(NAME).wrap_bio(incoming, outgoing, server_side=True)
        while True:
            incoming.write(peer.recv(65536))
            try:
                engine.do_handshake()
            except ssl.SSLWantReadError:
                peer.sendall(outgoing.read())
            else:
                break
        peer.sendall(outgoing.read() + b"\x17\x03\x03\x00\x20" + bytes(32))
        stay_silent(peer)

    with serving(tamper) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            stream = await secure(ctx, channel, server_name=NAME)
            assert stream is not None
            with pytest.raises(ssl.SSLError):
                await stream.receive(100, ctx.stack.clock.boot_s() + 2)


async def test_contexts_are_shared_between_handshakes(ctx: Context) -> None:
    stack: Stack = ctx.stack
    before = stack.trust.contexts_made
    for _ in range(3):
        await shake(ctx, tls_server(tls_context(NAME)))
    assert stack.trust.contexts_made == before
