"""The dns check: whom it asks, and for what."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from probe.checks import dns
from probe.model.endpoint import AddressFamily
from probe.model.errors import UserError
from probe.model.observation import DNSLookup, Transport
from probe.model.target import CheckName, Target
from probe.net.context import Context
from tests.fakes import make_context
from tests.unit.net.fake_resolver import FakeResolver, answer_plainly, open_stack, run_resolver


@contextlib.asynccontextmanager
async def a_host(tmp_path: Path) -> AsyncIterator[tuple[Context, FakeResolver]]:
    async with run_resolver(answer_plainly) as fake:
        conf = tmp_path / "resolv.conf"
        conf.write_text("nameserver 127.0.0.1\n")
        stack = open_stack(str(conf), port=fake.endpoint.port)
        try:
            yield make_context(stack, hold_s=0.05), fake
        finally:
            await stack.close()


def a_target(family: AddressFamily | None = None, **params: str) -> Target:
    return Target(
        id="dns-example",
        check=CheckName.DNS,
        address="dns://www.example.com",
        host="www.example.com",
        port=53,
        params=params,
        family=family,
    )


def asked(ctx: Context) -> list[tuple[str, bool]]:
    """Which types were asked, and whether of the system."""
    lookups = [seen for seen in ctx.journal.observations if isinstance(seen, DNSLookup)]
    assert len(lookups) == len(ctx.journal.observations)
    return sorted((seen.query_type, seen.resolver.system) for seen in lookups)


async def test_unless_said_the_systems_nameservers_are_asked_for_both_families(tmp_path: Path) -> None:
    async with a_host(tmp_path) as (ctx, _):
        await dns.run(a_target(), ctx)
        assert asked(ctx) == [("A", True), ("AAAA", True)]


async def test_a_type_is_asked_alone(tmp_path: Path) -> None:
    async with a_host(tmp_path) as (ctx, _):
        await dns.run(a_target(resolver="system", type="AAAA"), ctx)
        assert asked(ctx) == [("AAAA", True)]


async def test_a_family_is_asked_alone(tmp_path: Path) -> None:
    async with a_host(tmp_path) as (ctx, _):
        await dns.run(a_target(AddressFamily.V4), ctx)
        assert asked(ctx) == [("A", True)]


async def test_another_resolver_is_asked_in_its_place(tmp_path: Path) -> None:
    async with a_host(tmp_path) as (ctx, fake):
        await dns.run(a_target(resolver=f"udp://{fake.endpoint}"), ctx)
        assert asked(ctx) == [("A", False), ("AAAA", False)]
        assert all(seen.resolver.transport is Transport.UDP for seen in ctx.journal.observations)


async def test_a_resolver_that_makes_no_sense_is_the_users_error(tmp_path: Path) -> None:
    async with a_host(tmp_path) as (ctx, _):
        with pytest.raises(UserError):
            await dns.run(a_target(resolver="udp://dns.example"), ctx)
