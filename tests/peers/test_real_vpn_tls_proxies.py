"""Proxies in TLS, and Shadowsocks, against sing-box, which relays to services beside it."""

import os
import ssl
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest
import trustme

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Refused, Udp
from probe.protocols.proxies import anytls, http_proxy, naive, shadowsocks, trojan, vless, vmess
from tests.dialogues import Played, fixed_entropy, talk_over
from tests.peers.sealed import Sealed
from tests.peers.sing_box import needs_sing_box, run_sing_box, tls_server
from tests.peers.test_real_vpn_proxies import ECHO, ECHO_SERVICE

pytestmark = [pytest.mark.peers, needs_sing_box]
USER = str(uuid.UUID(int=7))
NAME = "proxy.test"
ORIGIN = {"relay": "127.0.0.1:7443"}
"""A TLS server: the errand is a ClientHello, as in the field."""
TLS_ORIGIN = """
import socketserver, ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1])
class Origin(socketserver.BaseRequestHandler):
    def handle(self):
        context.wrap_socket(self.request, server_side=True)
class Server(socketserver.ThreadingTCPServer):
    def handle_error(self, *_): pass
Server(("127.0.0.1", 7443), Origin).serve_forever()
"""
UDP_ECHO = """
import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 7777))
while True:
    data, sender = sock.recvfrom(65536)
    sock.sendto(data, sender)
"""
KEYS_2022 = {
    "2022-blake3-aes-128-gcm": "AAECAwQFBgcICQoLDA0ODw==",
    "2022-blake3-aes-256-gcm": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "2022-blake3-chacha20-poly1305": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
}
KEYS = KEYS_2022 | dict.fromkeys(("aes-128-gcm", "aes-256-gcm", "chacha20-ietf-poly1305"), "password")
SHADOWSOCKS_PORTS = {method: 9400 + number for number, method in enumerate(KEYS)}
MODULES = {"trojan": trojan, "vless": vless, "vmess": vmess}
CARRIERS: Mapping[str, Mapping[str, str]] = {
    "tcp": {"security": "none"},
    "tls": {"security": "tls"},
    "ws": {"security": "none", "type": "ws", "path": "/way?ed=2048"},
    "tls-ws": {"security": "tls", "type": "ws", "path": "/way"},
    "tls-httpupgrade": {"security": "tls", "type": "httpupgrade", "path": "/way"},
}
PORTS = {
    (name, carrier): 9000 + 10 * row + column
    for row, name in enumerate(MODULES)
    for column, carrier in enumerate(CARRIERS)
    if name != "trojan" or carrier.startswith("tls")
}
ANYTLS_PORT, NAIVE_PORT, HTTP_PORT = 9301, 9302, 9300
SECRETS = {"password": b"right", "uuid": USER.encode()}


def pause_for(params: Mapping[str, str]) -> float:
    """Return what to wait before sending: sing-box says 101, and only then takes the connection from its HTTP server.

    What comes in between reaches Trojan in pieces, which then takes us for a stranger; a real way is too long for that.
    """
    return 0.01 if params.get("type") == "httpupgrade" else 0.0


