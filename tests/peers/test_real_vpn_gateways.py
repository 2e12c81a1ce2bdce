"""The gateways that offices run, against real ones: ocserv, an SSTP server, SoftEther with its own OpenVPN, pptpd."""

import base64
import hashlib
import os
import re
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from urllib.parse import quote

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols import openvpn, pptp
from probe.protocols.dialogue import Ask, Refused
from probe.protocols.engines.pinned_tls import load_pair
from probe.protocols.gateways import anyconnect, fortigate, global_protect, softether, sstp
from tests.dialogues import Played, elapsed_since_now, fixed_entropy, talk_over
from tests.peers.sealed import Sealed, find_program, wait_for_text

pytestmark = pytest.mark.peers
NAME = "vpn.test"
OCSERV_PORT, CERTIFICATE_PORT, SSTP_PORT, SOFTETHER_PORT, PPTP_PORT = 4443, 4444, 5443, 992, 1723
OCSERV = """
auth = "plain[passwd={folder}/passwd]"
listen-host = 127.0.0.1
tcp-port = 4443
udp-port = 4443
run-as-user = nobody
run-as-group = daemon
socket-file = {folder}/ocserv.sock
server-cert = {folder}/pair.pem
server-key = {folder}/pair.pem
device = vpns
ipv4-network = 10.66.0.0
ipv4-netmask = 255.255.255.0
cisco-client-compat = true
isolate-workers = false
"""
CERTIFICATES = """
auth = "certificate"
tcp-port = 4444
ca-cert = {folder}/clients.pem
cert-user-oid = 2.5.4.3
socket-file = {folder}/certificates.sock
listen-host = 127.0.0.1
run-as-user = nobody
run-as-group = daemon
server-cert = {folder}/pair.pem
server-key = {folder}/pair.pem
device = vpnc
ipv4-network = 10.67.0.0
ipv4-netmask = 255.255.255.0
cisco-client-compat = true
isolate-workers = false
"""
SSTPD = "import sys; sys.modules['uvloop'] = None; import sstpd; sstpd.run()"
"""It asks uvloop for a loop in a way that newer ones refuse."""
SOFTETHER = """
for folder in /var/lib/softether /var/log/softether /run/softether; do
  mkdir -p $folder; mount -t tmpfs none $folder
done
exec vpnserver execsvc
"""
PPTPD = "listen 127.0.0.1\nlocalip 10.8.0.1\nremoteip 10.8.0.2\nppp /bin/false\n"


def needs(program: str, package: str):
    return pytest.mark.skipif(
        find_program(program) is None, reason=f"{program} is not installed (apt-get install {package})"
    )


needs_ocserv = needs("ocserv", "ocserv")
needs_softether = needs("vpnserver", "softether-vpnserver")
needs_pptpd = needs("pptpd", "pptpd")
needs_sstpd = pytest.mark.skipif(find_spec("sstpd") is None, reason="sstpd is not installed (pip install sstp-server)")


class Gateways:
    def __init__(self, seal: Sealed, folder: Path) -> None:
        self.seal = seal
        folder.chmod(0o755)  # ocserv's workers run as nobody
        self.ca = trustme.CA()
        pair = self.ca.issue_cert(NAME)
        pair.private_key_and_cert_chain_pem.write_to_path(folder / "pair.pem")
        public = x509.load_pem_x509_certificate(pair.cert_chain_pems[0].bytes()).public_key()
        info = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.pin = "pin-sha256:" + base64.b64encode(hashlib.sha256(info).digest()).decode()
        if find_program("ocserv"):
            make = [find_program("ocpasswd") or "ocpasswd", "-c", str(folder / "passwd"), "user"]
            subprocess.run(make, input=b"ri<ght\nri<ght\n", check=True, capture_output=True)
            (folder / "ocserv.conf").write_text(OCSERV.format(folder=folder))
            seal.run(["ocserv", "-f", "-d", "1", "-c", str(folder / "ocserv.conf")], folder / "ocserv.log")
            self.folder, clients = folder, trustme.CA()
            clients.cert_pem.write_to_path(folder / "clients.pem")
            for name, ca in (("member", clients), ("stranger", trustme.CA())):
                pair = ca.issue_cert("user", common_name="user")
                pair.private_key_and_cert_chain_pem.write_to_path(folder / f"{name}.pem")
                (folder / f"{name}.pem").chmod(0o600)
            (folder / "certificates.conf").write_text(CERTIFICATES.format(folder=folder))
            seal.run(["ocserv", "-f", "-d", "1", "-c", str(folder / "certificates.conf")], folder / "certificates.log")
        if find_spec("sstpd"):
            pppd = folder / "pppd"
            pppd.write_text("#!/bin/sh\nexec cat >/dev/null\n")
            pppd.chmod(0o755)
            (folder / "ppp-options").touch()
            words = f"-l 127.0.0.1 -p {SSTP_PORT} -c {folder}/pair.pem --pppd {pppd} --pppd-config {folder}/ppp-options"
            words += " --local 10.9.0.1 --remote 10.9.0.0/24"
            seal.run([sys.executable, "-c", SSTPD, *words.split()], folder / "sstpd.log")
        if find_program("vpnserver"):
            seal.run(["sh", "-c", SOFTETHER], folder / "softether.log")
        if find_program("pptpd"):
            (folder / "pptpd.conf").write_text(PPTPD)
            seal.run(["pptpd", "-f", "-c", str(folder / "pptpd.conf")], folder / "pptpd.log")

    def talk(
        self,
        module: ModuleType,
        port: int,
        params: Mapping[str, str] | None = None,
        secrets: Mapping[str, bytes] | None = None,
        *,
        udp: bool = False,
        deepest: Depth = Depth.DATA,
    ) -> Played:
        if not udp:
            self.seal.wait_for_port(port)
        given = dict(params or {})
        stack = module.SPEC.choose_stack(given)
        context: ssl.SSLContext | None = None
        if len(stack) > 1:
            context = ssl.create_default_context()
            self.ca.configure_trust(context)
            if "cert" in (secrets or {}):
                load_pair(context, secrets["cert"], secrets["cert"])
            if not stack[1].verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE

        def begin(certificate: bytes):
            return module.SPEC.start(
                Ask(
                    entropy=fixed_entropy(os.urandom(8)),
                    params=given,
                    secrets=secrets or {},
                    host=NAME,
                    port=port,
                    certificate=certificate,
                    deepest=deepest,
                    elapsed_s=elapsed_since_now(),
                )
            )

        return talk_over(begin, self.seal.connect(("127.0.0.1", port), udp=udp), tls=context, sni=NAME)


