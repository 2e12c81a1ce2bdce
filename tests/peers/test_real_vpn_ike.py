"""IKEv2 and IKEv1 against strongSwan, in a network namespace of its own."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Dialogue, Receive, Refused, Send
from probe.protocols.ike import v1, v2
from probe.protocols.ike.messages import IKE_AUTH
from tests.dialogues import fixed_entropy, talk_over
from tests.peers.sealed import Sealed, find_program, wait_for_text

CHARON = find_program("charon-systemd")
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(CHARON is None, reason="strongSwan is not installed (apt-get install charon-systemd)"),
]

STRONGSWAN = """
charon-systemd {{
  load_modular = no
  load = random nonce x509 pubkey pkcs1 pkcs8 pem openssl hmac gcm kdf sha1 sha2 aes kernel-netlink socket-default vici
  plugins {{ vici {{ socket = unix://{folder}/vici }} }}
  syslog {{ daemon {{ default = -1 }} }}
  filelog {{ log {{ path = {folder}/charon.log
    flush_line = yes
    ike = 1
    default = 1 }} }}
}}
"""
SWANCTL = """
connections {{
  v2 {{ version = 2
    local_addrs = 127.0.0.1
    pools = pool
    proposals = {proposals}
    local {{ auth = psk
      id = gw.test }}
    remote {{ auth = psk }}
    children {{ c {{ local_ts = 0.0.0.0/0
      esp_proposals = aes256-sha256,aes256gcm16 }} }}
  }}
  v1 {{ version = 1
    local_addrs = 127.0.0.2
    proposals = aes256-sha256-modp2048,aes128-sha1-modp1024,3des-sha1-modp1024
    local {{ auth = psk }}
    remote {{ auth = psk }}
    children {{ c {{ }} }}
  }}
}}
pools {{ pool {{ addrs = 10.9.0.0/24 }} }}
secrets {{ ike-1 {{ secret = "correct horse" }} }}
"""


class StrongSwan:
    def __init__(self, seal: Sealed, folder: Path, proposals: str) -> None:
        (folder / "strongswan.conf").write_text(STRONGSWAN.format(folder=folder))
        (folder / "swanctl.conf").write_text(SWANCTL.format(proposals=proposals))
        seal.run(["charon-systemd"], folder / "out.log", {"STRONGSWAN_CONF": str(folder / "strongswan.conf")})
        wait_for_text(folder / "charon.log", "spawning")
        load = ["swanctl", "--load-all", "--noprompt", "--file", str(folder / "swanctl.conf")]
        seal.run([*load, "--uri", f"unix://{folder}/vici"], folder / "load.log")
        wait_for_text(folder / "load.log", "successfully loaded 2 connections")
        self.seal = seal

    def talk(self, module, *, port: int = 500, host: str = "127.0.0.1", seed: bytes = b"", **given):
        ask = Ask(entropy=fixed_entropy(seed or os.urandom(8)), port=port, address=host, **given)
        return talk_over(lambda _: module.start(ask), self.seal.connect((host, port), udp=True))


@pytest.fixture(scope="module", params=["aes256-sha256-modp2048,aes256-sha256-x25519", "aes256gcm16-prfsha384-ecp384"])
def swan(request, tmp_path_factory) -> Iterator[StrongSwan]:
    with Sealed() as seal:
        yield StrongSwan(seal, tmp_path_factory.mktemp("swan"), request.param)


def test_a_stranger_is_told_to_use_another_group(swan: StrongSwan) -> None:
    played = swan.talk(v2)
    assert played.depth is Depth.HELLO
    assert played.reply.kind == "invalid_ke_payload"
    assert len(played.sent) == 1


def test_port_4500_answers_behind_the_marker(swan: StrongSwan) -> None:
    played = swan.talk(v2, port=4500)
    assert played.sent[0].data[:4] == bytes(4)
    assert played.reply.kind == "invalid_ke_payload"


def test_version_3_is_refused_in_the_words_of_the_rfc(swan: StrongSwan) -> None:
    assert swan.talk(v2, params={"probe": "major"}).reply.kind == "invalid_major_version"


@pytest.mark.parametrize("port", [500, 4500])
def test_the_right_key_is_proven_both_ways_and_the_tunnel_taken_down(swan: StrongSwan, port: int) -> None:
    played = swan.talk(v2, params={"id": "probe.test"}, secrets={"psk": b"correct horse"}, port=port)
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH]
    assert played.reply.responder_id == "gw.test"
    assert played.reply.proved


def test_a_wrong_key_is_refused(swan: StrongSwan) -> None:
    with pytest.raises(Refused, match="AUTHENTICATION_FAILED"):
        swan.talk(v2, params={"id": "probe.test"}, secrets={"psk": b"wrong"}, port=4500)


def test_ikev1_accepts_a_common_proposal(swan: StrongSwan) -> None:
    played = swan.talk(v1, host="127.0.0.2")
    assert played.depth is Depth.HELLO
    assert played.reply.kind == "accepted"
    assert "nat traversal" in played.reply.vendors


def test_a_responder_without_ikev1_says_no_and_is_alive(swan: StrongSwan) -> None:
    played = swan.talk(v1, host="127.0.0.3")
    assert played.depth is Depth.HELLO
    assert played.reply.kind == "refused"
    assert played.reply.notification == 14


def test_strangers_leave_nothing_half_open_and_a_cookie_is_an_answer_too(swan: StrongSwan) -> None:
    """The last of its module: what it leaves half-open makes the responder careful for half a minute."""
    host = "127.0.0.1"
    for _ in range(8):  # five half-open associations of one address would silence it
        assert swan.talk(v2, host=host).reply.kind in ("invalid_ke_payload", "cookie")
    # A busy responder clears away a moment late; what was left half-open would stay so for half a minute.
    until_s = time.monotonic() + 5.0
    while swan.talk(v2, host=host).reply.kind != "invalid_ke_payload":
        assert time.monotonic() < until_s
    for _ in range(3):
        with contextlib.closing(v2.start(Ask(**asked(host), secrets={"psk": b"correct horse"}))) as dialogue:
            leave_half_open(swan, dialogue, host)
    played = swan.talk(v2, host=host)
    assert played.depth is Depth.HELLO
    assert played.reply.kind == "cookie"


def asked(host: str) -> dict[str, object]:
    return {"entropy": fixed_entropy(os.urandom(8)), "port": 500, "address": host}


def leave_half_open(swan: StrongSwan, dialogue: Dialogue, host: str) -> None:
    """Go on until the responder has accepted the first exchange, and then no further."""
    with swan.seal.connect((host, 500), udp=True) as sock:
        resume = None
        while True:
            event = dialogue.send(resume)
            resume = None
            if isinstance(event, Send):
                if event.data[18] == IKE_AUTH:
                    return
                sock.send(event.data)
            elif isinstance(event, Receive):
                resume = sock.recv(4096)
