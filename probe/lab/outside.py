"""The outside view of a lab: a real control server in the uncensored world, and the client's configuration for it.

It stays while scenarios change: what it measures is what the world serves at that moment, seen without the censor.
"""

import asyncio
import datetime
import os
import sys

import yaml

from probe.control.certificates import hash_certificate, make_certificate
from probe.control.tokens import hash_token, make_token
from probe.lab.agent import Controls
from probe.lab.run import Lab
from probe.lab.world.atlas import CONTROL_V4
from probe.model.errors import UserError

PORT = 8443
ECHO_PORTS = "20000-20127"
"""Fewer than in the field, where a port rests for 200 s after each use."""
READY_S = 30.0


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
            "limits": {"per_minute": "6000"},
            "echo": {"ports": ECHO_PORTS},
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
    await _await_listening(read)
    return (
        {
            "url": f"https://{CONTROL_V4}:{PORT}",
            "name": "outside",
            "token_file": lab.write_file("control-token", token),
            "pin": hash_certificate(certificate.decode()),
        },
    )


async def _await_listening(descriptor: int) -> None:
    """Read what the control says until it listens, and go on reading: nobody else empties the pipe.

    Raises:
        UserError: it ended, or took too long.
    """
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[bool] = loop.create_future()
    transport, _ = await loop.connect_read_pipe(lambda: _Said(ready), os.fdopen(descriptor, "rb"))
    try:
        async with asyncio.timeout(READY_S):
            came_up = await ready
    except TimeoutError:
        came_up = False
    if not came_up:
        transport.close()
        raise UserError("lab", "the control of the lab did not come up", "run it by hand: wallprobe control serve")


class _Said(asyncio.Protocol):
    """Looks for the line that says that the control listens."""

    def __init__(self, ready: "asyncio.Future[bool]") -> None:
        self._ready = ready
        self._text = b""

    def data_received(self, data: bytes) -> None:
        if self._ready.done():
            return
        self._text += data
        if b"listening" in self._text:
            self._ready.set_result(True)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._ready.done():
            self._ready.set_result(False)
