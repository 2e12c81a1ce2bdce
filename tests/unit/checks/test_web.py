"""The web check over real sockets: pages, paths and the election among them, on both loops."""

import asyncio
import time

import pytest

from probe.checks import web
from probe.checks.paths import MAX_PATHS
from probe.model.endpoint import AddressFamily
from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup, Ending, HTTPExchange, TCPConnect, TLSHandshake
from probe.model.target import CheckName, Header, Request, Target
from tests.fakes import OpenGate, make_context
from tests.unit.checks.world import PAGE, assert_all_released, keep_silent, open_world, reset, say, seen, the_exchange


async def test_a_page_over_http_is_fetched():
    async with open_world(a_test=["127.0.0.1"]) as world:
        port = await world.serve(world.answer(PAGE))
        ctx = await world.check(host="a.test", port=port, path="/x?y=z")
        exchange = the_exchange(ctx)
        assert (exchange.status, exchange.title, exchange.failure, exchange.hop) == (200, "Ok", None, 0)
        assert exchange.url == f"http://a.test:{port}/x?y=z"
        assert world.requests[0].startswith(f"GET /x?y=z HTTP/1.1\r\nHost: a.test:{port}\r\n".encode())
        assert [lookup.addresses for lookup in seen(ctx, DNSLookup)] == [("127.0.0.1",)]
        assert len(seen(ctx, TCPConnect)) == 1
        assert_all_released(ctx)


async def test_a_page_over_https_is_fetched_by_name():
    async with open_world(a_test=["127.0.0.1"]) as world:
        port = await world.serve(world.answer(PAGE), certificate_for=("a.test",))
        ctx = await world.check(host="a.test", port=port, secure=True)
        (handshake,) = seen(ctx, TLSHandshake)
        assert (handshake.server_name, handshake.verified) == ("a.test", True)
        exchange = the_exchange(ctx)
        assert (exchange.status, exchange.secure, exchange.url) == (200, True, f"https://a.test:{port}/")
        assert_all_released(ctx)


async def test_an_address_literal_is_verified_by_address_and_sends_no_name():
    async with open_world() as world:
        port = await world.serve(world.answer(PAGE), certificate_for=("127.0.0.1",))
        ctx = await world.check(host="127.0.0.1", port=port, secure=True)
        (handshake,) = seen(ctx, TLSHandshake)
        assert (handshake.server_name, handshake.verified) == ("", True)
        assert the_exchange(ctx).status == 200
        assert seen(ctx, DNSLookup) == []


async def test_an_ipv6_literal_is_bracketed_where_it_must_be():
    async with open_world() as world:
        port = await world.serve(world.answer(PAGE), "::1")
        ctx = await world.check(host="::1", port=port, families=(4, 6))
        assert the_exchange(ctx).url == f"http://[::1]:{port}/"


async def test_nothing_is_sent_to_a_peer_that_is_not_who_was_meant():
    async with open_world(a_test=["127.0.0.1"]) as world:
        port = await world.serve(world.answer(PAGE), certificate_for=("other.test",))
        ctx = await world.check(host="a.test", port=port, secure=True)
        assert seen(ctx, HTTPExchange) == []
        assert world.requests == []
        (handshake,) = seen(ctx, TLSHandshake)
        assert handshake.failure is not None
        assert handshake.failure.code is FailureCode.SSL_INVALID_HOSTNAME


async def test_a_name_that_does_not_exist_ends_the_check():
    async with open_world() as world:
        ctx = await world.check(host="gone.test", port=80)
        assert [type(observation) for observation in ctx.journal.observations] == [DNSLookup]


async def test_a_refused_connection_ends_the_check():
    async with open_world(a_test=["127.0.0.1"]) as world:
        port = await world.serve(world.answer(PAGE), "127.0.0.2")
        ctx = await world.check(host="a.test", port=port)
        (attempt,) = seen(ctx, TCPConnect)
        assert attempt.failure is not None
        assert attempt.failure.code is FailureCode.CONNECTION_REFUSED
        assert_all_released(ctx)


async def test_only_the_family_of_the_target_is_tried():
    async with open_world(a_test=["127.0.0.1", "::1"]) as world:
        port = await world.serve(world.answer(PAGE), "127.0.0.1", "::1")
        both = await world.check(host="a.test", port=port, families=(4, 6))
        assert {attempt.endpoint.address for attempt in seen(both, TCPConnect)} == {"127.0.0.1", "::1"}
        only = await world.check(host="a.test", port=port, families=(4, 6), family=AddressFamily.V6)
        assert {attempt.endpoint.address for attempt in seen(only, TCPConnect)} == {"::1"}
        assert {lookup.query_type for lookup in seen(only, DNSLookup)} == {"AAAA"}


ADDRESSES = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


