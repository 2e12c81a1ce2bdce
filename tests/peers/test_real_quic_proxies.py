"""Hysteria 2, with and without Salamander, and TUIC against sing-box; QUIC's versions before any name, of the same."""

import hashlib
import os
import ssl
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import trustme

from probe.model.verdict import Depth
from probe.protocols import quic_hello
from probe.protocols.dialogue import Ask, DialogueSpec, Refused
from probe.protocols.proxies import hysteria2, tuic
from probe.protocols.tls.certificate import parse_certificate
from tests.dialogues import Played, elapsed_since_now, fixed_entropy, talk_over
from tests.peers.sealed import Sealed, wait_for_text
from tests.peers.sing_box import needs_sing_box, run_sing_box, tls_server
from tests.peers.test_real_vpn_proxies import ECHO, ECHO_SERVICE
from tests.peers.test_real_vpn_tls_proxies import ORIGIN, TLS_ORIGIN

pytestmark = [pytest.mark.peers, needs_sing_box]
NAME = "quic.test"
USER = str(uuid.UUID(int=9))
HYSTERIA, SALAMANDER, TUIC = 8443, 8444, 8445
FULL = [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]
RIGHT = {"password": b"right", "obfs-password": b"veil", "uuid": USER.encode()}


class Peers:
    def __init__(self, seal: Sealed, folder: Path) -> None:
        self.seal, self.folder = seal, folder
        ca = trustme.CA()
        pair = ca.issue_cert(NAME)
        ca.cert_pem.write_to_path(folder / "ca.pem")
        trustme.CA().cert_pem.write_to_path(folder / "other.pem")
        pair.private_key_and_cert_chain_pem.write_to_path(folder / "pair.pem")
        self.pem = b"".join(each.bytes() for each in pair.cert_chain_pems).decode()
        self.key = pair.private_key_pem.bytes().decode()

    def inbounds(self) -> list[dict[str, object]]:
        secure = tls_server(self.pem, self.key, alpn=["h3"])
        here = {"listen": "127.0.0.1", "tls": secure}
        plain = {"type": "hysteria2", "tag": "a", "listen_port": HYSTERIA, "users": [{"password": "right"}]}
        veiled = {"type": "hysteria2", "tag": "b", "listen_port": SALAMANDER, "users": [{"password": "right"}]}
        veiled["obfs"] = {"type": "salamander", "password": "veil"}
        third = {"type": "tuic", "tag": "c", "listen_port": TUIC, "users": [{"uuid": USER, "password": "right"}]}
        return [here | plain, here | veiled, here | third]

    def talk(
        self,
        spec: DialogueSpec,
        port: int,
        params: Mapping[str, str] | None = None,
        *,
        secrets: Mapping[str, bytes] = RIGHT,
        roots: str = "ca.pem",
        deepest: Depth = Depth.DATA,
        errand: Mapping[str, str] = ORIGIN,
    ) -> Played:
        ask = Ask(
            entropy=fixed_entropy(os.urandom(8)),
            params={**errand, "sni": NAME, **(params or {})},
            secrets=secrets,
            host=NAME,
            port=port,
            address="127.0.0.1",
            roots=(self.folder / roots).read_text(),
            elapsed_s=elapsed_since_now(),
            deepest=deepest,
        )
        return talk_over(lambda _: spec.start(ask), self.seal.connect(("127.0.0.1", port), udp=True))


@pytest.fixture(scope="module")
def peers(tmp_path_factory) -> Iterator[Peers]:
    folder = tmp_path_factory.mktemp("quic")
    with Sealed() as seal:
        found = Peers(seal, folder)
        seal.run([sys.executable, "-c", ECHO_SERVICE], folder / "echo.log")
        seal.run([sys.executable, "-c", TLS_ORIGIN, str(folder / "pair.pem")], folder / "origin.log")
        with run_sing_box(seal, found.inbounds(), folder / "box.log"):
            wait_for_text(folder / "box.log", "sing-box started")
            seal.wait_for_port(7777)
            seal.wait_for_port(7443)
            yield found


