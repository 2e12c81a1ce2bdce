"""The dot and doh checks: every address of the resolver is asked, a resolver given by address included."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from probe.checks import doh, dot
from probe.model.endpoint import Endpoint
from probe.model.observation import DNSLookup, TLSHandshake, Transport
from probe.model.target import CheckName, Target
from probe.net.context import Context
from tests.fakes import make_context
from tests.unit.net.fake_resolver import always, open_stack, run_resolver
from tests.unit.net.test_lookup_stream import RESOLVER_NAME, Authority, Behaviour, answer, answer_http, serving


@contextlib.asynccontextmanager
async def a_resolver(tmp_path: Path, behaviour: Behaviour) -> AsyncIterator[tuple[Context, Endpoint]]:
    """A TLS server on 127.0.0.1, and nameservers that give that address to every name."""
    authority = Authority(tmp_path)
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.0.0.1\n")
    async with run_resolver(always(("A", "127.0.0.1"))) as names, serving(behaviour, authority.server) as endpoint:
        stack = open_stack(str(conf), port=names.endpoint.port, ca_file=authority.ca_file)
        try:
            yield make_context(stack, hold_s=0.05, families=(4,)), endpoint
        finally:
            await stack.close()


def a_target(check: CheckName, host: str, endpoint: Endpoint, **params: str) -> Target:
    return Target(id="r", check=check, address=f"{check}://{host}", host=host, port=endpoint.port, params=params)


def answers(ctx: Context, transport: Transport) -> list[tuple[str, str, bool]]:
    """Name, type and success of each question that went this way."""
    lookups = [seen for seen in ctx.journal.observations if isinstance(seen, DNSLookup)]
    return [(s.name, s.query_type, s.failure is None) for s in lookups if s.resolver.transport is transport]


async def test_a_dot_resolver_with_a_name_is_resolved_first_and_asked_for_a_neutral_name(tmp_path: Path) -> None:
    async with a_resolver(tmp_path, answer) as (ctx, endpoint):
        await dot.run(a_target(CheckName.DOT, RESOLVER_NAME, endpoint), ctx)
        assert answers(ctx, Transport.UDP) == [(RESOLVER_NAME, "A", True)]
        assert answers(ctx, Transport.DOT) == [("example.com", "A", True)]


async def test_a_dot_resolver_given_by_address_needs_no_name(tmp_path: Path) -> None:
    async with a_resolver(tmp_path, answer) as (ctx, endpoint):
        await dot.run(a_target(CheckName.DOT, "127.0.0.1", endpoint), ctx)
        assert answers(ctx, Transport.UDP) == []
        assert answers(ctx, Transport.DOT) == [("example.com", "A", True)]


async def test_the_name_in_the_certificate_and_the_question_may_be_given(tmp_path: Path) -> None:
    async with a_resolver(tmp_path, answer) as (ctx, endpoint):
        target = a_target(CheckName.DOT, "127.0.0.1", endpoint, sni=RESOLVER_NAME, name="neutral.example")
        await dot.run(target, ctx)
        (handshake,) = [seen for seen in ctx.journal.observations if isinstance(seen, TLSHandshake)]
        assert handshake.server_name == RESOLVER_NAME
        assert answers(ctx, Transport.DOT) == [("neutral.example", "A", True)]


async def test_a_doh_resolver_is_asked_at_its_path(tmp_path: Path) -> None:
    async with a_resolver(tmp_path, answer_http()) as (ctx, endpoint):
        await doh.run(a_target(CheckName.DOH, RESOLVER_NAME, endpoint, path="/dns-query"), ctx)
        assert answers(ctx, Transport.DOH) == [("example.com", "A", True)]
