"""The world that is measured against: a name server and a TLS web server on loopback, or bundled ones in their place.

nginx: one worker, TLS 1.3, ECDSA P-256, leaf and intermediate under a private root, no tickets, no session cache, a
2 KB page and a dozen headers. Knot: `tN.bench.test`, each name on an address of its own. Those are of a network that
looks public, because an answer from 127.0.0.0/8 is a finding; in these namespaces the whole of it is on loopback.
"""

import contextlib
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import trustme

from tests.bench.children import Child
from tests.bench.host import find_program
from tests.bench.scrape import fetch

ZONE = "bench.test"
NETWORK = "11.0.0.0/8"
"""Where the names are; allocated, and nobody's web site."""
NAME_SERVER = "127.0.0.53"
STATUS_PORT = 8080
"""`/status` there says how many requests were answered."""
SILENT_PORT = 444
"""Somebody accepts there and never says a word."""
PAGE = "<!doctype html><title>Bench</title>" + "lorem ipsum dolor sit amet " * 76
_PARENT = Path(__file__).parent
_READY_S = 15.0

_NGINX = """
daemon off; master_process off; user root; pid {folder}/nginx.pid;
error_log {folder}/nginx.log; worker_rlimit_nofile 40000;
events {{ worker_connections 16384; }}
http {{
    access_log off; gzip off; keepalive_timeout 0; types {{ text/html html; }}
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    ssl_protocols TLSv1.3; ssl_session_tickets off; ssl_conf_command NumTickets 0; ssl_session_cache off;
    ssl_certificate {folder}/chain.pem; ssl_certificate_key {folder}/key.pem;
    add_header Cache-Control "no-cache"; add_header X-Frame-Options DENY; add_header Vary Cookie;
    add_header X-Content-Type-Options nosniff; add_header Referrer-Policy same-origin;
    server {{ listen 0.0.0.0:80 backlog=4096; location = /generate_204 {{ return 204; }} root {folder}; }}
    server {{ listen 127.0.0.1:{status}; keepalive_timeout 60; location = /status {{ stub_status; }} }}
    server {{ listen 0.0.0.0:443 ssl backlog=4096; root {folder}; }}
}}
"""
_KNOT = """
server:
    rundir: "{folder}"
    listen: {address}@53
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: warning
database:
    storage: "{folder}"
zone:
  - domain: {zone}
    file: "{folder}/{zone}.zone"
    zonefile-sync: -1
    journal-content: none
"""


def name_of(number: int) -> str:
    """Return the n-th name."""
    return f"t{number}.{ZONE}"


def address_of(number: int) -> str:
    """Return the address of the n-th name: each has its own, so no destination's limit slows anybody."""
    return f"11.{1 + number // 62500}.{number // 250 % 250}.{1 + number % 250}"


class World:
    """What the jobs need to know of the servers."""

    def __init__(self, folder: Path, used: str) -> None:
        self.folder = folder
        self.root_file = folder / "root.pem"
        self.used = used
        """Which servers these are."""

    @staticmethod
    def answered() -> int:
        """Return how many requests the web server has had, this one too: a count that costs the checker nothing."""
        page = fetch(STATUS_PORT, "/status")
        return int(page.split(b"requests")[1].split()[2])


@contextlib.contextmanager
def serve_world(folder: Path, *, names: int, core: int) -> Iterator[World]:
    """Serve for as long as the block lasts."""
    _write_files(folder, names)
    nginx, knot = find_program("nginx"), find_program("knotd")
    with contextlib.ExitStack() as running:
        if nginx is not None:
            web = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "nginx.log")]
        else:
            web = [sys.executable, str(_PARENT / "bundled_web.py"), str(folder), str(STATUS_PORT)]
        if knot is not None:
            dns = [knot, "-c", str(folder / "knot.conf")]
        else:
            dns = [sys.executable, str(_PARENT / "bundled_dns.py"), NAME_SERVER, str(names)]
        silent = [sys.executable, str(_PARENT / "bundled_silence.py"), str(SILENT_PORT)]
        for argv, port in ((web, 443), (silent, SILENT_PORT)):
            child = running.enter_context(Child(argv, core=core, log=folder / "servers.log"))
            child.wait_until(lambda port=port: _listens(port), _READY_S)
        child = running.enter_context(Child(dns, core=core, log=folder / "servers.log"))
        child.wait_until(_answers, _READY_S)
        used = f"{'nginx' if nginx else 'bundled TLS server'}, {'knot' if knot else 'bundled name server'}"
        yield World(folder, used)


def write_resolv_conf(folder: Path) -> str:
    """Write the resolv.conf of this world and return where it is."""
    path = folder / "resolv.conf"
    path.write_text(f"nameserver {NAME_SERVER}\n", encoding="utf-8")
    return str(path)


def _write_files(folder: Path, names: int) -> None:
    root = trustme.CA(key_type=trustme.KeyType.ECDSA)
    leaf = root.create_child_ca(key_type=trustme.KeyType.ECDSA).issue_cert(
        f"*.{ZONE}", ZONE, key_type=trustme.KeyType.ECDSA
    )
    root.cert_pem.write_to_path(str(folder / "root.pem"))
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(str(folder / "chain.pem"), append=True)
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    (folder / "nginx.conf").write_text(_NGINX.format(folder=folder, status=STATUS_PORT), encoding="utf-8")
    (folder / "knot.conf").write_text(_KNOT.format(folder=folder, zone=ZONE, address=NAME_SERVER), encoding="utf-8")
    lines = [f"{ZONE}. 300 SOA ns.{ZONE}. root.{ZONE}. 1 3600 600 86400 300", f"{ZONE}. 300 NS ns.{ZONE}."]
    lines += [f"ns.{ZONE}. 300 A {NAME_SERVER}"]
    lines += [f"{name_of(number)}. 300 A {address_of(number)}" for number in range(names)]
    (folder / f"{ZONE}.zone").write_text("\n".join((*lines, "")), encoding="utf-8")


def _listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def _answers() -> bool:
    """Ask for the first name, by hand."""
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name_of(0).split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.5)
        try:
            sock.sendto(b"\x12\x34\x01\x00\x00\x01" + bytes(6) + labels + b"\x00\x00\x01\x00\x01", (NAME_SERVER, 53))
            return len(sock.recv(512)) > 40
        except OSError:
            return False
