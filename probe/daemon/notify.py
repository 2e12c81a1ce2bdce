"""Tells systemd how we are. Source: sd_notify(3); the protocol is one datagram of `NAME=value` lines."""

import contextlib
import os
import socket
from collections.abc import Mapping


class Notifier:
    """Does nothing where nobody listens."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        path = environ.get("NOTIFY_SOCKET", "")
        self._path = "\0" + path[1:] if path.startswith("@") else path
        self._stopping = False
        self.watchdog_s = _watchdog_s(environ)
        """How often systemd wants to hear from us at least; `None` = it does not."""

    def ready(self) -> None:
        """Say that start-up, or a reload, is over; on the way out it is too late for that."""
        if not self._stopping:
            self._send("READY=1")

    def reloading(self, boot_s: float) -> None:
        """Say that a reload began; `ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(boot_s * 1_000_000)}")

    def stopping(self) -> None:
        """Say that we are on the way out."""
        self._stopping = True
        self._send("STOPPING=1")

    def alive(self, status: str) -> None:
        """Feed the watchdog, with one line for `systemctl status`."""
        self._send(f"WATCHDOG=1\nSTATUS={status}")

    def _send(self, text: str) -> None:
        if not self._path:
            return
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link,
        ):
            link.sendto(text.encode(), self._path)


def _watchdog_s(environ: Mapping[str, str]) -> float | None:
    try:
        period_s = int(environ.get("WATCHDOG_USEC", "0")) / 1_000_000
        meant_for = int(environ.get("WATCHDOG_PID", str(os.getpid())))
    except ValueError:
        return None
    return period_s if period_s > 0 and meant_for == os.getpid() else None
