"""Redirects: followed hop by hop, with cookies and method, and never into somebody's private network."""

import pytest

from probe.checks.web import choose_addresses
from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup, Ending, HTTPExchange, TCPConnect, TLSHandshake
from probe.model.target import Header, Request
from tests.unit.checks.world import PAGE, hang_up, keep_silent, open_world, say, seen


def redirect(location: str, status: int = 302, *more: str) -> bytes:
    lines = "".join(f"{line}\r\n" for line in more)
    return f"HTTP/1.1 {status} Go\r\nLocation: {location}\r\n{lines}Content-Length: 0\r\n\r\n".encode()


def hops(ctx) -> list[tuple[int, str, int]]:
    return [(exchange.hop, exchange.url, exchange.status) for exchange in seen(ctx, HTTPExchange)]


async def test_a_chain_is_followed_to_its_end():
    async with open_world(a_test=["127.0.0.1"], b_test=["127.0.0.2"]) as world:
        last = await world.serve(world.answer(PAGE), "127.0.0.2", certificate_for=("b.test",))
        port = await world.serve(world.answer(redirect("x/y"), redirect(f"https://b.test:{last}/end?q#frag", 301)))
        ctx = await world.check(host="a.test", port=port)
        assert hops(ctx) == [
            (0, f"http://a.test:{port}/", 302),
            (1, f"http://a.test:{port}/x/y", 301),
            (2, f"https://b.test:{last}/end?q", 200),
        ]
        assert [lookup.hop for lookup in seen(ctx, DNSLookup)] == [0, 1, 2]
        assert [attempt.hop for attempt in seen(ctx, TCPConnect)] == [0, 1, 2]
        (handshake,) = seen(ctx, TLSHandshake)
        assert (handshake.hop, handshake.server_name) == (2, "b.test")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_each_code_redirects(status):
    async with open_world() as world:
        port = await world.serve(world.answer(redirect("/x", status), PAGE))
        ctx = await world.check(host="127.0.0.1", port=port)
        assert [exchange.status for exchange in seen(ctx, HTTPExchange)] == [status, 200]


@pytest.mark.parametrize("status", [300, 304, 305, 306])
async def test_other_codes_do_not(status):
    async with open_world() as world:
        port = await world.serve(world.answer(redirect("/x", status), PAGE))
        ctx = await world.check(host="127.0.0.1", port=port)
        assert [exchange.status for exchange in seen(ctx, HTTPExchange)] == [status]


async def test_a_loop_ends_after_ten_redirects():
    async with open_world(a_test=["127.0.0.1"]) as world:
        port = await world.serve(world.answer(*[redirect(f"/{n}") for n in range(12)]))
        ctx = await world.check(host="a.test", port=port)
        exchanges = seen(ctx, HTTPExchange)
        assert [exchange.hop for exchange in exchanges] == list(range(11))
        assert all(exchange.failure is None for exchange in exchanges[:-1])
        failure = exchanges[-1].failure
        assert failure is not None
        assert failure.code is FailureCode.TOO_MANY_REDIRECTS


@pytest.mark.parametrize("location", ["", "http://", "https://", "ftp://a.test/", "http://a..test/", "javascript:x"])
async def test_a_redirect_to_nowhere_is_a_failure(location):
    async with open_world() as world:
        port = await world.serve(world.answer(redirect(location)))
        (exchange,) = seen(await world.check(host="127.0.0.1", port=port), HTTPExchange)
        assert exchange.failure is not None
        assert (exchange.status, exchange.failure.code) == (302, FailureCode.HTTP_INVALID_REDIRECT)


async def test_a_redirect_without_location_is_a_failure():
    async with open_world() as world:
        port = await world.serve(world.answer(b"HTTP/1.1 302 Go\r\nContent-Length: 0\r\n\r\n"))
        (exchange,) = seen(await world.check(host="127.0.0.1", port=port), HTTPExchange)
        assert exchange.failure is not None
        assert exchange.failure.code is FailureCode.HTTP_INVALID_REDIRECT


async def test_an_internationalised_host_is_asked_in_its_idna_form():
    async with open_world(**{"xn--bcher-kva_test": ["127.0.0.1"]}) as world:
        port = await world.serve(world.answer(PAGE))
        first = await world.serve(world.answer(redirect(f"http://bücher.test:{port}/")))
        ctx = await world.check(host="127.0.0.1", port=first)
        assert hops(ctx)[1] == (1, f"http://xn--bcher-kva.test:{port}/", 200)


async def test_a_hop_that_fails_ends_the_chain():
    async with open_world() as world:
        dead = await world.serve(hang_up)
        port = await world.serve(world.answer(redirect(f"http://127.0.0.1:{dead}/")))
        exchanges = seen(await world.check(host="127.0.0.1", port=port), HTTPExchange)
        assert [(exchange.status, exchange.ending) for exchange in exchanges] == [(302, None), (0, Ending.FIN)]


