"""SSH against OpenSSH's server: its host key, a login by key, and a destination it connects us to."""

import getpass
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Refused
from probe.protocols.ssh import dialogue
from tests.dialogues import fixed_entropy, talk_over
from tests.peers.sealed import Sealed, find_program
from tests.peers.test_real_vpn_proxies import ECHO, ECHO_SERVICE

SSHD, KEYGEN = find_program("sshd"), find_program("ssh-keygen")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(not SSHD or not KEYGEN, reason="sshd is not installed (apt-get install openssh-server)"),
]
PORTS = {"ed25519": 2201, "ecdsa": 2202, "rsa": 2203}


class Servers:
    def __init__(self, seal: Sealed, folder: Path) -> None:
        self.seal, self.folder = seal, folder
        self.prints = {}
        for kind in (*PORTS, "user"):
            name = folder / kind
            make = [KEYGEN, "-q", "-N", "", "-t", "ed25519" if kind == "user" else kind, "-f", str(name)]
            subprocess.run(make, check=True)
            shown = subprocess.run([KEYGEN, "-l", "-f", str(name)], check=True, capture_output=True, text=True).stdout
            self.prints[kind] = shown.split()[1]
        (folder / "authorized").write_text((folder / "user.pub").read_text())
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        for kind, port in PORTS.items():
            options = [f"HostKey={folder / kind}", f"AuthorizedKeysFile={folder / 'authorized'}", "StrictModes=no"]
            options += ["UsePAM=no", "PidFile=none", f"ListenAddress=127.0.0.1:{port}", "PermitOpen=127.0.0.1:7777"]
            options += ["PermitRootLogin=yes", "PasswordAuthentication=no"]
            flags = [word for option in options for word in ("-o", option)]
            seal.run(["sshd", "-D", "-e", "-f", "/dev/null", *flags], folder / f"{kind}.log")
            seal.wait_for_port(port)
        seal.run([sys.executable, "-c", ECHO_SERVICE], folder / "echo.log")
        seal.wait_for_port(7777)

    def talk(
        self,
        kind: str = "ed25519",
        params: dict[str, str] | None = None,
        key: str = "",
        deepest: Depth = Depth.DATA,
    ):
        secrets = {"key": (self.folder / key).read_bytes()} if key else {}
        given = ECHO | {"user": getpass.getuser()} | (params or {})
        ask = Ask(entropy=fixed_entropy(os.urandom(8)), params=given, secrets=secrets, deepest=deepest)
        return talk_over(lambda _: dialogue.start(ask), self.seal.connect(("127.0.0.1", PORTS[kind])))


@pytest.fixture(scope="module")
def servers(tmp_path_factory) -> Iterator[Servers]:
    with Sealed() as seal:
        yield Servers(seal, tmp_path_factory.mktemp("ssh"))


def test_a_stranger_reads_the_offer(servers: Servers) -> None:
    played = servers.talk()
    assert played.reached == [Depth.HELLO]
    assert played.reply.software.startswith("OpenSSH")


@pytest.mark.parametrize("kind", PORTS)
def test_the_host_key_proves_who_answers(servers: Servers, kind: str) -> None:
    played = servers.talk(kind, {"hostkey": servers.prints[kind]})
    assert played.reached == [Depth.HELLO, Depth.PROOF]
    assert played.reply.host_key == servers.prints[kind]


def test_another_host_key_is_named(servers: Servers) -> None:
    with pytest.raises(ProtocolError, match="another host key"):
        servers.talk(params={"hostkey": servers.prints["user"]})


def test_a_login_by_key_relays(servers: Servers) -> None:
    played = servers.talk(params={"hostkey": servers.prints["ed25519"]}, key="user")
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]
    assert played.reply.answer == "echo"
    played = servers.talk(params={"hostkey": servers.prints["ed25519"]}, key="user", deepest=Depth.VOLUME)
    assert played.depth is Depth.VOLUME


def test_what_the_server_refuses_is_quoted(servers: Servers) -> None:
    trusted = {"hostkey": servers.prints["ed25519"]}
    with pytest.raises(Refused, match="refuses the login; it takes publickey"):
        servers.talk(params=trusted, key="rsa")
    with pytest.raises(Refused, match="administratively prohibited"):
        servers.talk(params=trusted | {"relay": "127.0.0.1:9"}, key="user")
