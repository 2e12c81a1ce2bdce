"""Programs that run beside the agent in the client, for what hosts suffer of others on them or behind their address.

Run as `python -m probe.lab.client.beside ROLE …`. When all is set it says so, in one line; what it has changed for
others ends with it. The roles:

- `ports` takes every port that a connection could start from.
- `descriptors` lets nobody who has asked a resolver open another file.
- `greet ADDRESS NAME EVERY_S` is a neighbour who asks for a name again and again.
- `refuse KIND PREFIX…` makes our own routing refuse what goes there.
"""

import contextlib
import os
import resource
import signal
import socket
import ssl
import sys
import time
from pathlib import Path

from pyroute2 import IPRoute

RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
FIRST_PORT, LAST_PORT = 61000, 61031
"""The ports that connections may start from while all of them are taken."""
GREETING_S = 0.4
LOOK_EVERY_S = 0.002


def take_ports() -> list[socket.socket]:
    """Bind every port that a connection could start from, for TCP and UDP, both families.

    Raises:
        OSError: the kernel does not let its range be changed, or somebody has one of them.
    """
    RANGE.write_text(f"{FIRST_PORT} {LAST_PORT}")
    taken = []
    for port in range(FIRST_PORT, LAST_PORT + 1):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            both = socket.socket(socket.AF_INET6, kind)
            both.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            both.bind(("::", port))
            taken.append(both)
    return taken


def go_first() -> None:
    """Run before everybody else, where we may: between an answer and the connection after it there are few moments."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))


def deny_descriptors() -> None:
    """Let no process with a UDP socket in this network open another file."""
    inodes = set()
    for name in ("udp", "udp6"):
        inodes |= {line.split()[9] for line in Path("/proc/net", name).read_text().splitlines()[1:]}
    for folder in Path("/proc").glob("[0-9]*") if inodes else ():
        # Processes come and go while they are looked at.
        with contextlib.suppress(OSError):
            links = {os.readlink(link) for link in Path(folder, "fd").iterdir()}
            if not links.isdisjoint(f"socket:[{inode}]" for inode in inodes):
                resource.prlimit(int(folder.name), resource.RLIMIT_NOFILE, (3, 3))


def greet(address: str, server_name: str) -> None:
    """Begin a TLS handshake, and be content with whatever comes of it."""
    context = ssl.create_default_context()
    with contextlib.suppress(OSError), socket.create_connection((address, 443), GREETING_S) as raw:
        context.wrap_socket(raw, server_hostname=server_name).close()


def refuse(kind: str, prefixes: list[str], *, order: str = "add") -> None:
    """Add routes that refuse, or take them away: `prohibit`, `unreachable` or `blackhole`, see ip-route(8)."""
    with IPRoute() as routes:
        for prefix in prefixes:
            routes.route(order, dst=prefix, type=kind, family=socket.AF_INET6 if ":" in prefix else socket.AF_INET)


def _end(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def main() -> int:
    """Do one of these things until told to end."""
    signal.signal(signal.SIGTERM, _end)
    role, *words = sys.argv[1:]
    before = RANGE.read_text()
    taken: list[socket.socket] = []
    try:
        taken = take_ports() if role == "ports" else []
        if role == "refuse":
            refuse(words[0], words[1:])
        if role == "descriptors":
            go_first()
        print("up", flush=True)
        while True:
            match role:
                case "descriptors":
                    deny_descriptors()
                    time.sleep(LOOK_EVERY_S)
                case "greet":
                    greet(words[0], words[1])
                    time.sleep(float(words[2]))
                case _:
                    time.sleep(3600.0)
    finally:
        if role == "refuse":
            refuse(words[0], words[1:], order="del")
        if taken:
            RANGE.write_text(before)


if __name__ == "__main__":
    sys.exit(main())
