"""Name servers on loopback that answer as a test says: one UDP socket, and TCP on the same port."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Sequence

import dns.flags
import dns.message
import dns.rrset

from probe.model.endpoint import Endpoint
from probe.model.observation import Resolver, Transport
from probe.net.capabilities import Capabilities
from probe.net.clock import SystemClock
from probe.net.dns_pool import DnsSockets
from probe.net.stack import Stack
from probe.net.system_resolver import SystemResolver
from probe.net.trust import Trust

PUBLIC = "93.184.216.34"
PUBLIC_V6 = "2606:2800:220:1::1"


class Reply:
    """Bytes to send, when, and from where."""

    def __init__(self, data: bytes, *, after_s: float = 0.0, from_elsewhere: bool = False) -> None:
        self.data = data
        self.after_s = after_s
        self.from_elsewhere = from_elsewhere


Script = Callable[[bytes], Sequence[Reply]]


def build_reply(query: bytes, *records: tuple[str, str], rcode: int = 0, truncated: bool = False) -> bytes:
    """Answer a question with (type, value) records of the name asked for."""
    question = dns.message.from_wire(query)
    message = dns.message.make_response(question, recursion_available=True)
    message.set_rcode(rcode)
    if truncated:
        message.flags |= dns.flags.TC
    owner = question.question[0].name
    for kind, value in records:
        message.answer.append(dns.rrset.from_text(owner, 60, "IN", kind, value))
    return message.to_wire()


def answer_plainly(query: bytes) -> Sequence[Reply]:
    """Answer A and AAAA with a public address."""
    kind = dns.message.from_wire(query).question[0].rdtype
    record = ("A", PUBLIC) if kind == 1 else ("AAAA", PUBLIC_V6)
    return [Reply(build_reply(query, record))]


def always(*records: tuple[str, str], rcode: int = 0) -> Script:
    """Answer every question alike."""
    return lambda query: [Reply(build_reply(query, *records, rcode=rcode))]


def stay_silent(_query: bytes) -> Sequence[Reply]:
    """Answer nothing."""
    return []


class FakeResolver:
    """One name server; `queries` are the datagrams that came."""

    def __init__(self, script: Script, sock: socket.socket, elsewhere: socket.socket) -> None:
        self.queries: list[bytes] = []
        self.sources: set[int] = set()
        self._script = script
        self._sock = sock
        self._elsewhere = elsewhere
        address, port = sock.getsockname()[:2]
        self.endpoint = Endpoint(address=address, port=port)
        self.resolver = Resolver(transport=Transport.UDP, endpoint=self.endpoint)

    def on_readable(self) -> None:
        """Answer what is there."""
        with contextlib.suppress(BlockingIOError):
            while True:
                query, source = self._sock.recvfrom(4096)
                self.queries.append(query)
                self.sources.add(source[1])
                for reply in self._script(query):
                    sock = self._elsewhere if reply.from_elsewhere else self._sock
                    self._send(sock, reply, source)

    def _send(self, sock: socket.socket, reply: Reply, source: tuple[str, int]) -> None:
        if reply.after_s:
            asyncio.get_running_loop().call_later(reply.after_s, self._send_now, sock, reply.data, source)
        else:
            self._send_now(sock, reply.data, source)

    @staticmethod
    def _send_now(sock: socket.socket, data: bytes, source: tuple[str, int]) -> None:
        if sock.fileno() >= 0:
            sock.sendto(data, source)


@contextlib.asynccontextmanager
async def run_resolver(script: Script, *, address: str = "127.0.0.1", port: int = 0) -> AsyncIterator[FakeResolver]:
    """Serve on loopback while the block runs."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    loop = asyncio.get_running_loop()
    with socket.socket(family, socket.SOCK_DGRAM) as sock, socket.socket(family, socket.SOCK_DGRAM) as elsewhere:
        sock.setblocking(False)
        sock.bind((address, port))
        elsewhere.bind(("::1" if family == socket.AF_INET6 else "127.0.0.2", 0))
        fake = FakeResolver(script, sock, elsewhere)
        loop.add_reader(sock.fileno(), fake.on_readable)
        try:
            yield fake
        finally:
            loop.remove_reader(sock.fileno())


def open_stack(
    resolv_conf: str = "/dev/null", *, port: int = 53, dns: DnsSockets | None = None, ca_file: str = ""
) -> Stack:
    """Return a stack whose nameservers listen on the port of a fake."""
    clock = SystemClock()
    return Stack(
        clock=clock,
        trust=Trust(ca_file=ca_file, environ={}),
        capabilities=Capabilities(),
        dns=dns or DnsSockets(clock),
        names=SystemResolver(resolv_conf, port=port),
    )
