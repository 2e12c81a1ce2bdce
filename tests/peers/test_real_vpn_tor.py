"""Tor and obfs4 against a private bridge of Debian's tor and obfs4proxy, which no network knows."""

import dataclasses
import os
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Parsed
from probe.protocols.tor import obfs4
from probe.protocols.tor import relay as tor
from tests.dialogues import Played, fixed_entropy, talk_over
from tests.peers.sealed import Sealed, find_program, wait_for_text

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(
        not find_program("tor") or not find_program("obfs4proxy"),
        reason="tor is not installed (apt-get install tor obfs4proxy)",
    ),
]
TORRC = """
DataDirectory {folder}/data
ORPort 127.0.0.1:9001 IPv4Only
AssumeReachable 1
BridgeRelay 1
PublishServerDescriptor 0
SocksPort 0
Address 127.0.0.1
ServerTransportPlugin obfs4 exec {obfs4proxy}
ServerTransportListenAddr obfs4 127.0.0.1:9002
ExtORPort auto
Log notice stdout
"""


@dataclasses.dataclass
class Bridge:
    seal: Sealed
    fingerprint: str
    line: Parsed

    def open_link(self, fingerprint: str, deepest: Depth = Depth.DATA) -> Played:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        def begin(certificate: bytes):
            return tor.start(
                Ask(
                    entropy=fixed_entropy(os.urandom(8)), params={"fingerprint": fingerprint}, wall_s=time.time(),
                    certificate=certificate, address="127.0.0.1", deepest=deepest,
                )
            )  # fmt: skip

        parsed = tor.parse("tor://127.0.0.1:9001")
        return talk_over(begin, self.seal.connect((parsed.host, parsed.port)), tls=context, sni=parsed.params["sni"])

    def ask_obfs4(self, *, ahead_s: float = 0.0) -> Ask:
        secrets = {"cert": self.line.secrets["cert"].encode()}
        return Ask(entropy=fixed_entropy(os.urandom(8)), secrets=secrets, wall_s=time.time() + ahead_s)

    def connect_obfs4(self) -> socket.socket:
        return self.seal.connect((self.line.host, self.line.port))


@pytest.fixture(scope="module")
def bridge(tmp_path_factory) -> Iterator[Bridge]:
    folder: Path = tmp_path_factory.mktemp("tor")
    (folder / "torrc").write_text(TORRC.format(folder=folder, obfs4proxy=find_program("obfs4proxy")))
    with Sealed() as seal:
        seal.run(["tor", "--defaults-torrc", "/dev/null", "-f", str(folder / "torrc")], folder / "tor.log")
        wait_for_text(folder / "tor.log", "Registered server transport 'obfs4'")
        fingerprint = (folder / "data" / "fingerprint").read_text().split()[1]
        text = wait_for_text(folder / "data" / "pt_state" / "obfs4_bridgeline.txt", "Bridge obfs4")
        line = text.splitlines()[-1].replace("<IP ADDRESS>:<PORT>", "127.0.0.1:9002")
        yield Bridge(seal, fingerprint, obfs4.parse(line.replace("<FINGERPRINT>", fingerprint)))


def test_the_bridge_proves_its_identity_and_serves_over_a_circuit(bridge: Bridge) -> None:
    played = bridge.open_link(bridge.fingerprint)
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.DATA]
    # A bridge some seconds old has no descriptor yet, and says so over the circuit.
    assert played.reply.page.startswith(("router ", "HTTP/1.0 404"))


def test_another_identity_is_named(bridge: Bridge) -> None:
    with pytest.raises(ProtocolError, match=bridge.fingerprint):
        bridge.open_link("00" * 20, Depth.PROOF)


def test_obfs4_shakes_hands_with_the_right_line(bridge: Bridge) -> None:
    for _ in range(3):  # each with another key and another part of small order
        played = talk_over(lambda _: obfs4.start(bridge.ask_obfs4()), bridge.connect_obfs4())
        assert played.reached == [Depth.HELLO, Depth.PROOF]


def test_obfs4_is_silent_to_a_wrong_clock(bridge: Bridge) -> None:
    dialogue = obfs4.start(bridge.ask_obfs4(ahead_s=7200))
    with bridge.connect_obfs4() as sock:
        sock.sendall(next(dialogue).data)
        sock.settimeout(0.5)
        with pytest.raises(TimeoutError):
            sock.recv(1)
