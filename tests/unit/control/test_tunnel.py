"""A tunnel as a control: the same steps through a real SOCKS5 or HTTP proxy, and what is made of broken ones."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.control.client import ControlClient
from probe.control.tunnel import TunnelReach
from probe.model.control import ControlKind, ControlReport, ControlRequest
from probe.model.endpoint import Endpoint
from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup, HTTPExchange, Resolver, TCPConnect, TLSHandshake, Transport
from probe.model.settings import ControlSettings
from probe.model.target import CheckName
from probe.net.tunnel import TunnelKind, parse_way
from tests.unit.checks.world import PAGE, World, keep_silent, open_world
from tests.unit.control.place import ANYWHERE, free_port
from tests.unit.control.tunnels import Socks, carry, name_server

NAME = "a.test"


@contextlib.asynccontextmanager
async def open_site() -> AsyncIterator[tuple[World, ControlRequest, tuple[Resolver, ...]]]:
    """A site over TLS, and the resolver that a tunnel asks. This host's own nameserver does not know the name."""
    async with open_world() as world:
        port = await world.serve(world.answer(PAGE), certificate_for=(NAME,))
        names = await world.serve(name_server({NAME: ["127.0.0.1"]}))
        resolver = Resolver(transport=Transport.UDP, endpoint=Endpoint(address="127.0.0.1", port=names))
        yield world, ControlRequest(check=CheckName.WEB, host=NAME, port=port, families=(4,)), (resolver,)


def client_of(world: World, proxy: str, resolvers: tuple[Resolver, ...]) -> ControlClient:
    settings = (ControlSettings(kind=ControlKind.TUNNEL, proxy=proxy),)
    return ControlClient(settings, world.stack, environ={}, families=(4,), resolvers=resolvers, tunnel_policy=ANYWHERE)


async def ask(world: World, proxy: str, request: ControlRequest, resolvers: tuple[Resolver, ...]) -> ControlReport:
    client = client_of(world, proxy, resolvers)
    try:
        return await client.ask(request)
    finally:
        await client.close()


async def test_every_step_runs_through_a_socks5_proxy_the_questions_for_the_name_too() -> None:
    async with open_site() as (world, request, resolvers):
        socks = Socks()
        proxy = await world.serve(socks.serve)
        report = await ask(world, f"socks5://127.0.0.1:{proxy}", request, resolvers)
        assert (report.failure, report.kind, report.control) == ("", ControlKind.TUNNEL, f"via 127.0.0.1:{proxy}")
        names = {o.name for o in report.observations if isinstance(o, DNSLookup)}
        pages = [o.status for o in report.observations if isinstance(o, HTTPExchange)]
        assert (names, pages) == ({NAME}, [200])
        assert any(isinstance(o, TLSHandshake) and o.verified for o in report.observations)
        connects = [o for o in report.observations if isinstance(o, TCPConnect) and o.endpoint.port == request.port]
        assert connects
        assert all(o.kernel_rtt_s is None for o in connects)
        assert f"127.0.0.1:{request.port}" in socks.asked
        assert not world.nameserver.asked


async def test_one_that_resolves_and_will_not_connect_is_blind_and_another_is_asked() -> None:
    async with open_site() as (world, request, resolvers):
        strict = Socks(code=2, open_ports=tuple(r.endpoint.port for r in resolvers if r.endpoint is not None))
        ways = [f"socks5://127.0.0.1:{await world.serve(socks.serve)}" for socks in (strict, Socks())]
        settings = tuple(ControlSettings(kind=ControlKind.TUNNEL, proxy=way, name=way) for way in ways)
        for asked, says, sees in ((settings[:1], ways[0], False), (settings, ways[1], True)):
            client = ControlClient(
                asked, world.stack, environ={}, families=(4,), resolvers=resolvers, tunnel_policy=ANYWHERE
            )
            report = await client.ask(request)
            await client.close()
            assert (report.control, report.failure, report.looked(request.check)) == (says, "", sees)
        assert report.tried == (f"{ways[0]}: could not look at the place",)


async def test_every_step_runs_through_an_http_proxy() -> None:
    async with open_site() as (world, request, resolvers):

        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            host, _, port = head.split(b" ")[1].decode().rpartition(":")
            there_reader, there_writer = await asyncio.open_connection(host, int(port))
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            await asyncio.gather(carry(reader, there_writer), carry(there_reader, writer))

        proxy = await world.serve(connect)
        report = await ask(world, f"http://localhost:{proxy}", request, resolvers)
    assert report.failure == ""
    assert [o.status for o in report.observations if isinstance(o, HTTPExchange)] == [200]


async def test_addresses_that_we_saw_are_tried_through_it_as_well() -> None:
    async with open_site() as (world, request, resolvers):
        socks = Socks()
        proxy = await world.serve(socks.serve)
        seen = ControlRequest(
            check=request.check, host=NAME, port=request.port, families=(4,), addresses=("127.0.0.9",)
        )
        report = await ask(world, f"socks5://127.0.0.1:{proxy}", seen, resolvers)
    refused = [o.failure for o in report.observations if isinstance(o, TCPConnect) and o.failure is not None]
    assert [failure.code for failure in refused] == [FailureCode.CONNECTION_REFUSED]


async def test_a_proxy_that_promises_before_it_tries_proves_no_connection() -> None:
    async with open_site() as (world, request, resolvers):
        proxy = await world.serve(Socks(hasty=True).serve)
        dead = ControlRequest(check=CheckName.TCP, host=NAME, port=free_port(), families=(4,), timeout_s=1.0)
        report = await ask(world, f"socks5://127.0.0.1:{proxy}", dead, resolvers)
        site = await ask(world, f"socks5://127.0.0.1:{proxy}", request, resolvers)
    assert report.failure == ""  # the name's answer came through
    assert not [o for o in report.observations if isinstance(o, TCPConnect) and o.endpoint.port == dead.port]
    assert [o for o in site.observations if isinstance(o, TCPConnect) and o.endpoint.port == request.port]


