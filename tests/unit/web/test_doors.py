"""Who connects and does not shake hands costs little, and keeps nobody out: under both loops."""

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trustme
import uvloop

from probe.model.settings import WebSettings
from probe.web.limits import WebLimits
from probe.web.server import WebServer, start_web
from tests.unit.web.fakes import FakeAgent

LIMITS = WebLimits(handshakes=20, handshake_s=0.6)
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=LOOPS)
def serve(request: pytest.FixtureRequest, tmp_path: Path, authority: trustme.CA) -> Callable[..., None]:
    """Run a coroutine beside a server with TLS."""
    issued = authority.issue_cert("localhost")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    path = tmp_path / "web.yml"
    path.write_text("tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n")

    def begin(body: Callable[[WebServer], Awaitable[None]], limits: WebLimits = LIMITS) -> None:
        async def main() -> None:
            settings = WebSettings(listen=("127.0.0.1:0",), config_file=str(path))
            server = await start_web(FakeAgent(), settings, {}, limits)
            try:
                await body(server)
            finally:
                await server.close()

        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(main())

    return begin


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def is_healthy(server: WebServer, authority: trustme.CA) -> bool:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    port = int(server.addresses[0].rpartition(":")[2])
    async with asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="localhost")
        writer.write(b"GET /-/healthy HTTP/1.0\r\nHost: localhost\r\n\r\n")
        answer = await reader.read()
        writer.close()
    return answer.startswith(b"HTTP/1.0 200")


async def knock(server: WebServer, count: int, sent: bytes = b"") -> list[socket.socket]:
    """Connect so often, say this much, and wait until the server has seen all."""
    place = ("127.0.0.1", int(server.addresses[0].rpartition(":")[2]))
    made = []
    for _ in range(count):
        one = socket.create_connection(place, 5)
        one.sendall(sent)
        made.append(one)
        await asyncio.sleep(0)
    await asyncio.sleep(0.1)
    return made


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_silent_ones_are_held_up_to_a_limit_and_cut_off_in_time(serve, authority: trustme.CA, sent: bytes) -> None:
    async def body(server: WebServer) -> None:
        before = descriptors()
        silent = await knock(server, 90, sent)
        assert descriptors() - before - len(silent) <= LIMITS.handshakes + 5
        assert await is_healthy(server, authority)
        await _until_all_are_out(silent)
        for one in silent:
            one.close()
        await asyncio.sleep(0.05)
        assert descriptors() <= before + 1
        assert await is_healthy(server, authority)

    serve(body)


async def _until_all_are_out(clients: list[socket.socket]) -> None:
    until_s = asyncio.get_running_loop().time() + 5
    for one in clients:
        while not _has_ended(one):
            assert asyncio.get_running_loop().time() < until_s
            await asyncio.sleep(0.02)


def _has_ended(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        client.recv(4096, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def test_what_is_no_hello_is_shown_out_at_once_and_close_leaves_nobody_behind(serve, authority: trustme.CA) -> None:
    async def body(server: WebServer) -> None:
        strange = await knock(server, 3, b"GET / HTTP/1.0\r\n\r\n")
        await _until_all_are_out(strange)
        assert await is_healthy(server, authority)
        await knock(server, 5)

    serve(body, WebLimits(handshake_s=30.0))
