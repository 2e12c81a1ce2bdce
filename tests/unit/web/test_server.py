import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from probe.model.errors import UserError
from probe.model.settings import WebSettings
from probe.web.agent_view import AgentView
from probe.web.limits import DEFAULT_LIMITS, WebLimits
from probe.web.server import WebServer, start_web
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.fakes import FakeAgent

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: %s\r\n\r\n"


@asynccontextmanager
async def running(
    agent: AgentView, limits: WebLimits = DEFAULT_LIMITS, config_file: str = "", listen: str = "127.0.0.1:0"
) -> AsyncIterator[WebServer]:
    server = await start_web(agent, WebSettings(listen=(listen,), config_file=config_file), {}, limits)
    try:
        yield server
    finally:
        await server.close()


def place(server: WebServer) -> tuple[str, int]:
    host, _, port = server.addresses[0].rpartition(":")
    return host.strip("[]"), int(port)


async def fetch(server: WebServer, path: bytes, **ways: object) -> bytes:
    reader, writer = await asyncio.open_connection(*place(server), **ways)  # type: ignore[arg-type]
    writer.write(GET % (path, b"close"))
    answer = await reader.read()
    writer.close()
    return answer


async def ended_within(reader: asyncio.StreamReader, seconds: float) -> bool:
    """Tell whether the server hung up, whatever it said before."""
    try:
        async with asyncio.timeout(seconds):
            while await reader.read(65536):
                pass
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False
    return True


async def test_a_connection_is_kept_for_the_next_request():
    async with running(FakeAgent()) as server:
        reader, writer = await asyncio.open_connection(*place(server))
        for _ in range(3):
            writer.write(GET % (b"/-/healthy", b"keep-alive"))
            answer = await reader.readuntil(b"healthy.\n")
            assert answer.startswith(b"HTTP/1.1 200")
        writer.close()


async def test_ipv6_loopback_is_listened_on():
    with socket.socket(socket.AF_INET6) as probe:
        try:
            probe.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
    async with running(FakeAgent(), listen="[::1]:0") as server:
        assert b"200 OK" in await fetch(server, b"/-/healthy")


async def test_a_port_in_use_is_a_user_error():
    async with running(FakeAgent()) as server:
        with pytest.raises(UserError, match="in use"):
            async with running(FakeAgent(), listen=server.addresses[0]):
                pass


async def test_the_port_is_free_again_after_close():
    async with running(FakeAgent()) as server:
        address = server.addresses[0]
        await fetch(server, b"/-/healthy")
    async with running(FakeAgent(), listen=address):
        pass


async def test_close_does_not_wait_for_a_reader_that_reads_nothing():
    agent = FakeAgent([make_snapshot(number) for number in range(4000)])
    loop = asyncio.get_running_loop()
    async with running(agent) as server:
        _, writer = await asyncio.open_connection(*place(server), limit=1)
        writer.write(GET % (b"/metrics", b"close"))
        await asyncio.sleep(0.3)
        started_s = loop.time()
    assert loop.time() - started_s < 2.5
    writer.close()


async def test_the_web_configuration_gives_tls(tmp_path: Path):
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    (tmp_path / "web.yml").write_text("tls_server_config: {cert_file: cert.pem, key_file: key.pem}")
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    async with running(FakeAgent(), config_file=str(tmp_path / "web.yml")) as server:
        assert b"200 OK" in await fetch(server, b"/-/healthy", ssl=trusting, server_hostname="localhost")


@pytest.mark.parametrize("sent", [b"", b"GET / HT", GET[:-2] % (b"/", b"close")])
async def test_a_head_that_does_not_end_is_cut_off(sent: bytes):
    limits = WebLimits(head_s=0.2, sweep_s=0.05)
    async with running(FakeAgent(), limits) as server:
        reader, writer = await asyncio.open_connection(*place(server))
        writer.write(sent)
        assert await ended_within(reader, 2)
        writer.close()


async def test_a_head_sent_byte_by_byte_gets_no_more_time():
    limits = WebLimits(head_s=0.3, sweep_s=0.05)
    async with running(FakeAgent(), limits) as server:
        reader, writer = await asyncio.open_connection(*place(server))
        ended = asyncio.create_task(ended_within(reader, 3))
        with contextlib.suppress(ConnectionError):
            for byte in GET % (b"/" * 200, b"close"):
                writer.write(bytes((byte,)))
                await asyncio.sleep(0.05)
                if ended.done():
                    break
        assert await ended
        writer.close()


async def test_an_idle_connection_is_closed_after_its_time():
    limits = WebLimits(idle_s=0.2, sweep_s=0.05)
    async with running(FakeAgent(), limits) as server:
        reader, writer = await asyncio.open_connection(*place(server))
        writer.write(GET % (b"/-/healthy", b"keep-alive"))
        await reader.readuntil(b"healthy.\n")
        assert await ended_within(reader, 2)
        writer.close()


