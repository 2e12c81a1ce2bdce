"""Our OpenVPN dialogue against Debian's openvpn, unprivileged and without a tunnel device, on loopback."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from probe.model.depth import Depth
from probe.model.errors import UserError
from probe.protocols.dialogue import Ask, Refused
from probe.protocols.openvpn import SPEC
from tests.dialogues import Played, elapsed_since_now, fixed_entropy, talk, talk_over
from tests.peers.sealed import Sealed, wait_for_text

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


def serve(
    pki: Path, mode: str, proto: str, more: tuple[str, ...] = (), digest: str = "SHA256"
) -> tuple[subprocess.Popen[bytes], int]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    extra = {
        "none": [],
        "tls-auth": ["--tls-auth", "ta.key", "0", "--auth", digest],
        "tls-crypt": ["--tls-crypt", "ta.key"],
        "tls-crypt-v2": ["--tls-crypt-v2", "v2s.key"],
    }[mode]
    words = f"--dev null --tls-server --proto {'tcp4-server' if proto == 'tcp' else 'udp4'} --port {port}"
    words += " --local 127.0.0.1 --ca ca.crt --cert server.crt --key server.key --dh none"
    command = [OPENVPN, *words.split(), *extra, *more]
    server = subprocess.Popen(command, cwd=pki, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    began = time.monotonic()
    while time.monotonic() - began < 20:
        line = server.stdout.readline()
        if b"link local" in line or b"Listening" in line:
            break
    time.sleep(0.3)
    return server, port


def speak(
    pki: Path,
    mode: str,
    proto: str,
    *,
    ca: str = "ca.crt",
    key: str = "",
    more: tuple[str, ...] = (),
    digest: str = "SHA256",
) -> object:
    server, port = serve(pki, mode, proto, more, digest)
    try:
        secrets = {"ca": (pki / ca).read_bytes()}
        name = key or {"none": "", "tls-crypt-v2": "v2c.key"}.get(mode, "ta.key")
        if name:
            secrets["key"] = (pki / name).read_bytes()
        params = {"proto": proto, "wrap": mode}
        if mode == "tls-auth":
            params |= {"direction": "1", "auth": digest.lower()}
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


@pytest.mark.parametrize("digest", ["MD5", "SHA1", "SHA512", "SHA3-256"])
def test_tls_auth_has_any_digest(pki, digest):
    assert speak(pki, "tls-auth", "udp", digest=digest).reached == [Depth.HELLO, Depth.PROOF]


def test_a_server_of_tls_1_2_proves_its_key_too(pki):
    played = speak(pki, "none", "udp", more=("--tls-version-max", "1.2"))
    assert played.reached == [Depth.HELLO, Depth.PROOF]


def test_a_wrong_key_over_tcp_is_answered_by_a_hang_up(pki):
    played = speak(pki, "tls-crypt", "tcp", key="wrong.key")
    assert played.reached == []
    assert played.reply is None


def test_a_server_of_another_ca_is_not_proven(pki):
    with pytest.raises(OSError, match="certificate verify failed"):
        speak(pki, "none", "udp", ca="other.crt")


# Logging in: these servers have a tunnel device, in a namespace of their own.

SERVERS = {"udp": ("udp4", 11194), "tcp": ("tcp4-server", 11195), "password": ("udp4", 11196), "cha": ("udp4", 11197)}
CHECK_LOGIN = r"""#!/bin/sh
case $(head -1 $1) in
  slow) (sleep 3; printf 1 > $auth_control_file) >/dev/null 2>&1 & exit 2;;
  factor) echo 'CRV1:R,E:c3RhdGU=:ZmFjdG9y:Code?' > $auth_failed_reason_file; exit 1;;
esac
[ "$(head -1 $1)" = me ] && [ "$(tail -1 $1)" = right ]
"""


@pytest.fixture(scope="module")
def tunnels(pki: Path) -> Iterator[Sealed]:
    issue_client(pki)
    (pki / "check.sh").write_text(CHECK_LOGIN)
    (pki / "check.sh").chmod(0o755)
    with Sealed() as seal:
        for number, (name, (proto, port)) in enumerate(SERVERS.items()):
            words = (
                f"openvpn --cd {pki} --dev tun{number} --dev-type tun --topology subnet --proto {proto} --port {port}"
            )
            words += f" --server 10.9{number}.0.0 255.255.255.0 --local 127.0.0.1 --dh none --keepalive 2 60"
            words += " --ca client-ca.crt --cert server.crt --key server.key --tls-crypt ta.key --duplicate-cn"
            if name == "password":
                words += " --verify-client-cert none --script-security 2 --auth-user-pass-verify check.sh via-file"
            if name == "cha":
                words += " --data-ciphers CHACHA20-POLY1305"
            seal.run(words.split(), pki / f"{name}.log")
        for name in SERVERS:
            wait_for_text(pki / f"{name}.log", "Initialization Sequence Completed")
        yield seal


def issue_client(pki: Path) -> None:
    """Make a client's certificate, and one of a CA that the server does not know."""
    for name, ca in (("client", trustme.CA()), ("stranger", trustme.CA())):
        pair = ca.issue_cert("probe.test", common_name="probe")
        ca.cert_pem.write_to_path(pki / f"{name}-ca.crt")
        pair.cert_chain_pems[0].write_to_path(pki / f"{name}.crt")
        pair.private_key_pem.write_to_path(pki / f"{name}.key")