class Peers:
    def __init__(self, seal: Sealed, folder: Path) -> None:
        self.seal, self.folder = seal, folder
        self.ca = trustme.CA()
        pair = self.ca.issue_cert(NAME)
        pem = folder / "pair.pem"
        pair.private_key_and_cert_chain_pem.write_to_path(pem)
        self.certificate = b"".join(each.bytes() for each in pair.cert_chain_pems).decode()
        self.key = pair.private_key_pem.bytes().decode()
        seal.run([sys.executable, "-c", ECHO_SERVICE], folder / "echo.log")
        seal.run([sys.executable, "-c", UDP_ECHO], folder / "udp-echo.log")
        seal.run([sys.executable, "-c", TLS_ORIGIN, str(pem)], folder / "origin.log")

    def inbounds(self) -> list[dict[str, object]]:
        secure = tls_server(self.certificate, self.key)
        found: list[dict[str, object]] = []
        for (name, carrier), port in PORTS.items():
            user = {"password": "right"} if name == "trojan" else {"uuid": USER}
            inbound = {"type": name, "listen": "127.0.0.1", "listen_port": port, "users": [user]}
            if carrier.startswith("tls"):
                inbound["tls"] = secure
            kind = CARRIERS[carrier].get("type")
            if kind:
                early = {"max_early_data": 2048, "early_data_header_name": "Sec-WebSocket-Protocol"}
                inbound["transport"] = {"type": kind, "path": "/way"} | (early if carrier == "ws" else {})
            found.append(inbound)
        for method, port in SHADOWSOCKS_PORTS.items():
            found.append(
                {"type": "shadowsocks", "listen": "127.0.0.1", "listen_port": port, "method": method}
                | {"password": KEYS[method]}
            )
        login = {"username": "me", "password": "right"}
        for kind, port, user in (("anytls", ANYTLS_PORT, {"password": "right"}), ("naive", NAIVE_PORT, login)):
            found.append({"type": kind, "listen": "127.0.0.1", "listen_port": port, "users": [user], "tls": secure})
        found.append({"type": "http", "listen": "127.0.0.1", "listen_port": HTTP_PORT, "users": [login], "tls": secure})
        return found

    def talk(
        self,
        module: ModuleType,
        port: int,
        params: Mapping[str, str],
        secrets: Mapping[str, bytes] = SECRETS,
        *,
        wall_s: float = 0.0,
        errand: Mapping[str, str] = ORIGIN,
    ) -> Played:
        ask = Ask(
            entropy=fixed_entropy(os.urandom(8)), params={**errand, **params}, secrets=secrets, host=NAME, port=port,
            wall_s=wall_s or time.time(),
        )  # fmt: skip
        stack = module.SPEC.choose_stack(ask.params)
        context: ssl.SSLContext | None = None
        if len(stack) > 1:
            context = ssl.create_default_context()
            self.ca.configure_trust(context)
            context.set_alpn_protocols(list(stack[1].alpn))
        sock = self.seal.connect(("127.0.0.1", port), udp=isinstance(stack[0], Udp))
        return talk_over(lambda _: module.start(ask), sock, tls=context, sni=NAME, pause_s=pause_for(params))


@pytest.fixture(scope="module")
def peers(tmp_path_factory) -> Iterator[Peers]:
    folder = tmp_path_factory.mktemp("tls-proxies")
    with Sealed() as seal:
        made = Peers(seal, folder)
        with run_sing_box(seal, made.inbounds(), folder / "sing-box.log"):
            seal.wait_for_port(HTTP_PORT)
            seal.wait_for_port(7443)
            yield made


@pytest.mark.parametrize(("name", "carrier"), PORTS)
def test_a_tls_handshake_with_the_origin_comes_back(peers: Peers, name: str, carrier: str) -> None:
    played = peers.talk(MODULES[name], PORTS[name, carrier], CARRIERS[carrier])
    assert played.depth is Depth.DATA
    assert played.reply.answer == "tls handshake"
    proofs = [Depth.PROOF] if "tls" in carrier or name == "vmess" else []
    assert played.reached == [Depth.HELLO, *proofs, Depth.AUTH, Depth.DATA]


@pytest.mark.parametrize("cipher", vmess.SECURITIES)
def test_vmess_relays_under_every_cipher(peers: Peers, cipher: str) -> None:
    played = peers.talk(vmess, PORTS["vmess", "tcp"], {"security": "none", "cipher": cipher}, errand=ECHO)
    assert played.depth is Depth.DATA


@pytest.mark.parametrize(("name", "carrier"), PORTS)
def test_a_wrong_credential_proves_nothing(peers: Peers, name: str, carrier: str) -> None:
    """Each server has its own way to say nothing; none of them may look like more than the carrier."""
    wrong = {"password": b"wrong", "uuid": str(uuid.UUID(int=8)).encode()}
    greeted = [Depth.HELLO] if "type" in CARRIERS[carrier] else []
    try:
        played = peers.talk(MODULES[name], PORTS[name, carrier], CARRIERS[carrier], wrong)
    except (ConnectionResetError, ssl.SSLError, ssl.SSLEOFError):
        return
    assert played.reached == greeted
    assert played.reply is None


