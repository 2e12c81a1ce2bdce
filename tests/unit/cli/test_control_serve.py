"""A control as a process of its own: who says nothing to it takes nothing from it."""

import os
import re
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from probe.cli.commands.control import _CONNECTIONS, find_state
from probe.model.errors import UserError

KNOCKS = 600


def test_its_certificate_lives_where_the_agents_database_would(tmp_path: Path) -> None:
    given = {"XDG_STATE_HOME": str(tmp_path), "HOME": "/home/somebody"}
    assert find_state("", given) == tmp_path / "wallprobe"
    assert find_state("", given | {"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}) == Path("/var/lib/a")
    assert find_state("", {"HOME": "/home/somebody"}) == Path("/home/somebody/.local/state/wallprobe")
    assert find_state("here", given) == Path("here")
    with pytest.raises(UserError, match="control state: this user has no home folder; set state"):
        find_state("", {"HOME": "~nobody-of-this-name"})


def test_silent_connections_are_counted_before_their_handshake(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "probe", "control", "serve", "--listen", "127.0.0.1:0", "--no-echo"],
            stdout=written, stderr=written, env=os.environ | {"STATE_DIRECTORY": str(tmp_path)},
        )  # fmt: skip
    try:
        until_s = time.monotonic() + 30
        while not (found := re.search(r"msg=listening address=127\.0\.0\.1:(\d+)", log.read_text())):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until_s
            time.sleep(0.1)
        place = ("127.0.0.1", int(found[1]))
        opened = Path(f"/proc/{process.pid}/fd")
        before = len(os.listdir(opened))
        silent = [socket.create_connection(place, 10) for _ in range(KNOCKS)]
        assert is_served(place)
        assert _CONNECTIONS.handshakes < KNOCKS
        assert len(os.listdir(opened)) <= before + _CONNECTIONS.handshakes + 10
        for one in silent:
            one.close()
        assert is_served(place)
    finally:
        process.terminate()
        assert process.wait(20) == 0


def is_served(place: tuple[str, int]) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(place, 10) as raw, context.wrap_socket(raw) as client:
        client.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        return client.recv(12).startswith(b"HTTP/1.0 200")
