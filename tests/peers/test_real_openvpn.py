"""Our OpenVPN dialogue against Debian's openvpn, unprivileged and without a tunnel device, on loopback."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
import trustme

from probe.model.depth import Depth
from probe.protocols.dialogue import Ask
from probe.protocols.openvpn import SPEC
from tests.dialogues import fixed_entropy, talk

OPENVPN = shutil.which("openvpn", path="/usr/sbin:/usr/bin:/sbin")
pytestmark = [pytest.mark.peers, pytest.mark.skipif(OPENVPN is None, reason="openvpn is not installed")]
MODES = ["none", "tls-auth", "tls-crypt", "tls-crypt-v2"]


@pytest.fixture(scope="module")
def pki(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pki")
    ca = trustme.CA()
    pair = ca.issue_cert("server.test")
    ca.cert_pem.write_to_path(folder / "ca.crt")
    pair.cert_chain_pems[0].write_to_path(folder / "server.crt")
    pair.private_key_pem.write_to_path(folder / "server.key")
    trustme.CA().cert_pem.write_to_path(folder / "other.crt")
    for arguments in (
        ("--genkey", "secret", "ta.key"),
        ("--genkey", "tls-crypt-v2-server", "v2s.key"),
        ("--tls-crypt-v2", "v2s.key", "--genkey", "tls-crypt-v2-client", "v2c.key"),
        ("--genkey", "secret", "wrong.key"),
    ):
        subprocess.run([OPENVPN, *arguments], cwd=folder, check=True, capture_output=True)
    return folder


def serve(pki: Path, mode: str, proto: str) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    extra = {
        "none": [],
        "tls-auth": ["--tls-auth", "ta.key", "0", "--auth", "SHA256"],
        "tls-crypt": ["--tls-crypt", "ta.key"],
        "tls-crypt-v2": ["--tls-crypt-v2", "v2s.key"],
    }[mode]
    words = f"--dev null --tls-server --proto {'tcp4-server' if proto == 'tcp' else 'udp4'} --port {port}"
    words += " --local 127.0.0.1 --ca ca.crt --cert server.crt --key server.key --dh none"
    command = [OPENVPN, *words.split(), *extra]
    server = subprocess.Popen(command, cwd=pki, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    began = time.monotonic()
    while time.monotonic() - began < 20:
        line = server.stdout.readline()
        if b"link local" in line or b"Listening" in line:
            break
    time.sleep(0.3)
    return server, port


def speak(pki: Path, mode: str, proto: str, *, ca: str = "ca.crt", key: str = "") -> object:
    server, port = serve(pki, mode, proto)
    try:
        secrets = {"ca": (pki / ca).read_bytes()}
        name = key or {"none": "", "tls-crypt-v2": "v2c.key"}.get(mode, "ta.key")
        if name:
            secrets["key"] = (pki / name).read_bytes()
        params = {"proto": proto, "wrap": mode}
        if mode == "tls-auth":
            params |= {"direction": "1", "auth": "sha256"}
        ask = Ask(entropy=fixed_entropy(), params=params, secrets=secrets, wall_s=time.time())
        return talk(SPEC.start(ask), ("127.0.0.1", port), udp=proto == "udp")
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


@pytest.mark.parametrize("proto", ["udp", "tcp"])
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_reaches_the_pinned_certificate(pki, mode, proto):
    played = speak(pki, mode, proto)
    assert played.reached == [Depth.HELLO, Depth.PROOF]
    assert played.reply.tls_version == "TLSv1.3"


def test_a_wrong_key_over_tcp_is_answered_by_a_hang_up(pki):
    played = speak(pki, "tls-crypt", "tcp", key="wrong.key")
    assert played.reached == []
    assert played.reply is None


def test_a_server_of_another_ca_is_not_proven(pki):
    with pytest.raises(OSError, match="certificate verify failed"):
        speak(pki, "none", "udp", ca="other.crt")
