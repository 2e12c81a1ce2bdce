"""Bytes through an open channel, against loopback peers of every temper."""

import asyncio
import socket
import sys

import pytest

from probe.net.connect import connect
from probe.net.context import Context
from tests.unit.net.misbehaving import finish, reset, serving

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="an option of Linux's")


async def test_data_before_a_reset_is_not_lost(ctx: Context) -> None:
    def speak_then_reset(peer: socket.socket) -> None:
        peer.sendall(b"x" * 40000)
        peer.recv(1)
        reset(peer)

    with serving(speak_then_reset) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            deadline_s = ctx.stack.clock.boot_s() + 2
            got = 0
            while got < 40000:
                got += len(await channel.receive(16384, deadline_s))
            await channel.send(b".", deadline_s)
            with pytest.raises(ConnectionResetError):
                await channel.receive(16384, deadline_s)
            assert channel.bytes_received == 40000
            with pytest.raises(OSError, match="reset"):
                await channel.send(b".", deadline_s)


async def test_data_queued_behind_a_reset_is_read_to_the_last_byte(ctx: Context) -> None:
    def speak_then_reset(peer: socket.socket) -> None:
        peer.sendall(b"x" * 60000)
        reset(peer)

    with serving(speak_then_reset) as endpoint:
        for pause_s in (0, 0, 0, 0.05):
            async with connect(ctx, endpoint) as channel:
                assert channel is not None
                await asyncio.sleep(pause_s)
                got = 0
                while got < 60000:
                    got += len(await channel.receive(20000, ctx.stack.clock.boot_s() + 2))
                with pytest.raises(ConnectionResetError):
                    await channel.receive(20000, ctx.stack.clock.boot_s() + 2)


async def test_a_fin_reads_as_the_end_again_and_again(ctx: Context) -> None:
    with serving(finish) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            deadline_s = ctx.stack.clock.boot_s() + 2
            assert await channel.receive(10, deadline_s) == b""
            assert await channel.receive(10, deadline_s) == b""


async def test_received_bytes_are_cut_to_the_limit_and_none_is_lost(ctx: Context) -> None:
    def speak(peer: socket.socket) -> None:
        peer.sendall(bytes(range(100)))
        finish(peer)

    with serving(speak) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            deadline_s = ctx.stack.clock.boot_s() + 2
            pieces = [piece async for piece in _pieces(channel.receive, 7, deadline_s)]
    assert b"".join(pieces) == bytes(range(100))
    assert max(len(piece) for piece in pieces) <= 7


async def _pieces(receive, limit, deadline_s):  # type: ignore[no-untyped-def]
    while piece := await receive(limit, deadline_s):
        yield piece


async def test_a_timeout_leaves_the_channel_usable(ctx: Context) -> None:
    def speak_late(peer: socket.socket) -> None:
        peer.recv(1)
        peer.sendall(b"late")
        finish(peer)

    with serving(speak_late) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            clock = ctx.stack.clock
            started_s = clock.boot_s()
            with pytest.raises(TimeoutError):
                await channel.receive(10, started_s + 0.05)
            assert clock.boot_s() - started_s >= 0.05
            await channel.send(b".", clock.boot_s() + 1)
            assert await channel.receive(10, clock.boot_s() + 2) == b"late"


async def test_an_answer_that_arrived_while_the_loop_was_busy_is_no_timeout(ctx: Context) -> None:
    import time

    with serving(lambda peer: (peer.sendall(b"here"), finish(peer))[1]) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            waiting = asyncio.create_task(channel.receive(10, ctx.stack.clock.boot_s() + 0.05))
            await asyncio.sleep(0)
            time.sleep(0.2)  # noqa: ASYNC251  (a busy loop is what is tested)
            assert await waiting == b"here"


async def test_a_large_send_waits_for_a_slow_reader_and_counts_what_was_acknowledged(ctx: Context) -> None:
    got: list[int] = []

    def read_slowly(peer: socket.socket) -> None:
        total = 0
        while chunk := peer.recv(65536):
            total += len(chunk)
            got.append(total)

    with serving(read_slowly) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            await channel.send(b"y" * 8_000_000, ctx.stack.clock.boot_s() + 5)
            assert channel.bytes_sent == 8_000_000
            for _ in range(200):
                if got and got[-1] == 8_000_000:
                    break
                await asyncio.sleep(0.01)
            if sys.platform == "linux":
                assert channel.acked_bytes() == 8_000_000
    assert got[-1] == 8_000_000


async def test_the_kernel_counts_what_came_and_in_what_order(ctx: Context) -> None:
    with serving(lambda peer: peer.sendall(b"z" * 300_000)) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            got = 0
            while got < 300_000:
                got += len(await channel.receive(65536, ctx.stack.clock.boot_s() + 5))
            arrivals = channel.arrivals()
    if sys.platform == "linux":
        assert arrivals is not None
        assert arrivals.segments >= 1
        assert arrivals.early == 0


async def test_a_send_that_nobody_reads_times_out(ctx: Context) -> None:
    import threading

    done = threading.Event()
    with serving(lambda _peer: (done.wait(5), None)[1]) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            with pytest.raises(TimeoutError):
                await channel.send(b"y" * 50_000_000, ctx.stack.clock.boot_s() + 0.2)
        done.set()


async def test_a_peer_that_floods_fills_no_more_than_a_bounded_buffer(ctx: Context) -> None:
    def flood(peer: socket.socket) -> None:
        while True:
            peer.sendall(b"z" * 65536)

    with serving(flood) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            await asyncio.sleep(0.2)
            assert channel.bytes_received <= 65536 + 16384
            total = 0
            while total < 1_000_000:
                total += len(await channel.receive(16384, ctx.stack.clock.boot_s() + 2))
