"""A loopback of its own for real servers: fixed ports are free in it, and nothing they send leaves the machine.

A small process stands in a network namespace, starts programs there when told, and hands out sockets made there.
Run as `python tests/peers/sealed.py SOCKET_NUMBER` inside the namespace; tests use `Sealed`.
"""

import array
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

LINE_BYTES = 65536


class Sealed:
    """A network namespace with nothing but loopback, and what was started in it."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        seal = ["unshare", "-nmpf", "--mount-proc", "--kill-child", *(() if os.geteuid() == 0 else ("-r",))]
        with theirs:
            self._process = subprocess.Popen(
                [*seal, sys.executable, __file__, str(theirs.fileno())], pass_fds=(theirs.fileno(),)
            )
        self._line = ours
        self._line.settimeout(20)
        self._ask({})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def run(self, argv: list[str], log: Path, env: dict[str, str] | None = None) -> int:
        """Start a program there; it ends with the namespace."""
        program = find_program(argv[0])
        assert program, argv[0]
        answer, _ = self._ask({"run": [program, *argv[1:]], "log": str(log), "env": env or {}})
        return int(answer["pid"])

    def connect(self, address: tuple[str, int], *, udp: bool = False) -> socket.socket:
        """Return a socket made there and connected."""
        sock = self.socket(udp=udp)
        sock.settimeout(10)
        try:
            sock.connect(address)
        except OSError:
            sock.close()
            raise
        return sock

    def socket(self, *, udp: bool = False) -> socket.socket:
        """Return a socket made there."""
        _, numbers = self._ask({"socket": "udp" if udp else "tcp"})
        return socket.socket(fileno=numbers[0])

    def wait_for_port(self, port: int, *, seconds: float = 20) -> None:
        """Wait until something listens on this TCP port."""
        for _ in range(int(seconds / 0.05)):
            try:
                self.connect(("127.0.0.1", port)).close()
                return
            except ConnectionError:
                time.sleep(0.05)
        raise TimeoutError(f"nothing listens on port {port}")

    def wait_for_udp_port(self, port: int, *, seconds: float = 20) -> None:
        """Wait until a UDP socket is bound to this port; nothing is sent to it."""
        for _ in range(int(seconds / 0.05)):
            with self.socket(udp=True) as sock:
                try:
                    sock.bind(("127.0.0.1", port))
                except OSError:
                    return
            time.sleep(0.05)
        raise TimeoutError(f"nothing is bound to UDP port {port}")

    def _ask(self, order: dict[str, object]) -> tuple[dict[str, object], list[int]]:
        if order:
            self._line.send(json.dumps(order).encode())
        data, ancillary, _, _ = self._line.recvmsg(LINE_BYTES, socket.CMSG_SPACE(4))
        if not data:
            raise OSError("the namespace is gone, or was never made")
        numbers = array.array("i")
        for _, _, passed in ancillary:
            numbers.frombytes(passed)
        return json.loads(data), list(numbers)


def find_program(name: str) -> str | None:
    """Return the path of a program, also of one that only root's PATH has."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/lib/ipsec")


def wait_for_text(path: Path, text: str, *, seconds: float = 20) -> str:
    """Wait until a file has this text; return all of it."""
    for _ in range(int(seconds / 0.05)):
        with contextlib.suppress(FileNotFoundError):
            found = path.read_text(errors="replace")
            if text in found:
                return found
        time.sleep(0.05)
    raise TimeoutError(f"{path} never says {text}: {path.read_text(errors='replace') if path.exists() else ''}")


def serve(line: socket.socket) -> None:
    """Do what is asked over the line until it closes; then end what was started, each with its children."""
    subprocess.run([find_program("ip") or "ip", "link", "set", "lo", "up"], check=True)
    started: list[subprocess.Popen[bytes]] = []
    line.send(b"{}")
    while data := line.recv(LINE_BYTES):
        order = json.loads(data)
        if "socket" in order:
            kind = socket.SOCK_DGRAM if order["socket"] == "udp" else socket.SOCK_STREAM
            with socket.socket(socket.AF_INET, kind) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
                line.sendmsg([b"{}"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [sock.fileno()]))])
            continue
        with open(order["log"], "ab") as log:
            program = subprocess.Popen(
                order["run"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | order["env"],
                start_new_session=True,
            )
        started.append(program)
        line.send(json.dumps({"pid": program.pid}).encode())
    for program in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGTERM)
    for program in started:
        try:
            program.wait(1)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as end:
        serve(end)
