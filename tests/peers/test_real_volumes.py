"""64 KB through real proxies: echoes, and pages inside TLS."""

import os
import ssl
import sys
import time

import pytest

from probe.model.depth import Depth
from probe.protocols.dialogue import Ask
from probe.protocols.proxies import anytls, http_proxy, naive, shadowsocks
from tests.dialogues import Played, fixed_entropy, talk_over
from tests.peers.sing_box import needs_sing_box
from tests.peers.test_real_vpn_proxies import ECHO
from tests.peers.test_real_vpn_tls_proxies import (
    ANYTLS_PORT,
    CARRIERS,
    HTTP_PORT,
    KEYS,
    MODULES,
    NAIVE_PORT,
    NAME,
    PORTS,
    SECRETS,
    SHADOWSOCKS_PORTS,
    Peers,
    pause_for,
    peers,  # noqa: F401 (a fixture)
)

pytestmark = [pytest.mark.peers, needs_sing_box]
PAGES = """
import http.server, ssl, sys
class Page(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5000")
        self.end_headers()
        self.wfile.write(b"." * 5000)
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 7543), Page)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
SITE = {"relay": "127.0.0.1:7543"}


@pytest.fixture(scope="module")
def pages(peers: Peers) -> Peers:  # noqa: F811
    peers.seal.run([sys.executable, "-c", PAGES, str(peers.folder / "pair.pem")], peers.folder / "pages.log")
    peers.seal.wait_for_port(7543)
    return peers


def carry(peers: Peers, module, port: int, secrets=SECRETS, **params: str) -> Played:  # noqa: F811
    ask = Ask(
        entropy=fixed_entropy(os.urandom(8)), params=params, secrets=secrets, host=NAME, port=port, wall_s=time.time(),
        deepest=Depth.VOLUME,
    )  # fmt: skip
    stack = module.SPEC.choose_stack(ask.params)
    context: ssl.SSLContext | None = None
    if len(stack) > 1:
        context = ssl.create_default_context()
        peers.ca.configure_trust(context)
        context.set_alpn_protocols(list(stack[1].alpn))
    sock = peers.seal.connect(("127.0.0.1", port))
    return talk_over(lambda _: module.start(ask), sock, tls=context, sni=NAME, pause_s=pause_for(params))


def check(played: Played) -> None:
    assert played.depth is Depth.VOLUME
    assert played.reply.carried_bytes >= 58_000


@pytest.mark.parametrize("errand", [ECHO, SITE], ids=["echoes", "pages"])
@pytest.mark.parametrize(("name", "carrier"), PORTS)
def test_a_volume_goes_through_trojan_vless_and_vmess(pages: Peers, name: str, carrier: str, errand) -> None:
    check(carry(pages, MODULES[name], PORTS[name, carrier], **CARRIERS[carrier], **errand))


@pytest.mark.parametrize("errand", [ECHO, SITE], ids=["echoes", "pages"])
@pytest.mark.parametrize("method", KEYS)
def test_a_volume_goes_through_shadowsocks(pages: Peers, method: str, errand) -> None:
    secrets = {"password": KEYS[method].encode()}
    check(carry(pages, shadowsocks, SHADOWSOCKS_PORTS[method], secrets, method=method, **errand))


@pytest.mark.parametrize("errand", [ECHO, SITE], ids=["echoes", "pages"])
def test_a_volume_goes_through_anytls_and_a_web_proxy_in_tls(pages: Peers, errand) -> None:
    check(carry(pages, anytls, ANYTLS_PORT, security="tls", **errand))
    check(carry(pages, http_proxy, HTTP_PORT, tls="1", user="me", **errand))


@pytest.mark.parametrize("errand", [ECHO, SITE], ids=["echoes", "pages"])
def test_a_volume_goes_through_naive(pages: Peers, errand) -> None:
    check(carry(pages, naive, NAIVE_PORT, user="me", **errand))