@pytest.mark.parametrize("certificate_for", [(), ("a.test",)], ids=["http", "https"])
async def test_one_address_fetches_and_the_others_stop_before(certificate_for):
    async with open_world(a_test=ADDRESSES) as world:
        port = await world.serve(world.answer(PAGE), *ADDRESSES, certificate_for=certificate_for)
        ctx = await world.check(host="a.test", port=port, secure=bool(certificate_for))
        assert the_exchange(ctx).status == 200
        assert sorted(attempt.endpoint.address for attempt in seen(ctx, TCPConnect)) == ADDRESSES
        handshakes = seen(ctx, TLSHandshake)
        assert len(handshakes) == (3 if certificate_for else 0)
        assert all(handshake.failure is None for handshake in handshakes)
        assert_all_released(ctx)


async def test_the_address_that_is_ready_first_is_elected():
    async with open_world(a_test=["127.0.0.2", "127.0.0.1"]) as world:
        # A listener that never answers a ClientHello: TCP is open, TLS never ready.
        port = await world.serve(keep_silent, "127.0.0.2")
        await world.serve(world.answer(PAGE), "127.0.0.1", port=port, certificate_for=("a.test",))
        ctx = await world.check(host="a.test", port=port, secure=True, timeout_s=0.5)
        assert the_exchange(ctx).endpoint.address == "127.0.0.1"
        assert the_exchange(ctx).status == 200


async def test_all_others_fetch_when_the_elected_one_fails():
    turns = []

    async def first_resets(reader, writer):
        turns.append(1)
        await (reset if len(turns) == 1 else say(PAGE))(reader, writer)

    async with open_world(a_test=ADDRESSES) as world:
        port = await world.serve(first_resets, *ADDRESSES)
        ctx = await world.check(host="a.test", port=port)
        exchanges = seen(ctx, HTTPExchange)
        assert [exchange.ending for exchange in exchanges] == [Ending.RESET, None, None]
        assert sorted(exchange.endpoint.address for exchange in exchanges) == ADDRESSES
        assert len(seen(ctx, TCPConnect)) == 3


async def test_a_page_cut_short_makes_the_others_fetch():
    turns = []

    async def first_is_cut(reader, writer):
        turns.append(1)
        await say(PAGE[:-5] if len(turns) == 1 else PAGE)(reader, writer)

    async with open_world(a_test=ADDRESSES[:2]) as world:
        port = await world.serve(first_is_cut, *ADDRESSES[:2])
        ctx = await world.check(host="a.test", port=port)
        assert [exchange.ending for exchange in seen(ctx, HTTPExchange)] == [Ending.FIN, None]


async def test_silence_of_the_elected_one_costs_less_than_a_timeout_and_a_half():
    async with open_world(a_test=ADDRESSES) as world:
        port = await world.serve(keep_silent, *ADDRESSES)
        started = time.perf_counter()
        ctx = await world.check(host="a.test", port=port, timeout_s=3.0)
        assert time.perf_counter() - started < 1.5 * 3.0
        exchanges = seen(ctx, HTTPExchange)
        assert [exchange.ending for exchange in exchanges] == [Ending.SILENCE] * 3
        assert_all_released(ctx)


async def test_an_answer_of_hundreds_of_addresses_opens_few_connections():
    async with open_world(a_test=[f"127.0.1.{n}" for n in range(1, 29)]) as world:
        ctx = await world.check(host="a.test", port=9)
        assert len(seen(ctx, TCPConnect)) == MAX_PATHS


async def test_method_headers_and_body_of_the_target_are_sent():
    request = Request(method="POST", headers=(Header(name="X-Key", value="1"),), body="hé")
    async with open_world() as world:
        port = await world.serve(world.answer(PAGE))
        ctx = await world.check(host="127.0.0.1", port=port, request=request)
        assert the_exchange(ctx).method == "POST"
        assert world.requests[0].startswith(b"POST / HTTP/1.1\r\n")
        assert b"\r\nX-Key: 1\r\n" in world.requests[0]
        assert b"\r\nContent-Length: 3\r\n" in world.requests[0]


@pytest.mark.parametrize("status", [200, 204, 304, 403, 404, 429, 451, 500, 503, 599])
async def test_any_status_is_an_answer(status):
    async with open_world() as world:
        port = await world.serve(world.answer(b"HTTP/1.1 %d Why\r\nContent-Length: 0\r\n\r\n" % status))
        exchange = the_exchange(await world.check(host="127.0.0.1", port=port))
        assert (exchange.status, exchange.reason, exchange.failure) == (status, "Why", None)


async def test_a_cancelled_check_gives_everything_back():
    async with open_world(a_test=ADDRESSES) as world:
        port = await world.serve(keep_silent, *ADDRESSES)
        gate = OpenGate()
        task = asyncio.create_task(world.check(host="a.test", port=port, timeout_s=5.0, gate=gate))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert len(gate.asked) == len(gate.released) == 4


async def test_a_host_whose_addresses_are_known_is_not_looked_up() -> None:
    async with open_world() as world:
        port = await world.serve(world.answer(PAGE))
        target = Target(id="t", check=CheckName.WEB, address="x", host="known.test", port=port, secure=False)
        ctx = make_context(world.stack, families=(4,))
        await web.run(target, ctx, addresses=("127.0.0.1",))
    assert [type(seen) for seen in ctx.journal.observations] == [TCPConnect, HTTPExchange]
    assert world.nameserver.asked == []
