"""The web check against nginx: a real server's framing, compression, redirects and refusals."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.model.failure import FailureCode
from probe.model.observation import Ending, HTTPExchange, TLSHandshake
from probe.model.target import Header, Request
from tests.unit.checks.world import authority, open_world, seen, the_exchange

NGINX = shutil.which("nginx") or "/usr/sbin/nginx"
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(not Path(NGINX).exists(), reason="nginx is not installed (apt-get install nginx-light)"),
]

CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
{user}
worker_processes 1;
events {{ worker_connections 256; }}
http {{
    access_log {folder}/access.log;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    types {{ text/html html; application/octet-stream bin; }}
    gzip on; gzip_min_length 1; gzip_types text/plain;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;
    server {{
        listen 127.0.0.1:{port}; listen 127.0.0.2:{port};
        server_name a.test;
        root {folder}/www;
        location = /chunked {{ gzip off; ssi on; ssi_types *; default_type text/html; try_files /ssi.html =404; }}
        location = /slow {{ limit_rate 1k; try_files /big.bin =404; }}
        location = /closed {{ return 444; }}
        location = /loop {{ return 302 /loop; }}
        location = /secure {{ return 301 https://a.test:{tls_port}/; }}
        location = /cookie {{ add_header Set-Cookie "seen=1; Path=/"; return 302 /needs-cookie; }}
        location = /needs-cookie {{ if ($cookie_seen = "") {{ return 302 /cookie; }} return 200 "welcome"; }}
        location = /key {{ if ($http_x_key != "1") {{ return 403; }} return 204; }}
        location = /teapot {{ return 418 "short and stout"; }}
    }}
    server {{
        listen 127.0.0.1:{port} default_server; server_name _; return 421;
    }}
    server {{
        listen 127.0.0.1:{tls_port} ssl; server_name a.test;
        root {folder}/www;
    }}
    server {{
        listen 127.0.0.1:{old_port} ssl; ssl_protocols TLSv1.2; ssl_ciphers ECDHE+AESGCM;
        server_name a.test; root {folder}/www;
    }}
}}
"""
PAGE = "<!doctype html><title>Gr\u00fcezi &amp; welcome</title>" + "lorem ipsum " * 400


