"""TCP connects against loopback servers of every temper."""

import asyncio
import contextlib
import dataclasses
import errno
import socket
import subprocess
import sys
import textwrap

import msgspec
import pytest

from probe.model.endpoint import Endpoint
from probe.model.experiment import Grant, Traffic
from probe.model.failure import FailureCode, Stage
from probe.model.observation import Ending, Silence, TCPConnect
from probe.net.capabilities import Capabilities
from probe.net.connect import connect, hold
from probe.net.context import Context
from probe.net.stack import Stack
from tests.fakes import OpenGate, make_context
from tests.unit.net.misbehaving import closed_port, finish, reset, serving, stay_silent

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="an option of Linux's")


def only(ctx: Context) -> TCPConnect:
    (seen,) = ctx.journal.observations
    assert isinstance(seen, TCPConnect)
    return seen


@contextlib.contextmanager
def full_backlog() -> "contextlib.Generator[Endpoint]":
    """Listen and accept nothing, with the queue full: Linux then ignores further SYNs."""
    with socket.socket() as listener, contextlib.ExitStack() as fillers:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        endpoint = Endpoint(address="127.0.0.1", port=listener.getsockname()[1])
        for _ in range(4):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex((endpoint.address, endpoint.port))
        yield endpoint


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_open_port_gives_a_channel_and_the_kernels_round_trip(ctx: Context, address: str) -> None:
    with serving(stay_silent, address) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            assert channel.endpoint == endpoint
            assert channel.rtt_s is not None
    seen = only(ctx)
    assert seen.failure is None
    assert seen.endpoint == endpoint
    assert seen.local_port > 0
    assert 0 <= seen.t0_s <= seen.t_s
    if sys.platform == "linux":
        assert seen.kernel_rtt_s is not None
        assert 0 < seen.kernel_rtt_s < 0.1


async def test_a_closed_port_is_refused_and_gives_no_channel(ctx: Context) -> None:
    async with connect(ctx, closed_port()) as channel:
        assert channel is None
    seen = only(ctx)
    assert seen.failure is not None
    assert (seen.failure.stage, seen.failure.code) == (Stage.CONNECT, FailureCode.CONNECTION_REFUSED)
    assert seen.failure.errno == errno.ECONNREFUSED
    assert seen.failure.icmp is None


@on_linux
async def test_a_syn_that_nobody_answers_is_hushed_then_times_out(ctx: Context) -> None:
    with full_backlog() as endpoint:
        ctx = make_context(ctx.stack, timeout_s=1.4)
        async with connect(ctx, endpoint) as channel:
            assert channel is None
    seen = only(ctx)
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.TIMEOUT
    assert seen.syn_retransmits >= 1
    assert 1.4 <= seen.t_s - seen.t0_s < 2
    (silence,) = ctx.journal.silences
    assert isinstance(silence, Silence)
    assert (silence.layer, silence.endpoint, silence.transaction) == ("tcp", endpoint, seen.transaction)
    assert silence.since_s == seen.t0_s


async def test_a_reset_right_after_accept_is_a_connection_that_then_broke(ctx: Context) -> None:
    with serving(reset) as endpoint:
        for _ in range(20):
            async with connect(ctx, endpoint) as channel:
                assert channel is not None
                with pytest.raises(ConnectionResetError):
                    await channel.receive(100, ctx.stack.clock.boot_s() + 2)
    assert all(isinstance(seen, TCPConnect) and seen.failure is None for seen in ctx.journal.observations)


@on_linux
async def test_a_floor_under_the_ttl_drops_what_comes_from_further_away(ctx: Context) -> None:
    with serving(stay_silent) as endpoint:
        async with connect(ctx, endpoint, min_ttl=64) as channel:
            assert channel is not None
        ctx = make_context(ctx.stack, timeout_s=0.4)
        async with connect(ctx, endpoint, min_ttl=65) as channel:
            assert channel is None
    seen = only(ctx)
    assert seen.min_ttl == 65
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.TIMEOUT


@on_linux
async def test_a_floor_under_the_ttl_hides_a_refusal_too(ctx: Context) -> None:
    ctx = make_context(ctx.stack, timeout_s=0.3)
    async with connect(ctx, closed_port(), min_ttl=65) as channel:
        assert channel is None
    failure = only(ctx).failure
    assert failure is not None
    assert failure.code is FailureCode.TIMEOUT


@on_linux
async def test_a_floor_under_the_hop_count_works_for_ipv6(ctx: Context) -> None:
    ctx = make_context(ctx.stack, timeout_s=0.3)
    with serving(stay_silent, "::1") as endpoint:
        async with connect(ctx, endpoint, min_ttl=65) as channel:
            assert channel is None
        async with connect(ctx, endpoint, min_ttl=64) as channel:
            assert channel is not None


async def test_without_any_capability_a_connect_works_and_facts_are_missing() -> None:
    stack = Stack.open(capabilities=Capabilities())
    ctx = make_context(stack)
    with serving(stay_silent) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            assert channel.rtt_s is not None
            assert channel.acked_bytes() is None
            assert channel.arrivals() is None
        async with connect(ctx, endpoint, min_ttl=3) as channel:
            assert channel is None
    async with connect(ctx, closed_port()) as channel:
        assert channel is None
    plain, floored, refused = ctx.journal.observations
    assert isinstance(plain, TCPConnect)
    assert isinstance(floored, TCPConnect)
    assert isinstance(refused, TCPConnect)
    assert plain.kernel_rtt_s is None
    assert floored.failure is not None
    assert floored.failure.code is FailureCode.NO_PROTOCOL_OPTION
    assert refused.failure is not None
    assert refused.failure.code is FailureCode.CONNECTION_REFUSED
    await stack.close()