async def test_a_redirect_whose_body_is_cut_is_followed_nevertheless():
    async with open_world() as world:
        cut = b"HTTP/1.1 302 Go\r\nLocation: /x\r\nContent-Length: 10\r\n\r\nabc"
        port = await world.serve(world.answer(cut, PAGE))
        exchanges = seen(await world.check(host="127.0.0.1", port=port), HTTPExchange)
        assert [(exchange.status, exchange.ending) for exchange in exchanges] == [(302, Ending.FIN), (200, None)]


async def test_a_slow_path_of_a_hop_does_not_hold_up_the_next():
    async with open_world(a_test=["127.0.0.2", "127.0.0.1"]) as world:
        end = await world.serve(world.answer(PAGE))
        port = await world.serve(keep_silent, "127.0.0.2")
        location = redirect(f"http://127.0.0.1:{end}/")
        await world.serve(world.answer(location), "127.0.0.1", port=port, certificate_for=("a.test",))
        ctx = await world.check(host="a.test", port=port, secure=True, timeout_s=1.0)
        last = seen(ctx, HTTPExchange)[-1]
        assert (last.hop, last.status) == (1, 200)
        assert last.t_s < 0.9
        assert {handshake.failure is None for handshake in seen(ctx, TLSHandshake)} == {True, False}


async def test_cookies_come_along_to_the_host_that_set_them():
    async with open_world(a_test=["127.0.0.1"]) as world:
        first = redirect("/1", 302, "Set-Cookie: k=v; Path=/; HttpOnly", "Set-Cookie: s=1; Secure")
        port = await world.serve(world.answer(first, redirect("/2", 302, "Set-Cookie: l=w"), PAGE))
        await world.check(host="a.test", port=port)
        assert b"Cookie" not in world.requests[0]
        assert b"\r\nCookie: k=v\r\n" in world.requests[1]
        assert b"\r\nCookie: k=v; l=w\r\n" in world.requests[2]


async def test_cookies_stay_off_other_hosts():
    async with open_world(a_test=["127.0.0.1"], b_test=["127.0.0.1"]) as world:
        end = await world.serve(world.answer(PAGE))
        port = await world.serve(world.answer(redirect(f"http://b.test:{end}/", 302, "Set-Cookie: k=v")))
        await world.check(host="a.test", port=port)
        assert b"Cookie" not in world.requests[1]


REQUEST = Request(
    method="POST", headers=(Header(name="X-Key", value="1"), Header(name="Authorization", value="s")), body="b"
)


@pytest.mark.parametrize(
    ("status", "line", "keeps"), [(302, b"GET /x ", False), (303, b"GET /x ", False), (307, b"POST /x ", True)]
)
async def test_the_request_of_the_target_is_kept_by_the_codes_that_say_so(status, line, keeps):
    async with open_world() as world:
        port = await world.serve(world.answer(redirect("/x", status), PAGE))
        await world.check(host="127.0.0.1", port=port, request=REQUEST)
        assert world.requests[1].startswith(line)
        assert (b"X-Key: 1" in world.requests[1]) is keeps
        assert (b"Authorization: s" in world.requests[1]) is keeps
        assert (b"Content-Length: 1" in world.requests[1]) is keeps


async def test_credentials_never_follow_to_another_host():
    async with open_world() as world:
        end = await world.serve(world.answer(PAGE), "127.0.0.2")
        port = await world.serve(world.answer(redirect(f"http://127.0.0.2:{end}/", 308)))
        await world.check(host="127.0.0.1", port=port, request=REQUEST)
        assert b"X-Key: 1" in world.requests[1]
        assert b"Authorization" not in world.requests[1]


async def test_head_stays_head():
    async with open_world() as world:
        port = await world.serve(world.answer(redirect("/x"), PAGE))
        await world.check(host="127.0.0.1", port=port, request=Request(method="HEAD"))
        assert world.requests[1].startswith(b"HEAD /x ")


PUBLIC, PRIVATE = "93.184.215.14", "10.10.34.34"


@pytest.mark.parametrize(
    "inside", ["127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "::1", "fe80::1", "0.0.0.0"]
)
def test_a_hop_into_a_private_network_is_not_dialled(inside):
    assert choose_addresses((inside, PUBLIC), at_home=False, families=(4, 6)) == (PUBLIC,)
    assert choose_addresses((inside,), at_home=False, families=(4, 6)) == ()


def test_a_target_that_is_private_itself_may_lead_to_its_neighbours():
    assert choose_addresses((PRIVATE, PUBLIC), at_home=True, families=(4,)) == (PRIVATE, PUBLIC)


def test_addresses_are_of_the_wanted_families_once_and_not_too_many():
    assert choose_addresses(("::2", PUBLIC, PUBLIC), at_home=True, families=(4,)) == (PUBLIC,)
    assert len(choose_addresses(tuple(f"10.0.0.{n}" for n in range(99)), at_home=True, families=(4,))) == 16


async def test_an_empty_page_is_the_end_of_a_chain():
    async with open_world() as world:
        port = await world.serve(say(b"HTTP/1.1 200 OK\r\n\r\n"))
        (exchange,) = seen(await world.check(host="127.0.0.1", port=port), HTTPExchange)
        assert (exchange.failure, exchange.body_sha256, exchange.timeline) == (None, "", ())
