"""The tcp, tls and icmp checks: every address on its own, the family respected, parameters obeyed."""

import msgspec
import pytest

from probe.checks import CHECKS
from probe.model.endpoint import AddressFamily
from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup, ICMPEcho, TCPConnect, TLSHandshake
from probe.model.target import CheckName, Target
from probe.net.capabilities import probe_capabilities
from probe.net.context import Context
from tests.fakes import make_context
from tests.unit.checks.world import World, assert_all_released, keep_silent, open_world, seen

HOST = probe_capabilities()


async def run(world: World, check: CheckName, host: str, port: int = 0, **fields: object) -> Context:
    target = Target(id="t", check=check, address="x", host=host, port=port)
    ctx = make_context(world.stack, families=(4, 6), hold_s=0.01)  # type: ignore[arg-type]
    await CHECKS[check](msgspec.structs.replace(target, **fields), ctx)
    assert_all_released(ctx)
    return ctx


async def test_tcp_connects_to_every_address_of_the_name_once() -> None:
    async with open_world(two_test=["127.0.0.1", "127.0.0.2", "127.0.0.1"]) as world:
        port = await world.serve(keep_silent, "127.0.0.1")
        ctx = await run(world, CheckName.TCP, "two.test", port)
    connects = {connect.endpoint.address: connect.failure for connect in seen(ctx, TCPConnect)}
    assert len(seen(ctx, TCPConnect)) == 2
    assert connects["127.0.0.1"] is None
    assert connects["127.0.0.2"] is not None
    assert connects["127.0.0.2"].code is FailureCode.CONNECTION_REFUSED
    assert {lookup.query_type for lookup in seen(ctx, DNSLookup)} == {"A", "AAAA"}


@pytest.mark.parametrize(("family", "address"), [(AddressFamily.V4, "127.0.0.1"), (AddressFamily.V6, "::1")])
async def test_a_target_of_one_family_uses_that_alone(family: AddressFamily, address: str) -> None:
    async with open_world(both_test=["127.0.0.1", "::1"]) as world:
        port = await world.serve(keep_silent, "127.0.0.1", "::1")
        ctx = await run(world, CheckName.TCP, "both.test", port, family=family)
        (connect,) = seen(ctx, TCPConnect)
        assert connect.endpoint.address == address
        assert {lookup.query_type for lookup in seen(ctx, DNSLookup)} == {"A" if family is AddressFamily.V4 else "AAAA"}


async def test_an_address_needs_no_lookup_and_a_missing_name_opens_nothing() -> None:
    async with open_world() as world:
        port = await world.serve(keep_silent)
        ctx = await run(world, CheckName.TCP, "127.0.0.1", port)
        assert [type(observation) for observation in ctx.journal.observations] == [TCPConnect]
        ctx = await run(world, CheckName.TLS, "missing.test", port)
        assert {type(observation) for observation in ctx.journal.observations} == {DNSLookup}


async def test_a_name_with_hundreds_of_addresses_is_tried_at_sixteen() -> None:
    async with open_world(many_test=[f"127.0.1.{n}" for n in range(1, 30)]) as world:
        ctx = await run(world, CheckName.TCP, "many.test", 9)
        assert len(seen(ctx, TCPConnect)) == 16


async def test_tls_sends_the_host_and_verifies_it() -> None:
    async with open_world(site_test=["127.0.0.1"]) as world:
        port = await world.serve(keep_silent, certificate_for=("site.test",))
        ctx = await run(world, CheckName.TLS, "site.test", port)
        (shake,) = seen(ctx, TLSHandshake)
        assert (shake.server_name, shake.verified, shake.alpn_offered) == ("site.test", True, ())


async def test_tls_sends_another_name_or_none_when_told() -> None:
    async with open_world(site_test=["127.0.0.1"]) as world:
        port = await world.serve(keep_silent, certificate_for=("site.test", "other.test"))
        ctx = await run(world, CheckName.TLS, "site.test", port, params={"sni": "other.test", "alpn": "h2,imap"})
        (shake,) = seen(ctx, TLSHandshake)
        assert (shake.server_name, shake.verified, shake.alpn_offered) == ("other.test", True, ("h2", "imap"))
        ctx = await run(world, CheckName.TLS, "site.test", port, params={"sni": ""})
        (shake,) = seen(ctx, TLSHandshake)
        assert (shake.server_name, shake.verified) == ("", True)
        ctx = await run(world, CheckName.TLS, "127.0.0.1", port, params={"sni": "third.test"})
        (shake,) = seen(ctx, TLSHandshake)
        assert shake.failure is not None
        assert shake.failure.code is FailureCode.SSL_INVALID_HOSTNAME


async def test_tls_stops_where_the_port_is_closed() -> None:
    async with open_world(site_test=["127.0.0.3"]) as world:
        port = await world.serve(keep_silent, "127.0.0.1")
        ctx = await run(world, CheckName.TLS, "site.test", port)
        assert len(seen(ctx, TCPConnect)) == 1
        assert not seen(ctx, TLSHandshake)


@pytest.mark.skipif(not (HOST.ping_socket or HOST.raw_socket), reason="no ICMP socket allowed here")
async def test_icmp_echoes_every_address() -> None:
    async with open_world(both_test=["127.0.0.1", "127.0.0.2", "::1"]) as world:
        ctx = await run(world, CheckName.ICMP, "both.test")
        echoes = seen(ctx, ICMPEcho)
        assert {echo.address for echo in echoes} == {"127.0.0.1", "127.0.0.2", "::1"}
        assert all(echo.failure is None for echo in echoes)