class Nginx:
    """A running server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.tls_port, self.old_port = find_ports(3)
        www = folder / "www"
        www.mkdir()
        folder.chmod(0o755)
        (www / "index.html").write_text(PAGE, encoding="utf-8")
        (www / "big.bin").write_bytes(os.urandom(1 << 20))
        (www / "ssi.html").write_text("<title>Chunked</title><!--#echo var='host' -->", encoding="utf-8")
        certificate = authority()[0].issue_cert("a.test")
        certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(str(folder / "chain.pem"), append=True)
        text = CONFIGURATION.format(
            folder=folder,
            user="user root;" if os.geteuid() == 0 else "",
            port=self.port,
            tls_port=self.tls_port,
            old_port=self.old_port,
        )
        (folder / "nginx.conf").write_text(text, encoding="utf-8")
        self.process = subprocess.Popen(
            [NGINX, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
        )

    def wait(self) -> None:
        """Wait until it listens on all its ports."""
        deadline = time.monotonic() + 10
        for port in (self.port, self.tls_port, self.old_port):
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                    break
                assert self.process.poll() is None, (self.folder / "error.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(10)


def find_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in sockets:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in sockets]


@pytest.fixture(scope="module")
def nginx(tmp_path_factory) -> Iterator[Nginx]:
    server = Nginx(tmp_path_factory.mktemp("nginx"))
    try:
        server.wait()
        yield server
    finally:
        server.stop()


async def fetch(port: int, path: str = "/", *, host: str = "a.test", **fields) -> list[HTTPExchange]:
    async with open_world(a_test=["127.0.0.1"], other_test=["127.0.0.1"]) as world:
        return seen(await world.check(host=host, port=port, path=path, **fields), HTTPExchange)


async def test_a_compressed_page_is_read(nginx):
    (exchange,) = await fetch(nginx.port)
    assert (exchange.status, exchange.failure, exchange.title) == (200, None, "Gr\u00fcezi & welcome")
    assert exchange.body.decode() == PAGE
    assert dict(exchange.headers)["Content-Encoding"] == "gzip"
    assert exchange.body_bytes < len(PAGE) / 2
    assert exchange.head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert exchange.head.endswith(b"\r\n\r\n")


async def test_the_name_reaches_the_right_site(nginx):
    (exchange,) = await fetch(nginx.port, host="other.test")
    assert exchange.status == 421


@pytest.mark.parametrize(("which", "version"), [("tls_port", "TLSv1.3"), ("old_port", "TLSv1.2")])
async def test_a_page_over_tls_of_either_version(nginx, which, version):
    async with open_world(a_test=["127.0.0.1"]) as world:
        ctx = await world.check(host="a.test", port=getattr(nginx, which), secure=True)
        (handshake,) = seen(ctx, TLSHandshake)
        assert (handshake.version, handshake.verified) == (version, True)
        assert the_exchange(ctx).body.decode() == PAGE


async def test_a_chunked_page_is_read(nginx):
    (exchange,) = await fetch(nginx.port, "/chunked")
    assert dict(exchange.headers)["Transfer-Encoding"] == "chunked"
    assert (exchange.title, exchange.body) == ("Chunked", b"<title>Chunked</title>a.test")


async def test_a_large_file_stops_at_the_limit(nginx):
    (exchange,) = await fetch(nginx.port, "/big.bin", body_limit_bytes=65536)
    assert (exchange.failure, exchange.body_truncated) == (None, True)
    assert exchange.body == (nginx.folder / "www" / "big.bin").read_bytes()[:65536]


async def test_a_slow_transfer_ends_with_its_budget(nginx):
    (exchange,) = await fetch(nginx.port, "/slow", timeout_s=1.5)
    assert exchange.failure is not None
    assert (exchange.failure.code, exchange.status, exchange.body_truncated) == (FailureCode.TIMEOUT, 200, True)
    assert exchange.t_s - exchange.t0_s < 3.5


async def test_a_close_without_an_answer_is_a_fin(nginx):
    (exchange,) = await fetch(nginx.port, "/closed")
    assert (exchange.ending, exchange.status) == (Ending.FIN, 0)


async def test_a_redirect_to_https_is_followed(nginx):
    exchanges = await fetch(nginx.port, "/secure")
    assert [(exchange.status, exchange.secure, exchange.hop) for exchange in exchanges] == [
        (301, False, 0),
        (200, True, 1),
    ]


async def test_a_loop_is_a_failure_after_ten(nginx):
    exchanges = await fetch(nginx.port, "/loop")
    assert len(exchanges) == 11
    assert exchanges[-1].failure is not None
    assert exchanges[-1].failure.code is FailureCode.TOO_MANY_REDIRECTS


async def test_a_site_that_insists_on_its_cookie_is_satisfied(nginx):
    exchanges = await fetch(nginx.port, "/needs-cookie")
    assert [exchange.status for exchange in exchanges] == [302, 302, 200]
    assert exchanges[-1].body == b"welcome"


async def test_headers_of_the_target_arrive(nginx):
    (refused,) = await fetch(nginx.port, "/key")
    request = Request(method="HEAD", headers=(Header(name="X-Key", value="1"),))
    (let_in,) = await fetch(nginx.port, "/key", request=request)
    assert (refused.status, let_in.status, let_in.method) == (403, 204, "HEAD")


async def test_odd_statuses_are_recorded(nginx):
    assert [exchange.status for exchange in await fetch(nginx.port, "/teapot")] == [418]
    assert [exchange.status for exchange in await fetch(nginx.port, "/nope")] == [404]


async def test_one_of_two_addresses_fetches(nginx):
    async with open_world(a_test=["127.0.0.1", "127.0.0.2"]) as world:
        before = (nginx.folder / "access.log").read_text().count("\n")
        ctx = await world.check(host="a.test", port=nginx.port)
        assert the_exchange(ctx).status in (200, 421)
        await asyncio.sleep(0.1)
        # nginx logs a connection that closed without a request nowhere.
        assert (nginx.folder / "access.log").read_text().count("\n") == before + 1