@pytest.fixture(scope="module")
def gateways() -> Iterator[Gateways]:
    with tempfile.TemporaryDirectory(prefix="gateways-") as folder, Sealed() as seal:
        yield Gateways(seal, Path(folder))


LOGIN = {"user": "user"}
RIGHT, WRONG = {"password": b"ri<ght"}, {"password": b"wr<ong"}


@needs_ocserv
def test_ocserv_shows_strangers_its_form(gateways: Gateways) -> None:
    played = gateways.talk(anyconnect, OCSERV_PORT)
    assert played.reached == [Depth.HELLO, Depth.PROOF]
    assert played.reply.asks_for == "username"
    assert len(played.sent) == 1


@needs_ocserv
def test_ocserv_lets_us_in_and_answers_inside_the_tunnel(gateways: Gateways) -> None:
    played = gateways.talk(anyconnect, OCSERV_PORT, LOGIN, RIGHT)
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]
    assert played.reply.tunnel == "answers"


@needs_ocserv
def test_ocserv_gets_no_password_below_auth_and_no_connect_below_data(gateways: Gateways) -> None:
    played = gateways.talk(anyconnect, OCSERV_PORT, LOGIN, RIGHT, deepest=Depth.PROOF)
    assert played.reached == [Depth.HELLO, Depth.PROOF]
    played = gateways.talk(anyconnect, OCSERV_PORT, LOGIN, RIGHT, deepest=Depth.AUTH)
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH]
    assert not any(b"CONNECT /" in send.data for send in played.sent)


@needs_ocserv
def test_ocserv_refuses_a_wrong_password_and_hears_it_once(gateways: Gateways) -> None:
    with pytest.raises(Refused, match="Login failed"):
        gateways.talk(anyconnect, OCSERV_PORT, LOGIN, WRONG)


@needs_ocserv
def test_a_pinned_key_proves_a_gateway_that_no_root_knows(gateways: Gateways) -> None:
    assert gateways.talk(anyconnect, OCSERV_PORT, {"pin": gateways.pin}).reached == [Depth.HELLO, Depth.PROOF]
    assert gateways.talk(anyconnect, OCSERV_PORT, {"insecure": "1"}).reached == [Depth.HELLO]
    with pytest.raises(ProtocolError, match="not the pinned key"):
        gateways.talk(anyconnect, OCSERV_PORT, {"pin": "00" * 32})


@needs_ocserv
def test_a_certificate_is_a_login_and_one_of_another_ca_is_none(gateways: Gateways) -> None:
    def show(name: str) -> Played:
        secrets = {"cert": (gateways.folder / f"{name}.pem").read_bytes()}
        return gateways.talk(anyconnect, CERTIFICATE_PORT, {}, secrets)

    assert show("member").reached == [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]
    with pytest.raises((Refused, UserError, ProtocolError, OSError)):
        show("stranger")
    strangers = gateways.talk(anyconnect, CERTIFICATE_PORT, deepest=Depth.PROOF)
    assert strangers.reached == [Depth.HELLO, Depth.PROOF]
    assert strangers.reply.asks_for == "certificate"
    with pytest.raises(UserError, match="asks for a certificate of ours"):
        gateways.talk(anyconnect, CERTIFICATE_PORT)


@needs_sstpd
def test_sstp_acknowledges_a_call(gateways: Gateways) -> None:
    played = gateways.talk(sstp, SSTP_PORT)
    assert played.reached == [Depth.HELLO, Depth.PROOF]
    assert played.reply == sstp.Call(server="SSTP-Server/0.6.0", hashes="SHA1 SHA256")


