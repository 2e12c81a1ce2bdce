"""Installs the real servers that tests run against, from Debian's packages; elsewhere says what is missing.

OONI's reader comes from PyPI, into an environment of its own: it pins old versions of libraries that we use newer
ones of.

Run by `make test`. Tests of a missing server skip themselves by name.
"""

import os
import shutil
import subprocess
import sys
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


def missing() -> dict[str, str]:
    """Return the programs that are not here, with their packages."""
    places = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return {program: package for program, package in PACKAGES.items() if shutil.which(program, path=places) is None}


def main() -> None:
    """Install what is missing, and name what tests will skip."""
    install_packages()
    install_reader()


def install_reader() -> None:
    """Make the environment of OONI's reader; a quarter of a minute, once."""
    if READER_PYTHON.exists() and _runs(READER_PYTHON, "-c", "import oonidata"):
        return
    print(f"installing {READER}", file=sys.stderr)
    pip = [READER_PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", READER]
    for command in ([sys.executable, "-m", "venv", READER_PYTHON.parents[1]], pip):
        if subprocess.run(command, check=False).returncode:
            print(f"{READER} cannot be installed; its test is skipped", file=sys.stderr)
            return


def _runs(*command: "str | Path") -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def install_packages() -> None:
    """Install as root where apt is."""
    wanted = missing()
    if not wanted:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print(f"not installed, so tests of these are skipped: {', '.join(wanted)}", file=sys.stderr)
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    packages = sorted({name for names in wanted.values() for name in names.split()})
    print(f"installing {', '.join(packages)}", file=sys.stderr)
    for command in (["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", *packages]):
        run = subprocess.run(["apt-get", *command], env=environment, check=False, stdout=subprocess.DEVNULL)
        if run.returncode:
            print(f"apt-get {command[0]} failed; tests of {', '.join(wanted)} are skipped", file=sys.stderr)
            return


if __name__ == "__main__":
    main()
