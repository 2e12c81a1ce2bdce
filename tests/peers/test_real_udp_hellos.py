"""STUN and DTLS against coturn, L2TP against xl2tpd, in one network namespace."""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from probe.model.verdict import Depth
from probe.protocols import dtls, l2tp, stun
from probe.protocols.dialogue import Ask, DialogueSpec
from tests.dialogues import Played, elapsed_since_now, fixed_entropy, talk_over
from tests.peers.sealed import Sealed, find_program

pytestmark = pytest.mark.peers
NAME = "turn.test"
L2TP = """
[global]
listen-addr = 127.0.0.1
port = 1701
[lns default]
ip range = 10.60.0.2-10.60.0.9
local ip = 10.60.0.1
require authentication = no
"""


class Peers:
    def __init__(self, seal: Sealed, folder: Path) -> None:
        self.seal, self.folder = seal, folder
        ca = trustme.CA()
        pair = ca.issue_cert(NAME)
        ca.cert_pem.write_to_path(folder / "ca.pem")
        trustme.CA().cert_pem.write_to_path(folder / "other.pem")
        pair.private_key_pem.write_to_path(folder / "key.pem")
        (folder / "cert.pem").write_bytes(b"".join(one.bytes() for one in pair.cert_chain_pems))
        (folder / "l2tp.conf").write_text(L2TP)

    def talk(self, spec: DialogueSpec, port: int, *, roots: str = "ca.pem", host: str = NAME, **given) -> Played:
        self.seal.wait_for_udp_port(port)
        ask = Ask(
            entropy=fixed_entropy(os.urandom(8)),
            host=host,
            port=port,
            roots=(self.folder / roots).read_text(),
            elapsed_s=elapsed_since_now(),
            **given,
        )
        return talk_over(lambda _: spec.start(ask), self.seal.connect(("127.0.0.1", port), udp=True))


@pytest.fixture(scope="module")
def peers(tmp_path_factory) -> Iterator[Peers]:
    folder = tmp_path_factory.mktemp("hellos")
    with Sealed() as seal:
        found = Peers(seal, folder)
        turn = "turnserver -n -L 127.0.0.1 --listening-port 3478 --tls-listening-port 5349 --no-cli -r test -z"
        turn += f" --cert {folder}/cert.pem --pkey {folder}/key.pem --log-file stdout --pidfile {folder}/turn.pid"
        turn += f" --userdb {folder}/turn.db"
        l2tpd = f"xl2tpd -D -c {folder}/l2tp.conf -p {folder}/l2tp.pid -C {folder}/l2tp.control -s /dev/null"
        for line in (turn, l2tpd):
            if find_program(line.split()[0]):
                seal.run(line.split(), folder / f"{line.split()[0]}.log")
        yield found


def needs(program: str, package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(
        find_program(program) is None, reason=f"{program} is not installed (apt-get install {package})"
    )


@needs("turnserver", "coturn")
def test_coturn_answers_a_binding_request_and_names_itself(peers: Peers) -> None:
    played = peers.talk(stun.SPEC, 3478)
    assert played.reached == [Depth.HELLO]
    assert played.reply.kind == "success"
    assert "Coturn" in played.reply.software


@needs("turnserver", "coturn")
def test_coturn_shakes_hands_over_dtls_to_a_certificate_that_proves_it(peers: Peers) -> None:
    played = peers.talk(dtls.SPEC, 5349)
    assert played.reached == [Depth.HELLO, Depth.PROOF]
    assert played.reply.version == "DTLSv1.2"
    assert played.sent[0].data[0] == 22


@needs("turnserver", "coturn")
def test_a_certificate_of_another_root_or_name_proves_nothing(peers: Peers) -> None:
    with pytest.raises(ssl.SSLCertVerificationError) as untrusted:
        peers.talk(dtls.SPEC, 5349, roots="other.pem")
    assert untrusted.value.verify_code == 20
    with pytest.raises(ssl.SSLCertVerificationError) as misnamed:
        peers.talk(dtls.SPEC, 5349, host="else.test")
    assert misnamed.value.verify_code == 62
    assert peers.talk(dtls.SPEC, 5349, host="else.test", params={"insecure": "1"}).reached == [Depth.HELLO]


@needs("turnserver", "coturn")
def test_who_asks_for_a_hello_alone_sends_one_packet(peers: Peers) -> None:
    played = peers.talk(dtls.SPEC, 5349, deepest=Depth.HELLO)
    assert played.reached == [Depth.HELLO]
    assert len(played.sent) == 1


@needs("xl2tpd", "xl2tpd")
def test_xl2tpd_opens_a_control_connection_and_lets_it_be_closed(peers: Peers) -> None:
    played = peers.talk(l2tp.SPEC, 1701)
    assert played.reached == [Depth.HELLO]
    assert played.reply.kind == "accepted"
    assert played.reply.vendor == "xelerance.com"
    assert len(played.sent) == 2
