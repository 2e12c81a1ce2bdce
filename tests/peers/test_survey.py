"""`wallprobe check vpn.office.example` where real gateways live: ocserv, strongSwan and OpenVPN in a sealed network."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.peers.sealed import Sealed, find_program, wait_for_text
from tests.peers.test_real_vpn_gateways import OCSERV
from tests.peers.test_real_vpn_ike import STRONGSWAN, SWANCTL

ROOT = Path(__file__).parents[2]
PROGRAMS = ("ocserv", "charon-systemd", "openvpn")
MISSING = [program for program in PROGRAMS if find_program(program) is None]
pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (apt-get install)"),
]
NAME, OFFICE = "vpn.office.example", "45.90.3.1"
EMPTY_NAME, EMPTY = "vpn.empty.example", "45.90.4.1"
NAMESERVER = """
import socket, sys, dns.message, dns.rdatatype, dns.rcode, dns.rrset, dns.flags
names = dict(pair.split("=") for pair in sys.argv[1:])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    data, sender = sock.recvfrom(4096)
    question = dns.message.from_wire(data)
    name = question.question[0].name.to_text(omit_final_dot=True)
    answer = dns.message.make_response(question)
    answer.flags |= dns.flags.RA
    if name not in names:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    elif question.question[0].rdtype == dns.rdatatype.A:
        answer.answer.append(dns.rrset.from_text(name + ".", 60, "IN", "A", names[name]))
    sock.sendto(answer.to_wire(), sender)
