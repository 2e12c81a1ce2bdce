"""Old and odd settings of OpenVPN's tunnel, as files ask for them, against Debian's openvpn in a namespace."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from probe.model.depth import Depth
from probe.model.errors import UserError
from probe.protocols.dialogue import Ask
from probe.protocols.openvpn import SPEC
from probe.protocols.openvpn.config import parse_config
from tests.dialogues import Played, elapsed_since_now, fixed_entropy, talk_over
from tests.peers.sealed import Sealed, find_program, wait_for_text
from tests.peers.test_real_openvpn import THROUGH, issue_client, needs_tun, pki

__all__ = ["pki"]  # a fixture
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(find_program("openvpn") is None, reason="openvpn is not installed"),
    needs_tun,
]
LEGACY = "--providers legacy default"
SETTINGS: dict[str, tuple[str, str]] = {
    "cbc": ("--data-ciphers AES-256-CBC --auth SHA512", "cipher AES-256-CBC\nauth SHA512\n"),
    "small cbc, md5": ("--data-ciphers AES-128-CBC --auth MD5", "data-ciphers AES-128-CBC\nauth md5\n"),
    "blowfish": (f"--data-ciphers BF-CBC {LEGACY}", "cipher BF-CBC\n"),
    "triple des": (f"--data-ciphers DES-EDE3-CBC {LEGACY}", "ncp-ciphers AES-256-GCM:DES-EDE3-CBC\nauth SHA1\n"),
    "comp-lzo": ("--comp-lzo no", "comp-lzo no\n"),
    "comp-lzo, compressing": ("--allow-compression yes --comp-lzo yes", "comp-lzo\n"),
    "cbc, comp-lzo": (
        "--data-ciphers AES-256-CBC --auth SHA256 --comp-lzo no",
        "cipher AES-256-CBC\nauth SHA256\ncomp-lzo",
    ),
    "stub": ("--compress stub", "compress\n"),
    "lz4, compressing": ("--allow-compression yes --compress lz4", "compress lz4\n"),
    "lz4-v2, pushed": ("--compress lz4-v2 --push compress_lz4-v2", ""),
    "migrating": ("--compress migrate", "comp-lzo\n"),
    "fragment": ("--fragment 1300 --mssfix 1300", "fragment 1300\n"),
    "new keys": ("--reneg-sec 2", ""),
    "tls-crypt-v2": ("--tls-crypt-v2 v2s.key", ""),
    "cbc over tcp": ("--data-ciphers AES-256-CBC", "cipher AES-256-CBC\n"),
    "unknown cipher": ("--data-ciphers CAMELLIA-128-CBC", "cipher CAMELLIA-128-CBC\n"),
}
"""What the server has, and what its client's file says."""
SPOKEN = [name for name in SETTINGS if name not in ("new keys", "unknown cipher")]


@pytest.fixture(scope="module")
def seal(pki: Path) -> Iterator[Sealed]:
    issue_client(pki)
    with Sealed() as seal:
        for number, (name, (more, _)) in enumerate(SETTINGS.items()):
            tcp = name.endswith("tcp")
            words = f"openvpn --cd {pki} --dev tun{number} --dev-type tun --topology subnet --port {11300 + number}"
            words += f" --proto {'tcp4-server' if tcp else 'udp4'} --server 10.70.{number}.0 255.255.255.0"
            words += " --local 127.0.0.1 --dh none --keepalive 2 60 --ca client-ca.crt --cert server.crt"
            words += " --key server.key --duplicate-cn --verb 4"
            words += "" if name == "tls-crypt-v2" else " --tls-crypt ta.key"
            argv = [word.replace("compress_", "compress ") for word in f"{words} {more}".split()]
            seal.run(argv, pki / f"{name}.log")
        for name in SETTINGS:
            wait_for_text(pki / f"{name}.log", "Initialization Sequence Completed")
        yield seal


def pass_through(seal: Sealed, pki: Path, name: str, *, deepest: Depth = Depth.VOLUME, slow_s: float = 0.0) -> Played:
    file = f"client\nremote 127.0.0.1\nproto {'tcp' if name.endswith('tcp') else 'udp'}\n{SETTINGS[name][1]}"
    params = dict(parse_config(file)[0].params)
    params["wrap"] = "tls-crypt-v2" if name == "tls-crypt-v2" else "tls-crypt"
    names = {"ca": "ca.crt", "cert": "client.crt", "cert_key": "client.key", "key": "ta.key"}
    names["key"] = "v2c.key" if name == "tls-crypt-v2" else "ta.key"
    passed_s = elapsed_since_now()

    def elapsed_s() -> float:
        time.sleep(slow_s)
        return passed_s()

    ask = Ask(
        entropy=fixed_entropy(os.urandom(8)),
        params=params,
        secrets={key: (pki / file).read_bytes() for key, file in names.items()},
        wall_s=time.time(),
        elapsed_s=elapsed_s,
        deepest=deepest,
    )
    udp = params["proto"] == "udp"
    place = ("127.0.0.1", 11300 + list(SETTINGS).index(name))
    return talk_over(lambda _: SPEC.start(ask), seal.connect(place, udp=udp))


@pytest.mark.parametrize("name", SPOKEN)
def test_a_volume_goes_through_whatever_the_tunnel_is_made_of(seal: Sealed, pki: Path, name: str) -> None:
    played = pass_through(seal, pki, name)
    assert played.reached == [*THROUGH, Depth.VOLUME], played.reply
    assert played.reply.inner == "echo reply"


def test_a_server_that_changes_its_keys_meanwhile_lets_the_volume_through(seal: Sealed, pki: Path) -> None:
    log = pki / "new keys.log"
    played = pass_through(seal, pki, "new keys", slow_s=0.02)
    assert played.reached == [*THROUGH, Depth.VOLUME], played.reply
    assert "soft reset" in log.read_text()


def test_a_cipher_that_is_not_spoken_is_said_and_nobodys_fault(seal: Sealed, pki: Path) -> None:
    with pytest.raises(UserError, match="CAMELLIA-128-CBC is not supported"):
        pass_through(seal, pki, "unknown cipher")
    assert pass_through(seal, pki, "unknown cipher", deepest=Depth.AUTH).reached == THROUGH[:3]
