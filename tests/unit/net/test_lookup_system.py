"""A name asked as a client of this host would: A and AAAA side by side, nameserver after nameserver."""

import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import dns.message
import pytest

from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup
from probe.net.context import Context
from probe.net.lookup import lookup_system
from tests.fakes import make_context
from tests.unit.net.fake_resolver import (
    PUBLIC,
    PUBLIC_V6,
    FakeResolver,
    Reply,
    Script,
    always,
    answer_plainly,
    build_reply,
    open_stack,
    run_resolver,
    stay_silent,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere getaddrinfo is asked")
NAME = "www.example.com"


@contextlib.asynccontextmanager
async def host_with(
    tmp_path: Path, *scripts: Script, **fields: object
) -> AsyncIterator[tuple[Context, list[FakeResolver]]]:
    """A host whose nameservers behave like this, on 127.0.0.11, .12, …, all on one port."""
    async with contextlib.AsyncExitStack() as servers:
        fakes: list[FakeResolver] = []
        port = 0
        for number, script in enumerate(scripts):
            fake = await servers.enter_async_context(run_resolver(script, address=f"127.0.0.{11 + number}", port=port))
            port = fake.endpoint.port
            fakes.append(fake)
        conf = tmp_path / "resolv.conf"
        conf.write_text("".join(f"nameserver {fake.endpoint.address}\n" for fake in fakes))
        stack = open_stack(str(conf), port=port)
        try:
            yield make_context(stack, **({"timeout_s": 1.0, "hold_s": 0.1} | fields)), fakes
        finally:
            await stack.close()


def seen(ctx: Context) -> list[tuple[str, str, str]]:
    """Which address was asked for which type, and how it came out."""
    rows = []
    for observation in ctx.journal.observations:
        assert isinstance(observation, DNSLookup)
        assert observation.resolver.endpoint is not None
        assert observation.resolver.system
        code = observation.failure.code.value if observation.failure else "ok"
        rows.append((observation.resolver.endpoint.address, observation.query_type, code))
    return rows


def only_a(query: bytes) -> list[Reply]:
    kind = dns.message.from_wire(query).question[0].rdtype
    return [Reply(build_reply(query, *((("A", PUBLIC),) if kind == 1 else ())))]


async def test_both_families_are_asked_side_by_side(tmp_path: Path) -> None:
    async with host_with(tmp_path, answer_plainly) as (ctx, (fake,)):
        assert await lookup_system(ctx, NAME) == (PUBLIC, PUBLIC_V6)
        assert seen(ctx) == [("127.0.0.11", "A", "ok"), ("127.0.0.11", "AAAA", "ok")]
        assert len(fake.queries) == 2
        first, second = ctx.journal.observations
        assert second.t0_s < first.t_s


async def test_only_the_families_of_the_vantage_are_asked(tmp_path: Path) -> None:
    async with host_with(tmp_path, answer_plainly, families=(6,)) as (ctx, _):
        assert await lookup_system(ctx, NAME) == (PUBLIC_V6,)
        assert seen(ctx) == [("127.0.0.11", "AAAA", "ok")]


async def test_a_name_without_ipv6_does_not_wait(tmp_path: Path) -> None:
    took_s = []
    # A busy machine may stretch the first reply, and then the second looks hasty: what it can do is the best of three.
    for _ in range(3):
        async with host_with(tmp_path, only_a, hold_s=2.0) as (ctx, _):
            assert await lookup_system(ctx, NAME) == (PUBLIC,)
            took_s.append(ctx.journal.elapsed_s())
            assert seen(ctx)[1] == ("127.0.0.11", "AAAA", "dns_no_answer")
    assert min(took_s) < 1.0


@pytest.mark.parametrize("literal", ["192.0.2.1", "2001:db8::1"])
async def test_an_address_is_returned_as_it_is(tmp_path: Path, literal: str) -> None:
    async with host_with(tmp_path, answer_plainly) as (ctx, (fake,)):
        assert await lookup_system(ctx, literal) == (literal,)
        assert (ctx.journal.observations, fake.queries) == ([], [])


async def test_after_silence_the_next_nameserver_is_asked(tmp_path: Path) -> None:
    async with host_with(tmp_path, stay_silent, answer_plainly, timeout_s=0.4) as (ctx, _):
        assert await lookup_system(ctx, NAME) == (PUBLIC, PUBLIC_V6)
        assert seen(ctx) == [
            ("127.0.0.11", "A", "generic_timeout_error"),
            ("127.0.0.11", "AAAA", "generic_timeout_error"),
            ("127.0.0.12", "A", "ok"),
            ("127.0.0.12", "AAAA", "ok"),
        ]


async def test_all_nameservers_together_have_one_timeout(tmp_path: Path) -> None:
    async with host_with(tmp_path, stay_silent, stay_silent, stay_silent, timeout_s=0.6) as (ctx, _):
        assert await lookup_system(ctx, NAME) == ()
        assert 0.55 <= ctx.journal.elapsed_s() < 0.9
        assert len(ctx.journal.observations) == 6


@pytest.mark.parametrize("rcode", [2, 5])
async def test_after_a_refusal_or_a_failure_the_next_nameserver_is_asked(tmp_path: Path, rcode: int) -> None:
    async with host_with(tmp_path, always(rcode=rcode), answer_plainly, families=(4,)) as (ctx, _):
        assert await lookup_system(ctx, NAME) == (PUBLIC,)
        assert [row[0] for row in seen(ctx)] == ["127.0.0.11", "127.0.0.12"]


async def test_that_there_is_no_such_name_is_an_answer(tmp_path: Path) -> None:
    async with host_with(tmp_path, always(rcode=3), answer_plainly, families=(4,)) as (ctx, (_, second)):
        assert await lookup_system(ctx, NAME) == ()
        assert seen(ctx) == [("127.0.0.11", "A", "dns_nxdomain_error")]
        assert second.queries == []


async def test_only_what_is_missing_is_asked_of_the_next(tmp_path: Path) -> None:
    def no_aaaa(query: bytes) -> list[Reply]:
        kind = dns.message.from_wire(query).question[0].rdtype
        return [Reply(build_reply(query, ("A", PUBLIC)))] if kind == 1 else []

    async with host_with(tmp_path, no_aaaa, answer_plainly, timeout_s=0.6) as (ctx, _):
        assert await lookup_system(ctx, NAME) == (PUBLIC, PUBLIC_V6)
        assert seen(ctx) == [
            ("127.0.0.11", "A", "ok"),
            ("127.0.0.11", "AAAA", FailureCode.TIMEOUT.value),
            ("127.0.0.12", "AAAA", "ok"),
        ]


async def test_a_resolver_that_drops_aaaa_costs_two_seconds_not_the_timeout(tmp_path: Path) -> None:
    def no_aaaa(query: bytes) -> list[Reply]:
        kind = dns.message.from_wire(query).question[0].rdtype
        return [Reply(build_reply(query, ("A", PUBLIC)))] if kind == 1 else []

    async with host_with(tmp_path, no_aaaa, timeout_s=10.0) as (ctx, (fake,)):
        assert await lookup_system(ctx, NAME) == (PUBLIC,)
        assert 1.9 < ctx.journal.elapsed_s() < 2.5
        assert len(fake.queries) == 3


async def test_other_types_can_be_asked_of_the_nameservers(tmp_path: Path) -> None:
    async with host_with(tmp_path, always(("TXT", '"hello"'))) as (ctx, _):
        assert await lookup_system(ctx, NAME, ("TXT",)) == ()
        assert seen(ctx) == [("127.0.0.11", "TXT", "ok")]


async def test_a_forged_answer_is_held_and_all_of_it_kept(tmp_path: Path) -> None:
    def inject(query: bytes) -> list[Reply]:
        kind = dns.message.from_wire(query).question[0].rdtype
        forged = ("A", "127.0.0.1") if kind == 1 else ("AAAA", "2001::a0a:2222")
        return [Reply(build_reply(query, forged)), *answer_plainly(query)]

    async with host_with(tmp_path, inject) as (ctx, _):
        assert await lookup_system(ctx, NAME) == ("127.0.0.1", "2001::a0a:2222")
        assert [len(o.replies) for o in ctx.journal.observations if isinstance(o, DNSLookup)] == [2, 2]
