"""Trojan, VMess and VLESS against the programs that came first, Debian's trojan and v2ray: their habits differ.

A wrong password shows trojan's web site; a wrong user makes v2ray read on in silence. sing-box hangs up on both.
"""

import dataclasses
import json
import os
import ssl
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest
import trustme

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Refused
from probe.protocols.proxies import trojan, vless, vmess
from tests.dialogues import Played, fixed_entropy, talk_over
from tests.peers.sealed import Sealed, find_program
from tests.peers.test_real_vpn_proxies import ECHO, ECHO_SERVICE
from tests.peers.test_real_vpn_tls_proxies import NAME, USER

pytestmark = pytest.mark.peers
TROJAN_PORT, SITE_PORT = 6443, 6080
V2RAY_PORTS = {"vmess": 6001, "vmess-ws": 6002, "vless": 6003}
PARAMS: Mapping[str, Mapping[str, str]] = {
    "vmess": {"security": "none"},
    "vmess-ws": {"security": "none", "type": "ws", "path": "/way"},
    "vless": {"security": "none"},
}
MODULES = {"vmess": vmess, "vmess-ws": vmess, "vless": vless}
SITE = ["-m", "http.server", "--bind", "127.0.0.1", str(SITE_PORT)]


def needs(program: str):
    return pytest.mark.skipif(
        find_program(program) is None, reason=f"{program} is not installed (apt-get install {program})"
    )


@dataclasses.dataclass
class Peers:
    seal: Sealed
    ca: trustme.CA

    def ask(self, params: Mapping[str, str], *, user: str = USER, password: bytes = b"right") -> Ask:
        secrets = {"password": password, "uuid": user.encode()}
        return Ask(
            entropy=fixed_entropy(os.urandom(8)), params={**ECHO, **params}, secrets=secrets, wall_s=time.time(),
            host=NAME,
        )  # fmt: skip

    def talk(self, module: ModuleType, port: int, ask: Ask) -> Played:
        context: ssl.SSLContext | None = None
        if ask.params["security"] == "tls":
            context = ssl.create_default_context()
            self.ca.configure_trust(context)
        return talk_over(lambda _: module.start(ask), self.seal.connect(("127.0.0.1", port)), tls=context, sni=NAME)


def trojan_config(pem: Path) -> dict[str, object]:
    return {
        "run_type": "server", "local_addr": "127.0.0.1", "local_port": TROJAN_PORT, "remote_addr": "127.0.0.1",
        "remote_port": SITE_PORT, "password": ["right"], "ssl": {"cert": str(pem), "key": str(pem)},
    }  # fmt: skip


def v2ray_config() -> dict[str, object]:
    inbounds = []
    for name, port in V2RAY_PORTS.items():
        protocol = name.partition("-")[0]
        client = {"id": USER} | ({"alterId": 0} if protocol == "vmess" else {})
        inbound = {"listen": "127.0.0.1", "port": port, "protocol": protocol, "settings": {"clients": [client]}}
        if protocol == "vless":
            inbound["settings"]["decryption"] = "none"
        if name.endswith("-ws"):
            inbound["streamSettings"] = {"network": "ws", "wsSettings": {"path": "/way"}}
        inbounds.append(inbound)
    return {"inbounds": inbounds, "outbounds": [{"protocol": "freedom"}]}


@pytest.fixture(scope="module")
def peers(tmp_path_factory) -> Iterator[Peers]:
    folder: Path = tmp_path_factory.mktemp("older")
    ca = trustme.CA()
    pem = folder / "pair.pem"
    ca.issue_cert(NAME, key_type=trustme.KeyType.RSA).private_key_and_cert_chain_pem.write_to_path(pem)
    (folder / "trojan.json").write_text(json.dumps(trojan_config(pem)))
    (folder / "v2ray.json").write_text(json.dumps(v2ray_config()))
    with Sealed() as seal:
        seal.run([sys.executable, "-c", ECHO_SERVICE], folder / "echo.log")
        seal.run([sys.executable, *SITE], folder / "site.log")
        if find_program("trojan"):
            seal.run(["trojan", "-c", str(folder / "trojan.json")], folder / "trojan.log")
        if find_program("v2ray"):
            seal.run(["v2ray", "-config", str(folder / "v2ray.json")], folder / "v2ray.log")
        seal.wait_for_port(7777)
        seal.wait_for_port(SITE_PORT)
        yield Peers(seal, ca)


@needs("trojan")
def test_trojan_relays_and_shows_its_site_to_a_wrong_password(peers: Peers) -> None:
    peers.seal.wait_for_port(TROJAN_PORT)
    played = peers.talk(trojan, TROJAN_PORT, peers.ask({"security": "tls"}))
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]
    with pytest.raises(Refused, match="a web server answers"):
        peers.talk(trojan, TROJAN_PORT, peers.ask({"security": "tls"}, password=b"wrong"))


@needs("v2ray")
@pytest.mark.parametrize("name", V2RAY_PORTS)
def test_v2ray_relays(peers: Peers, name: str) -> None:
    peers.seal.wait_for_port(V2RAY_PORTS[name])
    played = peers.talk(MODULES[name], V2RAY_PORTS[name], peers.ask(PARAMS[name]))
    assert played.depth is Depth.DATA


@needs("v2ray")
def test_v2ray_reads_on_in_silence_for_a_user_that_it_does_not_know(peers: Peers) -> None:
    peers.seal.wait_for_port(V2RAY_PORTS["vmess"])
    dialogue = vmess.start(peers.ask(PARAMS["vmess"], user=USER.replace("7", "8")))
    with peers.seal.connect(("127.0.0.1", V2RAY_PORTS["vmess"])) as sock:
        sock.sendall(next(dialogue).data)
        sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            sock.recv(1)
