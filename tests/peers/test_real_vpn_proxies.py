"""SOCKS5 and HTTP CONNECT against dante, microsocks and tinyproxy, relaying to an echo service."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Refused
from probe.protocols.proxies import http_proxy, socks5
from tests.dialogues import fixed_entropy, talk_over
from tests.peers.sealed import Sealed, find_program

pytestmark = pytest.mark.peers
ECHO_SERVICE = """
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536): self.request.sendall(data)
socketserver.ThreadingTCPServer(("127.0.0.1", 7777), Echo).serve_forever()
"""
ECHO = {"relay": "127.0.0.1:7777", "payload": "echo"}
DANTE = """
logoutput: stderr
internal: 127.0.0.1 port = 1081
external: lo
socksmethod: none
clientmethod: none
user.unprivileged: nobody
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks block {{ from: 127.0.0.0/8 to: 127.0.0.9/32 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
"""
TINYPROXY = """
Port 8081
Listen 127.0.0.1
Timeout 10
LogFile "{folder}/tinyproxy.log"
BasicAuth me secret
ConnectPort 7777
"""


@pytest.fixture(scope="module")
def seal(tmp_path_factory) -> Iterator[Sealed]:
    folder: Path = tmp_path_factory.mktemp("proxies")
    with Sealed() as sealed:
        sealed.run([sys.executable, "-c", ECHO_SERVICE], folder / "echo.log")
        (folder / "danted.conf").write_text(DANTE.format())
        (folder / "tinyproxy.conf").write_text(TINYPROXY.format(folder=folder))
        for argv in (
            ["danted", "-f", str(folder / "danted.conf")],
            ["microsocks", "-i", "127.0.0.1", "-p", "1082", "-u", "me", "-P", "secret"],
            ["tinyproxy", "-d", "-c", str(folder / "tinyproxy.conf")],
        ):
            if find_program(argv[0]):
                sealed.run(argv, folder / f"{argv[0]}.log")
        sealed.wait_for_port(7777)
        yield sealed


def needs(program: str, package: str):
    return pytest.mark.skipif(
        find_program(program) is None, reason=f"{program} is not installed (apt-get install {package})"
    )


def talk(
    seal: Sealed,
    module,
    port: int,
    params: dict[str, str] | None = None,
    password: bytes = b"",
    deepest: Depth = Depth.DATA,
):
    seal.wait_for_port(port)
    secrets = {"password": password} if password else {}
    given = ECHO | (params or {})
    ask = Ask(entropy=fixed_entropy(os.urandom(8)), params=given, secrets=secrets, port=port, deepest=deepest)
    return talk_over(lambda _: module.start(ask), seal.connect(("127.0.0.1", port)))


@needs("danted", "dante-server")
def test_dante_relays_and_names_its_reasons(seal: Sealed) -> None:
    assert talk(seal, socks5, 1081).reached == [Depth.HELLO, Depth.DATA]
    assert talk(seal, socks5, 1081, deepest=Depth.VOLUME).reached == [Depth.HELLO, Depth.DATA, Depth.VOLUME]
    with pytest.raises(Refused, match="connection refused"):
        talk(seal, socks5, 1081, {"relay": "127.0.0.1:7779"})
    with pytest.raises(Refused, match="ruleset"):
        talk(seal, socks5, 1081, {"relay": "127.0.0.9:7777"})


@needs("microsocks", "microsocks")
def test_microsocks_wants_the_right_login(seal: Sealed) -> None:
    played = talk(seal, socks5, 1082, {"user": "me"}, b"secret")
    assert played.reached == [Depth.HELLO, Depth.AUTH, Depth.DATA]
    with pytest.raises(Refused, match="refuses the login"):
        talk(seal, socks5, 1082, {"user": "me"}, b"wrong")
    with pytest.raises(Refused, match="wants a login"):
        talk(seal, socks5, 1082)


@needs("tinyproxy", "tinyproxy")
def test_tinyproxy_relays_with_a_login_and_to_allowed_ports_only(seal: Sealed) -> None:
    played = talk(seal, http_proxy, 8081, {"user": "me"}, b"secret")
    assert played.reached == [Depth.HELLO, Depth.DATA]
    assert talk(seal, http_proxy, 8081, {"user": "me"}, b"secret", Depth.VOLUME).depth is Depth.VOLUME
    with pytest.raises(Refused, match="407"):
        talk(seal, http_proxy, 8081)
    with pytest.raises(Refused, match="403"):
        talk(seal, http_proxy, 8081, {"relay": "127.0.0.1:22", "user": "me"}, b"secret")