async def test_a_connection_too_many_takes_the_place_of_the_oldest_that_asks_nothing():
    async with running(FakeAgent(), WebLimits(connections=2)) as server:
        first = [await asyncio.open_connection(*place(server)) for _ in range(2)]
        assert b"200 OK" in await fetch(server, b"/-/healthy")
        assert await ended_within(first[0][0], 2)
        assert not await ended_within(first[1][0], 0.2)
        for _, other in first:
            other.close()


async def test_readers_that_do_not_read_never_keep_a_watcher_out(caplog):
    agent = FakeAgent([make_snapshot(number) for number in range(3000)])
    async with running(agent, WebLimits(connections=20)) as server:
        slow = []
        for _ in range(60):
            slow.append(_connect_reading_nothing(server))
            await asyncio.sleep(0)
        assert b"200 OK" in await fetch(server, b"/-/healthy")
        for one in slow:
            one.close()
        await asyncio.sleep(0.2)
    assert not [record for record in caplog.records if record.exc_info], "who is shown out is no fault of ours"


@pytest.mark.parametrize(
    "head",
    [
        b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST /-/reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nz",
    ],
)
async def test_a_request_that_is_none_does_not_hurt(head: bytes):
    agent = FakeAgent()
    async with running(agent, WebLimits(head_s=0.3, sweep_s=0.05)) as server:
        reader, writer = await asyncio.open_connection(*place(server))
        writer.write(head)
        assert await ended_within(reader, 3)
        writer.close()
        assert agent.reloads == 0
        assert b"200 OK" in await fetch(server, b"/-/healthy")


async def test_too_many_scrapes_at_once_are_told_to_come_back():
    agent = FakeAgent([make_snapshot(number) for number in range(4000)])
    async with running(agent, WebLimits(scrapes=1)) as server:
        slow = _connect_reading_nothing(server)
        await asyncio.sleep(0.2)
        answer = await fetch(server, b"/metrics")
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Retry-After" in answer
        assert b"200 OK" in await fetch(server, b"/-/healthy")
        slow.close()


async def test_a_slow_scraper_holds_little_memory_and_is_cut_off():
    agent = FakeAgent([make_snapshot(number) for number in range(5000)])
    async with running(agent, WebLimits(scrape_s=0.5)) as server:
        before_bytes = _resident_bytes()
        slow = [_connect_reading_nothing(server) for _ in range(4)]
        await asyncio.sleep(0.3)
        grown_bytes = _resident_bytes() - before_bytes
        assert grown_bytes < 15e6, "four whole pages are 80 MB"
        await asyncio.sleep(1.0)
        for one in slow:
            received = await asyncio.get_running_loop().run_in_executor(None, _drain, one)
            assert b"\r\n0\r\n\r\n" not in received[-7:], "a page that was cut must not look whole"
        assert b"200 OK" in await fetch(server, b"/metrics")


def _connect_reading_nothing(server: WebServer) -> socket.socket:
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.settimeout(5)
    slow.connect(place(server))
    slow.sendall(GET % (b"/metrics", b"close"))
    return slow


def _drain(slow: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := slow.recv(1 << 20):
            received += part
    slow.close()
    return received


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def fetch_with(settings: WebSettings, path: str, host: str = "localhost") -> str:
    server = await start_web(FakeAgent([make_snapshot(1)]), settings, {})
    try:
        reader, writer = await asyncio.open_connection(*place(server))
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return (await reader.read()).decode()
    finally:
        await server.close()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/wall/metrics", 200),
        ("/wall/-/healthy", 200),
        ("/wall/api/v1/targets", 200),
        ("/wall/", 200),
        ("/", 302),
        ("/wall", 302),
        ("/metrics", 404),
        ("/api/v1/targets", 404),
    ],
)
async def test_a_prefix_stands_before_every_path(path, status):
    settings = WebSettings(listen=("127.0.0.1:0",), route_prefix="/wall")
    answer = await fetch_with(settings, path)
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert "X-Frame-Options: DENY" in answer


async def test_errors_under_a_prefix_come_as_their_readers_expect_them():
    answer = await fetch_with(WebSettings(listen=("127.0.0.1:0",), route_prefix="/wall"), "/wall/api/v1/nothing")
    assert answer.endswith('{"error": "nothing here"}')


async def test_metrics_may_have_another_path():
    settings = WebSettings(listen=("127.0.0.1:0",), telemetry_path="/internal/figures")
    assert "wallprobe_target_status" in await fetch_with(settings, "/internal/figures")
    assert " 404 " in (await fetch_with(settings, "/metrics"))[:20]


async def test_behind_a_proxy_the_name_of_the_outer_url_is_ours():
    settings = WebSettings(listen=("127.0.0.1:0",), external_url="https://Mon.Example:8443/")
    assert " 200 " in (await fetch_with(settings, "/-/healthy", "mon.example:8443"))[:20]
    assert " 421 " in (await fetch_with(settings, "/-/healthy", "evil.example"))[:20]


async def test_without_a_socket_of_systemd_there_is_an_error_instead_of_another_port():
    with pytest.raises(UserError, match="systemd passed no socket"):
        await start_web(FakeAgent(), WebSettings(listen=("127.0.0.1:0",), systemd_socket=True), {})