def test_hysteria_logs_in_and_relays(peers: Peers) -> None:
    played = peers.talk(hysteria2.SPEC, HYSTERIA)
    assert played.reached == FULL
    assert played.reply.answer == "tls handshake"


def test_salamander_hides_every_datagram_and_relays(peers: Peers) -> None:
    played = peers.talk(hysteria2.SPEC, SALAMANDER, {"obfs": "salamander"}, errand=ECHO)
    assert played.reached == FULL
    assert played.reply.answer == "echo"
    assert len(played.sent[0].data) == 1208


def test_tuic_proves_its_user_by_the_connections_keys_and_relays(peers: Peers) -> None:
    played = peers.talk(tuic.SPEC, TUIC)
    assert played.reached == FULL
    assert played.reply.answer == "tls handshake"
    assert peers.talk(tuic.SPEC, TUIC, errand=ECHO).reply.answer == "echo"


@pytest.mark.parametrize(
    ("spec", "port", "params"),
    [(hysteria2.SPEC, HYSTERIA, {}), (hysteria2.SPEC, SALAMANDER, {"obfs": "salamander"}), (tuic.SPEC, TUIC, {})],
)
def test_a_volume_goes_through(peers: Peers, spec: DialogueSpec, port: int, params: Mapping[str, str]) -> None:
    played = peers.talk(spec, port, params, errand=ECHO, deepest=Depth.VOLUME)
    assert played.reached == [*FULL, Depth.VOLUME]
    assert played.reply.carried_bytes == 65536


@pytest.mark.parametrize(("spec", "port"), [(hysteria2.SPEC, HYSTERIA), (tuic.SPEC, TUIC)])
def test_the_default_depth_proves_the_certificate_and_leaves(peers: Peers, spec: DialogueSpec, port: int) -> None:
    played = peers.talk(spec, port, secrets={"uuid": USER.encode()}, deepest=Depth.PROOF)
    assert played.reached == [Depth.HELLO, Depth.PROOF]
    assert played.reply.alpn == "h3"


def test_a_wrong_password_is_refused_by_each_in_its_way(peers: Peers) -> None:
    wrong = RIGHT | {"password": b"wrong"}
    with pytest.raises(Refused, match="status 404"):
        peers.talk(hysteria2.SPEC, HYSTERIA, secrets=wrong)
    with pytest.raises(Refused, match="closed"):
        peers.talk(tuic.SPEC, TUIC, secrets=wrong)


def test_a_destination_that_refuses_is_the_proxys_word(peers: Peers) -> None:
    with pytest.raises(Refused):
        peers.talk(hysteria2.SPEC, HYSTERIA, {"relay": "127.0.0.1:7779"})


def test_another_root_proves_nothing_and_a_pin_or_nobody_does(peers: Peers) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        peers.talk(hysteria2.SPEC, HYSTERIA, roots="other.pem")
    der = ssl.PEM_cert_to_DER_cert(peers.pem[: peers.pem.index("-----END") + 25])
    assert parse_certificate(der)
    pin = hashlib.sha256(der).hexdigest()
    played = peers.talk(hysteria2.SPEC, HYSTERIA, {"pin": pin}, roots="other.pem", deepest=Depth.PROOF)
    assert played.reached == [Depth.HELLO, Depth.PROOF]
    with pytest.raises(ssl.SSLCertVerificationError):
        peers.talk(hysteria2.SPEC, HYSTERIA, {"pin": "0" * 64})
    played = peers.talk(tuic.SPEC, TUIC, {"insecure": "1"}, roots="other.pem")
    assert played.reached == [Depth.HELLO, Depth.AUTH, Depth.DATA]


def test_versions_are_named_before_any_name_is_said(peers: Peers) -> None:
    played = peers.talk(quic_hello.SPEC, HYSTERIA)
    assert played.reached == [Depth.HELLO]
    assert "00000001" in played.reply.versions.split()
