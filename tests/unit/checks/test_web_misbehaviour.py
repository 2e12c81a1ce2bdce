"""Servers that misbehave over real sockets: each a recorded failure, bounded in time, bytes and memory."""

import asyncio
import contextlib
import gzip
import time
import tracemalloc

import pytest

from probe.model.failure import FailureCode
from probe.model.observation import Ending, HTTPExchange
from tests.fakes import OpenGate
from tests.unit.checks.world import (
    PAGE,
    Behaviour,
    hang_up,
    keep_silent,
    open_world,
    reset,
    say,
    stream_forever,
    the_exchange,
)

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"


async def fetch(behaviour: Behaviour, *, secure: bool = False, **fields) -> HTTPExchange:
    async with open_world(a_test=["127.0.0.1"]) as world:
        port = await world.serve(behaviour, certificate_for=("a.test",) if secure else ())
        started = time.perf_counter()
        gate = OpenGate()
        exchange = the_exchange(await world.check(host="a.test", port=port, secure=secure, gate=gate, **fields))
        assert time.perf_counter() - started < 3 * fields.get("timeout_s", 2.0)
        assert len(gate.asked) == len(gate.released)
        failed = exchange.ending in (Ending.RESET, Ending.FIN, Ending.SILENCE)
        assert [endpoint.port for endpoint in gate.hot] == ([port] if failed else [])
        return exchange


BOTH = pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])


@BOTH
async def test_a_reset_after_the_request(secure):
    exchange = await fetch(reset, secure=secure)
    assert exchange.failure is not None
    assert (exchange.failure.code, exchange.ending) == (FailureCode.CONNECTION_RESET, Ending.RESET)


@BOTH
async def test_a_close_after_the_request(secure):
    exchange = await fetch(hang_up, secure=secure)
    assert exchange.failure is not None
    assert (exchange.failure.code, exchange.ending) == (FailureCode.EOF, Ending.FIN)
    assert exchange.bytes_acked


@BOTH
async def test_silence_after_the_request(secure):
    exchange = await fetch(keep_silent, secure=secure, timeout_s=0.5)
    assert exchange.failure is not None
    assert (exchange.failure.code, exchange.ending) == (FailureCode.TIMEOUT, Ending.SILENCE)
    assert exchange.t_s - exchange.t0_s == pytest.approx(0.5, abs=0.2)


@BOTH
async def test_a_close_inside_the_body(secure):
    exchange = await fetch(say(PAGE[:-1]), secure=secure)
    assert (exchange.status, exchange.ending, exchange.body_truncated) == (200, Ending.FIN, True)
    assert exchange.title == "Ok"


async def test_a_reset_inside_the_body():
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(PAGE[:-1])
        await writer.drain()
        await asyncio.sleep(0.1)
        reader.feed_data(b"x" * 10)
        await reset(reader, writer)

    exchange = await fetch(behave)
    assert (exchange.status, exchange.ending, exchange.title) == (200, Ending.RESET, "Ok")


@BOTH
@pytest.mark.parametrize("head", [HEAD + b"Content-Length: 10737418240\r\n\r\n", HEAD + b"\r\n"])
async def test_ten_gigabytes_stop_at_the_limit(head, secure):
    tracemalloc.start()
    try:
        exchange = await fetch(stream_forever(head, bytes(65536)), secure=secure, body_limit_bytes=65536)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert exchange.failure is None
    assert (len(exchange.body), exchange.body_truncated) == (65536, True)
    assert exchange.t_s - exchange.t0_s < 1.0
    assert exchange.bytes_received < 1_000_000
    assert peak < 10_000_000


async def test_one_byte_a_second():
    # Scaled down: a byte each 0.05 s, half a second for the head.
    exchange = await fetch(say(*(PAGE[n : n + 1] for n in range(len(PAGE))), every_s=0.05), timeout_s=0.5)
    assert exchange.failure is not None
    assert (exchange.failure.code, exchange.ending, exchange.status) == (FailureCode.TIMEOUT, None, 0)