async def test_every_grant_is_asked_for_and_given_back(ctx: Context) -> None:
    gate = OpenGate()
    ctx = make_context(ctx.stack, gate=gate)
    with serving(stay_silent) as endpoint:
        async with connect(ctx, endpoint):
            assert not gate.released
    async with connect(ctx, closed_port()):
        pass
    with serving(stay_silent) as endpoint, pytest.raises(ZeroDivisionError):
        async with connect(ctx, endpoint):
            raise ZeroDivisionError
    assert gate.asked == gate.released
    assert {grant.traffic for grant in gate.asked} == {Traffic.CONNECT}


@on_linux
async def test_a_cancelled_connect_closes_its_socket_and_gives_its_grant_back(ctx: Context) -> None:
    gate = OpenGate()
    ctx = make_context(ctx.stack, gate=gate)

    async def dial(endpoint: Endpoint) -> None:
        async with connect(ctx, endpoint):
            pytest.fail("it was not to connect")

    with full_backlog() as endpoint:
        task = asyncio.create_task(dial(endpoint))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(gate.released) == 1
    assert not ctx.journal.observations


async def test_queueing_is_reported_apart_from_the_connect(ctx: Context) -> None:
    granted_s: list[float] = []

    class SlowGate(OpenGate):
        async def ask(self, traffic, endpoint, holder):  # type: ignore[no-untyped-def]
            await asyncio.sleep(0.1)
            granted_s.append(ctx.journal.elapsed_s())
            return msgspec.structs.replace(await super().ask(traffic, endpoint, holder), queued_s=0.1, hot=True)

    ctx = make_context(ctx.stack, gate=SlowGate(), asn_of=lambda _address: 64500)
    with serving(stay_silent) as endpoint:
        async with connect(ctx, endpoint):
            pass
    seen = only(ctx)
    assert seen.queued_s == 0.1
    assert seen.t_s >= seen.t0_s >= granted_s[0] >= 0.1
    assert seen.hot
    assert seen.asn == 64500


def test_no_descriptor_left_is_our_own_failure() -> None:
    code = """
        import asyncio, resource, sys
        from probe.model.endpoint import Endpoint
        from probe.net.connect import connect
        from probe.net.stack import Stack
        from tests.fakes import make_context

        async def main():
            stack = Stack.open()
            ctx = make_context(stack)
            resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
            async with connect(ctx, Endpoint(address="127.0.0.1", port=9)) as channel:
                assert channel is None
            print(ctx.journal.observations[0].failure.code.value)

        asyncio.run(main())
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == "out_of_descriptors", done.stderr


async def test_a_held_connection_that_stays_open_is_reported_open(ctx: Context) -> None:
    with serving(stay_silent) as endpoint:
        await hold(ctx, endpoint, for_s=0.1)
    seen = only(ctx)
    assert seen.failure is None
    assert seen.held_ending is None
    assert 0.1 <= seen.held_s < 0.5
    assert not ctx.journal.silences


@pytest.mark.parametrize(("behaviour", "ending"), [(reset, Ending.RESET), (finish, Ending.FIN)])
async def test_a_held_connection_shows_how_the_peer_hangs_up(ctx: Context, behaviour, ending) -> None:  # type: ignore[no-untyped-def]
    with serving(behaviour) as endpoint:
        await hold(ctx, endpoint, for_s=1.0)
    seen = only(ctx)
    assert seen.failure is None
    assert seen.held_ending is ending
    assert seen.held_s < 0.9


async def test_a_held_connection_hears_a_peer_that_speaks_unasked(ctx: Context) -> None:
    def greet(peer: socket.socket) -> None:
        peer.sendall(b"SSH-2.0-x\r\n" + b"." * 1000)
        finish(peer)

    with serving(greet) as endpoint:
        await hold(ctx, endpoint, for_s=1.0)
    seen = only(ctx)
    assert seen.held_bytes.startswith(b"SSH-2.0-x\r\n")
    assert len(seen.held_bytes) == 256
    assert seen.held_ending is Ending.FIN


async def test_holding_a_closed_port_is_a_failed_connect(ctx: Context) -> None:
    await hold(ctx, closed_port(), for_s=1.0)
    seen = only(ctx)
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.CONNECTION_REFUSED
    assert seen.held_s == 0


@on_linux
async def test_what_was_never_acknowledged_is_not_sent_again_after_closing(ctx: Context) -> None:
    ended: list[str] = []

    def read_nothing_then_all(peer: socket.socket) -> None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        left.wait(5)
        try:
            while peer.recv(65536):
                pass
            ended.append("fin")
        except ConnectionResetError:
            ended.append("reset")
        done.set()

    import threading

    left, done = threading.Event(), threading.Event()
    with serving(read_nothing_then_all) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            with pytest.raises(TimeoutError):
                await channel.send(b"y" * 20_000_000, ctx.stack.clock.boot_s() + 0.1)
        left.set()
        assert done.wait(5)
    assert ended == ["reset"]


class ForbiddingGate(OpenGate):
    async def ask(self, traffic: Traffic, endpoint: Endpoint | None, holder: str) -> Grant:
        raise PermissionError(errno.EACCES, "not a public address")


async def test_a_place_that_the_gate_forbids_is_an_observation_and_nothing_is_sent(ctx: Context) -> None:
    forbidden = dataclasses.replace(ctx, gate=ForbiddingGate())
    with serving(stay_silent) as endpoint:
        async with connect(forbidden, endpoint) as channel:
            assert channel is None
    failure = only(ctx).failure
    assert failure is not None
    assert (failure.code, failure.detail) == (FailureCode.PERMISSION_DENIED, "not a public address")
