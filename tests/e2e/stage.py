"""A sealed network of one machine: names, sites and a filter on the loopback of a network namespace.

Run inside `unshare -rnm`. Everything it needs to know is in a folder: `blocked` holds the names that the filter resets,
`answers` how sites answer; both are read at each connection, so a test may change them. The folder's `web.sock` leads
to the daemon's web port inside, because paths cross namespaces and ports do not.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import subprocess
import sys
import threading
from pathlib import Path

import dns.flags
import dns.message
import dns.rrset
import trustme

NAMESERVER = "45.90.0.53"
SITES = "45.90.1.1"
FILTERED = "45.90.2.1"
SHARED = "45.90.3.1"
ANCHORS = ("45.90.4.1", "45.90.4.2")
SERVED = (SITES, FILTERED, SHARED, *ANCHORS)
CLOSED = "45.90.5.1"
NOWHERE = "45.90.6.1"
"""Nobody has this address: what is sent there is lost."""
ADDRESSES = {
    "anchor-1.wall.example": ANCHORS[0],
    "anchor-2.wall.example": ANCHORS[1],
    "closed.wall.example": CLOSED,
    "filtered.wall.example": FILTERED,
    "silent.wall.example": NOWHERE,
    "vpn.wall.example": SHARED,
}
WEB_PORT = 9785
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 18\r\n\r\n<title>Ok</title>!"
FORM = (
    b'<config-auth type="auth-request"><version who="sg">9.1</version>'
    b'<auth><form><input name="username"/></form></auth></config-auth>'
)
GATE = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: %d\r\n\r\n%s" % (len(FORM), FORM)
"""What AnyConnect's clients get, here at every site that they ask."""
FAULT = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


def build_up(folder: Path) -> ssl.SSLContext:
    """Bring up loopback with every address, our own resolv.conf, and a certificate for all names."""
    for command in (
        ["ip", "link", "set", "lo", "up"],
        *(
            ["ip", "address", "add", f"{a}/32", "dev", "lo"]
            for a in (NAMESERVER, SITES, FILTERED, SHARED, *ANCHORS, CLOSED)
        ),
        ["ip", "route", "add", "default", "dev", "lo"],
        ["mount", "--bind", str(folder / "resolv.conf"), "/etc/resolv.conf"],
        *_small_disks(folder),
    ):
        subprocess.run(command, check=True)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "root.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("*.wall.example", *ANCHORS).configure_cert(context)
    return context


def _small_disks(folder: Path) -> list[list[str]]:
    """Return what mounts a disk that fills up soon, one that is full at once, and one that cannot be written."""
    options = {"small": "size=640k", "tiny": "size=8k", "read-only": "size=64k,ro"}
    for name in options:
        (folder / name).mkdir()
    return [["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(folder / name)] for name, option in options.items()]


def address_of(name: str) -> str | None:
    """Return where a name lives; `site-N` are plain sites, `shared-N` live together."""
    if name.startswith("site-"):
        return SITES
    if name.startswith("closed-"):
        return CLOSED
    return SHARED if name.startswith("shared-") else ADDRESSES.get(name)


class NameServer(asyncio.DatagramProtocol):
    """Answers A; everything else about a known name is empty, unknown names do not exist."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        question = dns.message.from_wire(data)
        name = question.question[0].name.to_text(omit_final_dot=True)
        answer = dns.message.make_response(question)
        answer.flags |= dns.flags.RA
        address = address_of(name)
        if address is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif dns.rdatatype.to_text(question.question[0].rdtype) == "A":
            answer.answer.append(dns.rrset.from_text(f"{name}.", 60, "IN", "A", address))
        self._transport.sendto(answer.to_wire(), addr)  # type: ignore[attr-defined]


class Sites(threading.Thread):
    """TLS sites on one address, behind a filter that resets connections by the name in the hello."""

    def __init__(self, address: str, folder: Path, context: ssl.SSLContext) -> None:
        super().__init__(daemon=True)
        self._folder = folder
        self._context = context
        self._listener = socket.create_server((address, 443), backlog=1000)

    def run(self) -> None:
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._answer, args=(client,), daemon=True).start()

    def _answer(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            client.settimeout(20)
            hello = client.recv(4096, socket.MSG_PEEK)
            if any(name.encode() in hello for name in (self._folder / "blocked").read_text().split()):
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            with self._context.wrap_socket(client, server_side=True) as secured:
                request = b""
                while b"\r\n\r\n" not in request:
                    piece = secured.recv(4096)
                    if not piece:
                        return
                    request += piece
                if b"X-Aggregate-Auth" in request:
                    secured.sendall(GATE)
                    while secured.recv(4096):
                        pass
                    return
                failing = json.loads((self._folder / "answers").read_text())
                host = request.split(b"Host: ", 1)[-1].split(b"\r\n", 1)[0].decode()
                secured.sendall(FAULT if host in failing else PAGE)


async def lead(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one connection of the test to the daemon's port."""
    try:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", WEB_PORT)
    except OSError:
        writer.close()
        return
    await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.close()


async def main(folder: Path) -> None:
    context = build_up(folder)
    loop = asyncio.get_running_loop()
    await loop.create_datagram_endpoint(NameServer, local_addr=(NAMESERVER, 53))
    for address in SERVED:
        Sites(address, folder, context).start()
    await asyncio.start_unix_server(lead, folder / "web.sock")
    print("ready", flush=True)
    # The test holds our standard input: when it goes, so do we, and the namespace with us.
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
