"""Installs the real servers that tests run against, from Debian's packages; elsewhere says what is missing.

OONI's reader comes from PyPI, into an environment of its own: it pins old versions of libraries that we use newer
ones of. Those pins may cease to be installable one day, and the schema test stays, so its lack is never a failure.

Run by `make test`. Where the installation is meant to work, which is for root on Debian, what is still missing at the
end is a failure: tests that skip themselves there would prove nothing, and nobody would see it. Elsewhere, and with
`PEERS=some`, tests of a missing server skip themselves by name.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

PACKAGES = {
    "nginx": "nginx-light",
    "knotd": "knot",
    "promtool": "prometheus",
    "amtool": "prometheus-alertmanager",
    "prometheus-blackbox-exporter": "prometheus-blackbox-exporter",
    "prometheus-pushgateway": "prometheus-pushgateway",
    "faketime": "faketime",
    "curl": "curl",
    "chromium": "chromium",
    "ip": "iproute2",
    "ss-server": "shadowsocks-libev",
    "obfs-server": "simple-obfs",
    "charon-systemd": "charon-systemd libstrongswan-standard-plugins",
    "swanctl": "strongswan-swanctl",
    "xl2tpd": "xl2tpd",
    "pptpd": "pptpd",
    "ocserv": "ocserv",
    "openvpn": "openvpn",
    "tor": "tor",
    "obfs4proxy": "obfs4proxy",
    "danted": "dante-server",
    "microsocks": "microsocks",
    "tinyproxy": "tinyproxy",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "turnserver": "coturn",
    "ndpiReader": "libndpi-bin",
    "vpnserver": "softether-vpnserver",
    "trojan": "trojan",
    "v2ray": "v2ray",
    "wireguard-go": "wireguard-go",
    "wg": "wireguard-tools",
}
"""Program → Debian package, and what it needs beside it."""

READER = "oonidata==0.3.0"
READER_PYTHON = Path(__file__).parents[2] / ".venv-oonidata" / "bin" / "python"
APT = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=120", "-o", "Acquire::Retries=2")
"""Another apt may be at work (unattended upgrades): it is waited for."""
PAUSES_S = (5.0, 20.0, 60.0)
"""A mirror that cannot be reached is often back within a minute."""
CHOICE = "PEERS"

Run = Callable[[Sequence[str]], int]
"""Runs a command and returns its exit code."""


def missing() -> dict[str, str]:
    """Return the programs that are not here, with their packages."""
    places = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return {program: package for program, package in PACKAGES.items() if shutil.which(program, path=places) is None}


def must_succeed(environ: Mapping[str, str], uid: int, release: str) -> bool:
    """Tell whether what is missing at the end is a failure; `release` is the text of os-release(5)."""
    return uid == 0 and "ID=debian" in release.splitlines() and environ.get(CHOICE, "all") != "some"


def main() -> int:
    """Install what is missing; return 1 where that is meant to work and did not."""
    try:
        release = Path("/etc/os-release").read_text("utf-8")
    except OSError:
        release = ""
    if os.geteuid() == 0 and shutil.which("apt-get") is not None:
        install_packages(_run_apt, missing, time.sleep)
    lacking = [f"{program} ({package})" for program, package in missing().items()]
    if not install_reader(_run, time.sleep):
        print(f"not installed, so its test is skipped: {READER}", file=sys.stderr)
    if not lacking:
        return 0
    if not must_succeed(os.environ, os.geteuid(), release):
        print(f"not installed, so tests of these are skipped: {', '.join(lacking)}", file=sys.stderr)
        return 0
    print(
        f"error: cannot be installed, so nothing would test our side of it: {', '.join(lacking)}\n"
        f"What apt-get said stands above. Mend it and run this again, or go without: make test {CHOICE}=some",
        file=sys.stderr,
    )
    return 1


def install_packages(run: Run, look: Callable[[], dict[str, str]], sleep: Callable[[float], None]) -> None:
    """Have apt install what `look` finds missing: all at once, again later, and at last one by one."""
    for pause_s in (0.0, *PAUSES_S):
        wanted = look()
        if not wanted:
            return
        if pause_s:
            print(f"apt-get failed; once more in {pause_s:.0f} s", file=sys.stderr)
            sleep(pause_s)
        packages = sorted({name for names in wanted.values() for name in names.split()})
        print(f"installing {', '.join(packages)}", file=sys.stderr)
        # An index that cannot be renewed, of whatever source, need not keep from installing by the one that is there.
        run([*APT, "update"])
        if run([*APT, "install", "-y", "--no-install-recommends", *packages]) == 0:
            return
    # One that is gone from the archive must not take the others with it.
    for names in look().values():
        run([*APT, "install", "-y", "--no-install-recommends", *names.split()])


def install_reader(run: Run, sleep: Callable[[float], None], python: Path = READER_PYTHON) -> bool:
    """Make the environment of OONI's reader, a quarter of a minute, once; tell whether it is there."""
    works = [str(python), "-c", "import oonidata"]
    if python.exists() and run(works) == 0:
        return True
    print(f"installing {READER}", file=sys.stderr)
    if run([sys.executable, "-m", "venv", str(python.parents[1])]) != 0:
        return False
    for pause_s in (0.0, *PAUSES_S[:1]):
        sleep(pause_s)
        if run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", READER]) == 0:
            return run(works) == 0
    return False


def _run(command: Sequence[str]) -> int:
    return subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode


def _run_apt(command: Sequence[str]) -> int:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL).returncode


if __name__ == "__main__":
    sys.exit(main())
