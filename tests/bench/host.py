"""What a figure depends on: processor, kernel, interpreter, loop, TLS library, peers. No host names, no paths."""

import os
import platform
import re
import shutil
import ssl
import subprocess
from importlib import metadata

PLACES = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
_VERSION = re.compile(r"\d+(?:\.\d+)+")
_PEERS = {
    "blackbox_exporter": ("prometheus-blackbox-exporter", "--version"),
    "nginx": ("nginx", "-v"),
    "knot": ("knotd", "--version"),
}


def find_program(name: str) -> str | None:
    """Return where a program is; servers live outside the PATH of most people."""
    return shutil.which(name, path=PLACES)


def pick_cores() -> tuple[int, int]:
    """Return the core of the servers and that of the measured process; one and the same where there is only one."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


def describe_host() -> dict[str, str]:
    """Return the header of a report."""
    loop = os.environ.get("WALLPROBE_LOOP") or f"uvloop {metadata.version('uvloop')}"
    return {
        "processor": f"{_read_processor()}, {len(os.sched_getaffinity(0))} cores",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "loop": loop,
        "tls": f"{ssl.OPENSSL_VERSION}; what was fine is confirmed by {_quick_library()}",
        **{name: _ask_version(*command) for name, command in _PEERS.items()},
    }


def _quick_library() -> str:
    try:
        return f"rtls {metadata.version('rtls')}"
    except metadata.PackageNotFoundError:
        return "the same"


def _read_processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def _ask_version(program: str, option: str) -> str:
    path = find_program(program)
    if path is None:
        return "not found"
    run = subprocess.run([path, option], capture_output=True, text=True, check=False, timeout=10)
    found = _VERSION.search(run.stdout + run.stderr)
    return found[0] if found else "unknown version"