@needs_softether
def test_softether_greets(gateways: Gateways) -> None:
    played = gateways.talk(softether, SOFTETHER_PORT, {"insecure": "1"})
    assert played.reached == [Depth.HELLO]
    assert played.reply.server.startswith("SoftEther VPN Server")
    assert played.reply.version == "5.01"


@needs_softether
@pytest.mark.parametrize(("proto", "port"), [("udp", 1194), ("tcp", SOFTETHER_PORT)])
def test_softether_speaks_openvpn_too(gateways: Gateways, proto: str, port: int) -> None:
    """A second implementation: what we say was not made for one server's habits."""
    gateways.seal.wait_for_port(SOFTETHER_PORT)
    gateways.seal.wait_for_udp_port(1194)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(gateways.seal.connect(("127.0.0.1", SOFTETHER_PORT))) as channel:
        own = ssl.DER_cert_to_PEM_cert(channel.getpeercert(binary_form=True) or b"").encode()
    played = gateways.talk(openvpn, port, {"proto": proto}, {"ca": own}, udp=proto == "udp")
    assert played.reached == [Depth.HELLO, Depth.PROOF]


@needs_pptpd
def test_pptpd_opens_its_control_connection_and_nothing_more_is_claimed(gateways: Gateways) -> None:
    played = gateways.talk(pptp, PPTP_PORT)
    assert played.reached == [Depth.HELLO]
    assert played.reply.vendor == "linux"
    assert pptp.SPEC.proves is Depth.HELLO


# A server that does not know SSTP's method waits for a body without end: silence, which takes too long to test.
OTHERS = {
    anyconnect: (SSTP_PORT, SOFTETHER_PORT),
    softether: (OCSERV_PORT, SSTP_PORT),
    global_protect: (OCSERV_PORT, SSTP_PORT, SOFTETHER_PORT),
    fortigate: (OCSERV_PORT, SSTP_PORT, SOFTETHER_PORT),
}


@needs_ocserv
@needs_softether
@needs_sstpd
@pytest.mark.parametrize("module", OTHERS, ids=lambda module: module.SPEC.name)
def test_no_gateway_is_taken_for_another(gateways: Gateways, module: ModuleType) -> None:
    for port in OTHERS[module]:
        try:
            played = gateways.talk(module, port, {"insecure": "1"})
        except (ProtocolError, ConnectionResetError):
            continue
        assert played.reached == []


@needs_ocserv
def test_a_person_logs_in_with_a_certificate_that_a_link_names(gateways: Gateways) -> None:
    """The certificate is shown by the TLS that ships, and only where a login is wanted."""
    gateways.seal.wait_for_port(CERTIFICATE_PORT)
    pin, pem = quote(gateways.pin, safe=""), gateways.folder / "member.pem"
    link = f"anyconnect://127.0.0.1:{CERTIFICATE_PORT}?pin={pin}&cert={pem}"
    with tempfile.TemporaryDirectory() as folder:
        environ = {"HOME": folder, "PYTHONPATH": str(Path(__file__).parents[2])}
        for asked, depth in (("", "proof"), ("--login", "data")):
            environ["STATE_DIRECTORY"] = f"{folder}/{depth}"  # or the second call would come too soon
            command = f"{sys.executable} -m probe check {asked} --json '{link}'; echo ended $?"
            gateways.seal.run(["sh", "-c", command], Path(folder) / f"{depth}.out", environ)
            said = wait_for_text(Path(folder) / f"{depth}.out", "ended", seconds=60)
            assert f'"depth":"{depth}"' in said, said
            assert '"status":"ok"' in said
            assert "was given with its secret" not in said


@needs_ocserv
def test_a_person_logs_in_from_a_file_and_no_secret_is_left_behind(gateways: Gateways) -> None:
    """The whole command over real sockets: the pin is held against the certificate that TLS was shown."""
    gateways.seal.wait_for_port(OCSERV_PORT)
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / "office.txt"
        link.write_text(f"anyconnect://user:ri%3Cght@127.0.0.1:{OCSERV_PORT}?pin={quote(gateways.pin, safe='')}\n")
        link.chmod(0o600)
        state = Path(folder) / "state"
        command = f"{sys.executable} -m probe check --login --json {link}; echo ended $?"
        environ = {"STATE_DIRECTORY": str(state), "HOME": folder, "PYTHONPATH": str(Path(__file__).parents[2])}
        gateways.seal.run(["sh", "-c", command], Path(folder) / "out", environ)
        said = wait_for_text(Path(folder) / "out", "ended", seconds=60)
        left = said.encode() + b"".join(path.read_bytes() for path in state.rglob("*") if path.is_file())
    assert '"status":"ok"' in said
    assert '"depth":"data"' in said
    encoded = (word for word in re.findall(rb"[A-Za-z0-9+/]{8,}={0,2}", left) if len(word) % 4 == 0)
    texts = [left, *map(base64.b64decode, encoded)]
    assert any(b"CONNECT /CSCOSSLC/tunnel" in text for text in texts), "the transcript is not where it is looked for"
    for secret in (b"ri<ght", b"ri&lt;ght", b"webvpn="):
        assert not any(secret in text for text in texts)
