"""Namespaces of its own for a job: its own loopback, resolv.conf, /proc; what it started ends with it."""

import os
import subprocess
import sys
from collections.abc import Sequence

from tests.bench.host import find_program

INSIDE = "WALLPROBE_BENCH_INSIDE"
"""Set in the environment of a job that has its namespaces."""


def is_inside() -> bool:
    """Tell whether this process has namespaces of its own."""
    return os.environ.get(INSIDE) == "1"


def run_inside(arguments: Sequence[str]) -> int | None:
    """Run `python -m tests.bench` with these arguments in new namespaces; `None` = the kernel or the host refuses."""
    unshare = find_program("unshare")
    if unshare is None:
        return None
    command = [unshare, "-r", "-n", "-m", "-p", "-f", "--kill-child", "--mount-proc"]
    if subprocess.run([*command, "true"], capture_output=True, check=False).returncode:
        return None
    environment = {**os.environ, INSIDE: "1"}
    return subprocess.run(
        [*command, sys.executable, "-m", "tests.bench", *arguments], env=environment, check=False
    ).returncode


def prepare_inside(resolv_conf: str, network: str) -> None:
    """Bring our loopback up, put a whole network on it, and our resolv.conf in place of the host's.

    Raises:
        CalledProcessError: one of them failed.
    """
    assert is_inside(), "this is for namespaces of our own"
    ip, mount = find_program("ip"), find_program("mount")
    assert ip is not None, "iproute2 is needed"
    assert mount is not None, "mount is needed"
    subprocess.run([ip, "link", "set", "lo", "up"], check=True)
    subprocess.run([ip, "route", "add", "local", network, "dev", "lo"], check=True)
    real = os.path.realpath("/etc/resolv.conf")
    subprocess.run([mount, "--bind", resolv_conf, real], check=True)