async def test_a_body_of_one_byte_a_second():
    exchange = await fetch(stream_forever(HEAD + b"\r\n", b"x", every_s=0.05), timeout_s=0.5)
    assert exchange.failure is not None
    assert (exchange.failure.code, exchange.status, exchange.body_truncated) == (FailureCode.TIMEOUT, 200, True)
    assert exchange.t_s - exchange.t0_s < 1.3
    assert 2 <= len(exchange.timeline) <= 32


async def test_a_body_that_freezes():
    exchange = await fetch(say(HEAD + b"\r\n" + bytes(16384), close=False), timeout_s=0.5)
    assert (exchange.ending, exchange.body_bytes) == (Ending.SILENCE, 16384)


async def test_a_server_that_sends_nothing_but_framing():
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;"
    exchange = await fetch(stream_forever(head, b"x" * 65536), body_limit_bytes=65536)
    assert (exchange.failure, exchange.body, exchange.body_truncated) == (None, b"", True)
    assert exchange.bytes_received < 3_000_000


async def test_ten_thousand_headers():
    exchange = await fetch(say(HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)) + b"\r\n"))
    assert exchange.failure is not None
    assert exchange.failure.code is FailureCode.HTTP_REQUEST_FAILED
    assert len(exchange.headers) <= 1000


async def test_a_head_without_end():
    exchange = await fetch(stream_forever(HEAD + b"X: ", b"y" * 65536))
    assert exchange.failure is not None
    assert "head longer" in exchange.failure.detail
    assert len(exchange.head) == 65536


async def test_interim_responses_without_end():
    exchange = await fetch(stream_forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100))
    assert exchange.failure is not None
    assert exchange.failure.code is FailureCode.HTTP_REQUEST_FAILED


@BOTH
@pytest.mark.parametrize(
    "answer",
    [
        b"<html><title>Blocked</title></html>",
        b"\x00\x01\x02\xff" * 100,
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 20x OK\r\n\r\n",
        b"220 mail.test ESMTP\r\n",
    ],
)
async def test_garbage(answer, secure):
    exchange = await fetch(say(answer), secure=secure)
    assert exchange.failure is not None
    assert (exchange.failure.code, exchange.status, exchange.head) == (FailureCode.HTTP_REQUEST_FAILED, 0, answer)


async def test_garbage_between_chunks():
    exchange = await fetch(say(HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\nxyz\r\n"))
    assert exchange.failure is not None
    assert (exchange.failure.code, exchange.status, exchange.body) == (FailureCode.HTTP_REQUEST_FAILED, 200, b"hi")


async def test_continue_and_early_hints_before_the_page():
    exchange = await fetch(
        say(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n", PAGE, every_s=0.02)
    )
    assert (exchange.status, exchange.title, exchange.failure) == (200, "Ok", None)


async def test_invalid_gzip():
    exchange = await fetch(say(HEAD + b"Content-Encoding: gzip\r\n\r\n<html>not gzip</html>"))
    assert exchange.failure is not None
    assert (exchange.failure.code, exchange.status) == (FailureCode.HTTP_REQUEST_FAILED, 200)
    assert exchange.body == b"<html>not gzip</html>"


@pytest.mark.parametrize("size", [1_000, 100_000_000])
async def test_gzip_however_large(size):
    coded = gzip.compress(bytes(size))
    exchange = await fetch(say(HEAD + b"Content-Encoding: gzip\r\n\r\n" + coded), body_limit_bytes=65536)
    assert exchange.failure is None
    assert exchange.body == bytes(min(size, 65536))
    assert exchange.body_truncated is (size > 65536)


async def test_a_page_byte_by_byte():
    exchange = await fetch(say(*(PAGE[n : n + 1] for n in range(len(PAGE))), every_s=0.001))
    assert (exchange.status, exchange.title, exchange.failure) == (200, "Ok", None)


async def test_an_answer_before_the_request_and_a_reset():
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(PAGE)
        with contextlib.suppress(OSError):
            await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

    exchange = await fetch(behave)
    assert (exchange.status, exchange.title) == (200, "Ok")


async def test_two_hundred_hanging_checks_end_together():
    async with open_world() as world:
        port = await world.serve(keep_silent)
        checks = (world.check(host="127.0.0.1", port=port, timeout_s=1.0) for _ in range(200))
        contexts = await asyncio.gather(*checks)
        assert {the_exchange(ctx).ending for ctx in contexts} == {Ending.SILENCE}
