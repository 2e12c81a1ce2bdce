"""The outside view of a lab: a real control server in the uncensored world, and the client's configuration for it.

It stays while scenarios change: what it measures is what the world serves at that moment, seen without the censor.
"""

import asyncio
import datetime
import os
import sys

import yaml

from probe.control.certificates import hash_certificate, make_certificate
from probe.control.hello_answers import Hello, reference_links
from probe.control.tokens import hash_token, make_token
from probe.lab.client.agent import Controls
from probe.lab.run import Lab
from probe.lab.world.atlas import CONTROL_V4
from probe.model.errors import UserError

PORT = 8443
ECHO_PORTS = "20000-20127"
"""Fewer than in the field, where a port rests for 200 s after each use."""
READY_S = 30.0
HELLOS = {
    Hello.OPENVPN: 1194,
    Hello.IKEV2: 500,
    Hello.SHADOWSOCKS: 8388,
    Hello.WIREGUARD: 51820,
    Hello.TROJAN: 8444,
    Hello.VLESS: 8445,
}
"""The reference servers of tunnels' protocols that stand at the control's address."""
TUNNEL_PORTS = (1080, 2222, 8488, 8643)
"""What it may be asked to connect to, besides the web's ports."""


def reference_addresses() -> tuple[str, ...]:
    """Return the references as the client's configuration names them."""
    return tuple(link for hello, port in HELLOS.items() for link in reference_links(hello, CONTROL_V4, port))


def render_serve_config(token: str, files: dict[str, str]) -> str:
    """Return the control's own configuration."""
    return yaml.safe_dump(
        {
            "name": "outside",
            "listen": [f"{CONTROL_V4}:{PORT}"],
            "country": "XX",
            "tokens": [{"name": "lab", "sha256": hash_token(token)}],
            "tls": files,
            "resolvers": ["udp://9.9.9.9", "udp://8.8.8.8"],
            "limits": {"per_minute": "6000", "greetings_apart": "2s"},
            "echo": {"ports": ECHO_PORTS},
            "hellos": {hello.value: port for hello, port in HELLOS.items()},
            "policy": {"ports": [str(port) for port in TUNNEL_PORTS]},
        },
        sort_keys=False,
    )


async def raise_control(lab: Lab) -> Controls:
    """Start a control in the lab's world; return how its client reaches it, as a configuration says that.

    Raises:
        UserError: it did not come up.
    """
    certificate, key = make_certificate("outside", datetime.datetime.now(datetime.UTC))
    token = make_token()
    files = {
        "cert_file": lab.write_file("control-cert.pem", certificate.decode()),
        "key_file": lab.write_file("control-key.pem", key.decode()),
    }
    path = lab.write_file("control.yml", render_serve_config(token, files))
    argv = [sys.executable, "-m", "probe", "control", "serve", "--config.file", path]
    read, write = os.pipe2(os.O_CLOEXEC)
    lab.spawn(argv, (write, write, write), in_world=True)
    os.close(write)
    if not await await_words(read, b"listening"):
        raise UserError("lab", "the control of the lab did not come up", "run it by hand: wallprobe control serve")
    return (
        {
            "url": f"https://{CONTROL_V4}:{PORT}",
            "name": "outside",
            "token_file": lab.write_file("control-token", token),
            "pin": hash_certificate(certificate.decode()),
        },
    )


async def await_words(descriptor: int, words: bytes) -> bool:
    """Read what a program says until these words come, and go on reading: nobody else empties the pipe.

    False = it ended, or took too long.
    """
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[bool] = loop.create_future()
    transport, _ = await loop.connect_read_pipe(lambda: _Said(ready, words), os.fdopen(descriptor, "rb"))
    try:
        async with asyncio.timeout(READY_S):
            came_up = await ready
    except TimeoutError:
        came_up = False
    if not came_up:
        transport.close()
    return came_up


class _Said(asyncio.Protocol):
    """Looks for the words that say that a program listens."""

    def __init__(self, ready: "asyncio.Future[bool]", words: bytes) -> None:
        self._ready = ready
        self._words = words
        self._text = b""

    def data_received(self, data: bytes) -> None:
        if self._ready.done():
            return
        self._text += data
        if self._words in self._text:
            self._ready.set_result(True)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ready.done():
            self._ready.set_result(False)