@pytest.mark.parametrize("code", [1, 2, 7])
async def test_a_proxy_that_refuses_everything_is_a_finding_and_never_the_sites_fault(code: int) -> None:
    async with open_site() as (world, request, resolvers):
        proxy = await world.serve(Socks(code=code).serve)
        report = await ask(world, f"socks5://127.0.0.1:{proxy}", request, resolvers)
    assert report.failure.startswith("tunnel: nothing came through it (the proxy could not connect")
    assert (report.unreachable, report.observations) == (True, ())
    assert {o.failure.code for o in report.way if o.failure is not None} == {FailureCode.PERMISSION_DENIED}


async def test_a_proxy_that_is_not_there_or_says_nothing_is_a_finding() -> None:
    async with open_site() as (world, request, resolvers):
        absent = await ask(world, f"socks5://127.0.0.1:{free_port()}", request, resolvers)
        silent_port = await world.serve(keep_silent)
        quick = ControlRequest(check=CheckName.WEB, host=NAME, port=request.port, families=(4,), timeout_s=0.3)
        silent = await ask(world, f"socks5://127.0.0.1:{silent_port}", quick, resolvers)
    for report in (absent, silent):
        assert (report.unreachable, report.failure.partition(" (")[0]) == (True, "tunnel: nothing came through it")


async def test_a_tunnel_that_is_dead_is_left_alone_for_a_while_and_the_next_control_is_asked() -> None:
    async with open_site() as (world, request, resolvers):
        socks = Socks()
        proxy = await world.serve(socks.serve)
        settings = (
            ControlSettings(kind=ControlKind.TUNNEL, name="dead", proxy=f"socks5://127.0.0.1:{free_port()}"),
            ControlSettings(kind=ControlKind.TUNNEL, name="alive", proxy=f"socks5://127.0.0.1:{proxy}"),
        )
        client = ControlClient(
            settings, world.stack, environ={}, families=(4,), resolvers=resolvers, tunnel_policy=ANYWHERE
        )
        report = await client.ask(request, max_age_s=0)
        again = await client.ask(request, max_age_s=0)
        assert client.health() == {"dead": False, "alive": True}
        await client.close()
    assert (report.control, len(report.tried), again.tried) == ("alive", 1, ())


async def test_nothing_private_is_dialled_through_a_tunnel() -> None:
    async with open_site() as (world, request, resolvers):
        socks = Socks()
        proxy = await world.serve(socks.serve)
        settings = ControlSettings(kind=ControlKind.TUNNEL, proxy=f"socks5://127.0.0.1:{proxy}")
        reach = TunnelReach(settings, world.stack, families=(4,), resolvers=resolvers)
        await reach.ask(request)
    assert f"127.0.0.1:{request.port}" not in socks.asked


async def test_datagrams_stay_at_home_where_a_proxy_would_be_passed_by() -> None:
    async with open_site() as (world, _, resolvers):
        proxy = await world.serve(Socks().serve)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as site:
            site.bind(("127.0.0.1", 0))
            site.setblocking(False)
            port = site.getsockname()[1]
            for check in (CheckName.H3, CheckName.DNS):
                request = ControlRequest(
                    check=check, host=NAME, port=port, addresses=("127.0.0.1",), families=(4,), timeout_s=0.5
                )
                await ask(world, f"socks5://127.0.0.1:{proxy}", request, resolvers)
            with pytest.raises(BlockingIOError):
                site.recv(2048)


@pytest.mark.skipif(sys.platform != "linux", reason="devices are bound on Linux")
async def test_a_device_carries_the_steps_and_one_that_is_not_there_is_a_finding() -> None:
    async with open_site() as (world, request, resolvers):
        over_lo = await ask(world, "device://lo", request, resolvers)
        nowhere = await ask(world, "device://wpnone0", request, resolvers)
    assert over_lo.failure == ""
    assert [o.status for o in over_lo.observations if isinstance(o, HTTPExchange)] == [200]
    assert nowhere.unreachable
    assert nowhere.failure.startswith("tunnel: nothing came through it")


@pytest.mark.parametrize(
    ("text", "way"),
    [
        ("socks5://127.0.0.1:1080", (TunnelKind.SOCKS5, "127.0.0.1", 1080)),
        ("socks5h://[::1]:1080", (TunnelKind.SOCKS5, "::1", 1080)),
        ("http://proxy.lan:3128/", (TunnelKind.HTTP, "proxy.lan", 3128)),
        ("device://wg0", (TunnelKind.DEVICE, "wg0", 0)),
        ("device://Office-VPN", (TunnelKind.DEVICE, "Office-VPN", 0)),
    ],
)
def test_a_way_out_is_read(text: str, way: tuple[TunnelKind, str, int]) -> None:
    assert parse_way(text) == way


@pytest.mark.parametrize(
    "text",
    ["", "socks5://127.0.0.1", "socks5://u:p@127.0.0.1:1", "ftp://a:1", "device://", "device://a/b", "http://a:1/x"],
)
def test_what_is_no_way_out_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_way(text)


@given(st.text(max_size=60))
def test_any_text_is_a_way_out_or_refused(text: str) -> None:
    try:
        kind, host, _ = parse_way(text)
    except ValueError:
        return
    assert kind in TunnelKind
    assert host
