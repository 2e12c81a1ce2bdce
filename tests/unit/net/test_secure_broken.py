"""TLS handshakes with loopback servers that break them: where and how each stopped."""

import asyncio
import socket
import ssl
import struct
import time

import pytest

from probe.model.failure import FailureCode
from probe.model.observation import Ending, TLSHandshake, TLSStage
from probe.net.connect import connect
from probe.net.context import Context
from probe.net.secure import secure
from tests.fakes import OpenGate, make_context
from tests.unit.net.misbehaving import (
    NAME,
    Behaviour,
    after_hello,
    finish,
    read_hello,
    relay,
    reset,
    serving,
    stay_silent,
    tls_context,
    tls_server,
)
from tests.unit.net.shaking import code_of, is_hot, shake

SERVER_HELLO = bytes.fromhex("160303007a020000760303") + bytes(range(32))
PLAIN_HTTP = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n<html>The plain HTTP request</html>"


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
