"""Real Shadowsocks servers from Debian, with and without simple-obfs, on loopback, with right and wrong keys."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask
from probe.protocols.proxies import shadowsocks
from tests.dialogues import Played, elapsed_since_now, talk

SS_SERVER = shutil.which("ss-server")
OBFS_SERVER = shutil.which("obfs-server")
pytestmark = [pytest.mark.peers, pytest.mark.skipif(SS_SERVER is None, reason="ss-server is not installed")]
ALL = [Depth.HELLO, Depth.PROOF, Depth.AUTH, Depth.DATA]


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    """Run an echo service for TCP and UDP, and return its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    datagrams.bind(listener.getsockname())

    def answer_stream() -> None:
        with contextlib.suppress(OSError):
            while True:
                stream, _ = listener.accept()
                with stream:
                    while data := stream.recv(65536):
                        stream.sendall(data)

    def answer_datagrams() -> None:
        with contextlib.suppress(OSError):
            while True:
                datagrams.sendto(*datagrams.recvfrom(65536))

    for job in (answer_stream, answer_datagrams):
        threading.Thread(target=job, daemon=True).start()
    with listener, datagrams:
        yield int(listener.getsockname()[1])


@contextlib.contextmanager
def serving(*options: str) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [str(SS_SERVER), "-s", "127.0.0.1", "-p", str(port), "-k", "right", "-u", *options]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
                break
            time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(10)


def speak(port: int, echo_port: int, *, password: bytes = b"right", **params: str) -> Played:
    given = {"method": "aes-256-gcm", "relay": f"127.0.0.1:{echo_port}", "payload": "echo"} | params
    deepest = Depth(given.pop("depth", "data"))
    asked = Ask(
        entropy=os.urandom, params=given, secrets={"password": password}, elapsed_s=elapsed_since_now(), port=port,
        deepest=deepest,
    )  # fmt: skip
    return talk(shadowsocks.start(asked), ("127.0.0.1", port), udp=params.get("proto") == "udp")


@pytest.mark.parametrize("method", ["aes-256-gcm", "chacha20-ietf-poly1305"])
@pytest.mark.parametrize("proto", ["tcp", "udp"])
def test_shadowsocks_libev_relays(echo: int, method: str, proto: str) -> None:
    with serving("-m", method) as port:
        assert speak(port, echo, method=method, proto=proto).reached == ALL


def test_a_prefix_stands_where_the_salt_begins(echo: int) -> None:
    prefix = "16030100a80101"
    with serving("-m", "chacha20-ietf-poly1305") as port:
        played = speak(port, echo, method="chacha20-ietf-poly1305", prefix=prefix)
    assert played.reached == ALL
    assert played.sent[0].data.startswith(bytes.fromhex(prefix))


def test_a_volume_goes_through(echo: int) -> None:
    with serving("-m", "aes-256-gcm") as port:
        assert speak(port, echo, depth="volume").reached == [*ALL, Depth.VOLUME]


@pytest.mark.skipif(OBFS_SERVER is None, reason="obfs-server is not installed")
@pytest.mark.parametrize("obfs", ["http", "tls"])
def test_simple_obfs_relays(echo: int, obfs: str) -> None:
    with serving("-m", "aes-256-gcm", "--plugin", "obfs-server", "--plugin-opts", f"obfs={obfs}") as port:
        hidden = {"obfs": obfs, "obfs-host": "www.example.com"}
        assert speak(port, echo, **hidden).reached == ALL
        assert speak(port, echo, depth="volume", **hidden).reached == ALL


def test_a_wrong_password_gets_silence_over_udp(echo: int) -> None:
    with serving("-m", "aes-256-gcm") as port:
        played = speak(port, echo, password=b"wrong", proto="udp")
        assert (played.reply, played.reached) == (None, [])