"""
CONFIG = """
tls: {{ca_file: {folder}/root.pem}}
resolvers: []
store: {{path: {folder}/state/w.db}}
limits: {{handshakes_apart: 1s}}
defaults: {{timeout: 4s}}
"""


class Office:
    """A host at which three gateways answer, and one at which none does."""

    def __init__(self, seal: Sealed, folder: Path) -> None:
        self.seal, self.folder, self.calls = seal, folder, 0
        folder.chmod(0o755)  # ocserv's workers run as nobody
        self._seal_in()
        ca = trustme.CA()
        ca.cert_pem.write_to_path(folder / "root.pem")
        pair = ca.issue_cert(NAME)
        pair.private_key_and_cert_chain_pem.write_to_path(folder / "pair.pem")
        (folder / "wallprobe.yml").write_text(CONFIG.format(folder=folder))
        self._start_ocserv()
        self._start_strongswan()
        words = f"--dev null --tls-server --proto udp4 --port 1194 --local {OFFICE} --dh none"
        words += f" --ca {folder}/root.pem --cert {folder}/pair.pem --key {folder}/pair.pem"
        seal.run(["openvpn", *words.split()], folder / "openvpn.log")
        wait_for_text(folder / "openvpn.log", "link local")
        wait_for_text(folder / "ocserv.log", "listening (TCP)")

    def _seal_in(self) -> None:
        (self.folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        addresses = " && ".join(f"ip address add {address}/32 dev lo" for address in (OFFICE, EMPTY))
        script = f"{addresses} && mount --bind {self.folder}/resolv.conf /etc/resolv.conf && echo done"
        self.seal.run(["sh", "-c", script], self.folder / "setup.log")
        wait_for_text(self.folder / "setup.log", "done")
        names = [f"{NAME}={OFFICE}", f"{EMPTY_NAME}={EMPTY}"]
        self.seal.run([sys.executable, "-c", NAMESERVER, *names], self.folder / "dns.log")
        wait_for_text(self.folder / "dns.log", "ready")

    def _start_ocserv(self) -> None:
        make = [find_program("ocpasswd") or "ocpasswd", "-c", str(self.folder / "passwd"), "user"]
        subprocess.run(make, input=b"right\nright\n", check=True, capture_output=True)
        text = OCSERV.format(folder=self.folder).replace("4443", "443").replace("127.0.0.1", OFFICE)
        (self.folder / "ocserv.conf").write_text(text)
        self.seal.run(["ocserv", "-f", "-d", "1", "-c", str(self.folder / "ocserv.conf")], self.folder / "ocserv.log")

    def _start_strongswan(self) -> None:
        folder = self.folder
        (folder / "strongswan.conf").write_text(STRONGSWAN.format(folder=folder))
        connections = SWANCTL.format(proposals="aes256-sha256-modp2048").replace("127.0.0.1", OFFICE)
        (folder / "swanctl.conf").write_text(connections)
        self.seal.run(["charon-systemd"], folder / "charon.out", {"STRONGSWAN_CONF": str(folder / "strongswan.conf")})
        wait_for_text(folder / "charon.log", "spawning")
        load = ["swanctl", "--load-all", "--noprompt", "--file", str(folder / "swanctl.conf")]
        self.seal.run([*load, "--uri", f"unix://{folder}/vici"], folder / "load.log")
        wait_for_text(folder / "load.log", "successfully loaded")

    def check(self, *arguments: str) -> str:
        """Return what a check prints, in the order in which it does."""
        self.calls += 1
        log = self.folder / f"check-{self.calls}"
        command = [sys.executable, "-m", "probe", "check", "--config.file", str(self.folder / "wallprobe.yml")]
        script = f'cd {ROOT}; "$@"; echo ended with $?'
        self.seal.run(["sh", "-c", script, "sh", *command, *arguments], log, {"HOME": str(self.folder)})
        return wait_for_text(log, "ended with", seconds=90)


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    # Not below pytest's own folder, which nobody may enter but us.
    with tempfile.TemporaryDirectory(prefix="wallprobe-office-") as folder, Sealed() as seal:
        yield Office(seal, Path(folder))


TIME = re.compile(r"\d+(?:\.\d)? m?s\b")
ID = re.compile(r"01[0-9A-Z]{24}")


def normalize(text: str) -> list[str]:
    """Return lines without what differs from run to run."""
    return [ID.sub("ID", TIME.sub("TIME", line)).rstrip() for line in text.splitlines() if line.strip()]


def test_what_lives_at_a_host_is_said_as_the_page_shows_it(office: Office) -> None:
    shown = normalize(office.check(NAME))
    page = (ROOT / "targets" / "README.md").read_text()
    block = page.split(f"$ wallprobe check {NAME}\n", 1)[1].split("```", 1)[0]
    assert shown[-1] == "ended with 0"
    assert normalize(block) == shown[:-1]


def test_a_host_without_a_site_is_greeted_and_nothing_more(office: Office) -> None:
    shown = office.check("--verbose", EMPTY_NAME)
    survey = shown.split("Lives at", 1)[1]
    assert survey.startswith(f" {EMPTY_NAME}: IKEv2 (500/udp, 4500/udp)\n")
    assert "AnyConnect        443/tcp   reach ✗ refused" in survey
    assert "4 more were not asked: their port does not answer" in survey
    assert '"role":"experiment"' not in survey, "a hello that fails is not followed up"


def test_json_says_of_each_hello_what_came_and_of_none_that_it_is_blocked(office: Office) -> None:
    rows = [json.loads(line) for line in office.check("--json", NAME).splitlines() if line.startswith("{")]
    places = [(row["target"].partition(":")[0], row["target"].partition("?")[0].rpartition(":")[2]) for row in rows]
    hellos = dict(zip(places[1:], rows[1:], strict=True))
    assert {place for place, row in hellos.items() if row["status"] == "ok"} == {
        ("anyconnect", "443"), ("ikev2", "500"), ("ikev2", "4500"), ("openvpn", "1194"),
    }  # fmt: skip
    silent = hellos["globalprotect", "443"]
    assert (silent["status"], silent["rule_id"], silent["patterns"]) == ("insufficient", "vpn.greeted", [])
    assert "not judged" in silent["summary"]
    assert silent["baseline"] is None
    assert all(row["pending"] == [] for row in rows)