def log_in(
    seal: Sealed, pki: Path, name: str, *, who: str = "client", login: bytes = b"", deepest: Depth = Depth.DATA
) -> Played:
    secrets = {"ca": (pki / "ca.crt").read_bytes(), "key": (pki / "ta.key").read_bytes()}
    if login:
        secrets["login"] = login
    else:
        secrets |= {"cert": (pki / f"{who}.crt").read_bytes(), "cert_key": (pki / f"{who}.key").read_bytes()}
    proto, port = SERVERS[name]
    ask = Ask(
        entropy=fixed_entropy(os.urandom(8)),
        params={"proto": proto[:3], "wrap": "tls-crypt"},
        secrets=secrets,
        wall_s=time.time(),
        elapsed_s=elapsed_since_now(),
        deepest=deepest,
    )
    return talk_over(lambda _: SPEC.start(ask), seal.connect(("127.0.0.1", port), udp=proto[:3] == "udp"))


needs_tun = pytest.mark.skipif(not os.access("/dev/net/tun", os.R_OK | os.W_OK), reason="there is no /dev/net/tun")
THROUGH = [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]


@needs_tun
@pytest.mark.parametrize("name", ["udp", "tcp", "cha"])
def test_a_certificate_logs_in_and_an_echo_comes_back_through_the_tunnel(tunnels: Sealed, pki: Path, name: str) -> None:
    played = log_in(tunnels, pki, name)
    assert played.reached == THROUGH
    assert played.reply.inner == "echo reply"
    assert played.reply.data_cipher == {"cha": "CHACHA20-POLY1305"}.get(name, "AES-256-GCM")


@needs_tun
def test_a_volume_goes_through_the_tunnel_both_ways(tunnels: Sealed, pki: Path) -> None:
    played = log_in(tunnels, pki, "udp", deepest=Depth.VOLUME)
    assert played.reached == [*THROUGH, Depth.VOLUME]
    assert played.reply.carried_bytes >= 65536


@needs_tun
def test_a_server_is_told_that_we_leave(tunnels: Sealed, pki: Path) -> None:
    before = (pki / "udp.log").read_text().count("OCC exit message")
    log_in(tunnels, pki, "udp", deepest=Depth.AUTH)
    for _ in range(100):
        if (pki / "udp.log").read_text().count("OCC exit message") > before:
            return
        time.sleep(0.05)
    pytest.fail("the server keeps the session")


@needs_tun
def test_a_password_logs_in_and_a_wrong_one_is_refused_in_the_servers_words(tunnels: Sealed, pki: Path) -> None:
    assert log_in(tunnels, pki, "password", login=b"me\nright\n").reached == THROUGH
    with pytest.raises(Refused, match="AUTH_FAILED"):
        log_in(tunnels, pki, "password", login=b"me\nwrong\n")


@needs_tun
def test_a_server_may_take_its_time_to_let_us_in(tunnels: Sealed, pki: Path) -> None:
    assert log_in(tunnels, pki, "password", login=b"slow\nright\n").reached == THROUGH


@needs_tun
def test_a_server_that_asks_for_a_second_factor_has_refused_nobody(tunnels: Sealed, pki: Path) -> None:
    with pytest.raises(UserError, match="second factor"):
        log_in(tunnels, pki, "password", login=b"factor\nright\n")


@needs_tun
def test_a_certificate_that_the_server_does_not_know_does_not_log_in(tunnels: Sealed, pki: Path) -> None:
    # Some end TLS first, some only the connection, with or without a reset.
    with contextlib.suppress(Refused, OSError):
        played = log_in(tunnels, pki, "tcp", who="stranger")
        assert played.reached == THROUGH[:2]
        assert played.reply is None


@needs_tun
def test_nothing_of_ours_is_shown_where_proof_is_enough(tunnels: Sealed, pki: Path) -> None:
    played = log_in(tunnels, pki, "udp", deepest=Depth.PROOF)
    assert played.reached == [Depth.HELLO, Depth.PROOF]
    assert sum(len(sent.data) for sent in played.sent) < 1200