def test_vmess_with_a_wrong_clock_is_cut_off(peers: Peers) -> None:
    with pytest.raises(ConnectionResetError):
        peers.talk(vmess, PORTS["vmess", "tcp"], {"security": "none"}, wall_s=time.time() - 600)


def test_a_path_that_is_not_the_proxys_is_a_refusal(peers: Peers) -> None:
    with pytest.raises(Refused, match="404"):
        peers.talk(vless, PORTS["vless", "tls-ws"], {"security": "tls", "type": "ws", "path": "/other"})


@pytest.mark.parametrize("method", KEYS)
def test_shadowsocks_relays_a_handshake(peers: Peers, method: str) -> None:
    secrets = {"password": KEYS[method].encode()}
    played = peers.talk(shadowsocks, SHADOWSOCKS_PORTS[method], {"method": method}, secrets)
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]


@pytest.mark.parametrize("method", [method for method in KEYS if method != "2022-blake3-chacha20-poly1305"])
def test_shadowsocks_relays_datagrams(peers: Peers, method: str) -> None:
    secrets = {"password": KEYS[method].encode()}
    played = peers.talk(
        shadowsocks, SHADOWSOCKS_PORTS[method], {"method": method, "proto": "udp"}, secrets, errand=ECHO
    )
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]


@pytest.mark.parametrize("method", KEYS_2022)
def test_shadowsocks_2022_resets_a_wrong_key_and_a_wrong_clock(peers: Peers, method: str) -> None:
    port, key = SHADOWSOCKS_PORTS[method], KEYS[method]
    with pytest.raises(ConnectionResetError):
        peers.talk(shadowsocks, port, {"method": method}, {"password": ("/" + key[1:]).encode()})
    with pytest.raises(ConnectionResetError):
        peers.talk(shadowsocks, port, {"method": method}, {"password": key.encode()}, wall_s=time.time() - 60)


def test_http_connect_over_tls_relays_and_refuses(peers: Peers) -> None:
    params = {"tls": "1", "user": "me"}
    played = peers.talk(http_proxy, HTTP_PORT, params)
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.DATA]
    with pytest.raises(Refused, match="407"):
        peers.talk(http_proxy, HTTP_PORT, params, {"password": b"wrong"})


@pytest.mark.parametrize("errand", [ORIGIN, ECHO], ids=["tls", "echo"])
def test_anytls_relays(peers: Peers, errand: Mapping[str, str]) -> None:
    played = peers.talk(anytls, ANYTLS_PORT, {"security": "tls"}, errand=errand)
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]


def test_anytls_says_what_it_cannot_reach(peers: Peers) -> None:
    with pytest.raises(Refused, match="refused"):
        peers.talk(anytls, ANYTLS_PORT, {"security": "tls"}, errand={"relay": "127.0.0.1:1"})


def test_anytls_hangs_up_on_a_wrong_password(peers: Peers) -> None:
    played = peers.talk(anytls, ANYTLS_PORT, {"security": "tls"}, {"password": b"wrong"})
    assert (played.reached, played.reply) == ([], None)


@pytest.mark.parametrize("errand", [ORIGIN, ECHO], ids=["tls", "echo"])
def test_naive_relays_with_padding(peers: Peers, errand: Mapping[str, str]) -> None:
    played = peers.talk(naive, NAIVE_PORT, {"user": "me"}, errand=errand)
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.DATA]
    assert played.reply.via == "padded"


def test_naive_pretends_to_be_a_web_server_to_a_wrong_login(peers: Peers) -> None:
    with pytest.raises(Refused, match="407"):
        peers.talk(naive, NAIVE_PORT, {"user": "me"}, {"password": b"wrong"})
