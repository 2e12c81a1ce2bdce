"""A real name server, Knot from Debian's packages, on loopback: every record type, truncation, refusal."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import dns.message
import dns.query
import pytest

from probe.model.endpoint import Endpoint
from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup, Resolver, Transport
from probe.net.context import Context
from probe.net.lookup import lookup, lookup_system
from tests.fakes import make_context
from tests.unit.net.fake_resolver import open_stack

KNOTD = shutil.which("knotd", path="/usr/sbin:/usr/bin:/sbin:/bin")
pytestmark = [pytest.mark.peers, pytest.mark.skipif(KNOTD is None, reason="knotd is not installed")]

_ZONE = """\
$ORIGIN peers.test.
$TTL 60
@       SOA   ns.peers.test. admin.peers.test. 1 3600 600 86400 60
@       NS    ns.peers.test.
ns      A     127.0.0.1
www     A     93.184.216.34
www     AAAA  2606:2800:220:1::1
v4only  A     93.184.216.35
alias   CNAME hop.peers.test.
hop     CNAME www.peers.test.
private A     10.10.34.34
txt     TXT   "hello" "world"
svc     HTTPS 1 . alpn=h2,h3
big     TXT   {big}
""".format(big=" ".join(f'"{"x" * 200}"' for _ in range(12)))
_WIDE = "".join(f"wide A 93.184.{n >> 8}.{n & 255}\n" for n in range(60))


def _free_port() -> int:
    """Return a port that is free for UDP and TCP alike."""
    while True:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                return port


@pytest.fixture(scope="module")
def knot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    folder: Path = tmp_path_factory.mktemp("knot")
    port = _free_port()
    (folder / "peers.test.zone").write_text(_ZONE + _WIDE)
    (folder / "knot.conf").write_text(
        f"server:\n  listen: 127.0.0.1@{port}\n  rundir: {folder}\n  udp-workers: 1\n  tcp-workers: 1\n"
        f"database:\n  storage: {folder}\n"
        f"log:\n  - target: {folder}/knot.log\n    any: info\n"
        f"zone:\n  - domain: peers.test\n    storage: {folder}\n    file: peers.test.zone\n"
    )
    assert KNOTD is not None
    server = subprocess.Popen(
        [KNOTD, "-c", str(folder / "knot.conf")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_up(port, folder)
        yield Endpoint(address="127.0.0.1", port=port)
    finally:
        server.terminate()
        server.wait(10)


def _wait_until_up(port: int, folder: Path) -> None:
    query = dns.message.make_query("ns.peers.test.", "A")
    until = time.monotonic() + 15
    while time.monotonic() < until:
        with contextlib.suppress(OSError, dns.exception.DNSException):
            if dns.query.udp(query, "127.0.0.1", port=port, timeout=0.2).answer:
                return
        time.sleep(0.05)
    pytest.fail((folder / "knot.log").read_text() if (folder / "knot.log").exists() else "knotd did not start")


@contextlib.asynccontextmanager
async def asking(knot: Endpoint, tmp_path: Path) -> AsyncIterator[Context]:
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"nameserver {knot.address}\n")
    stack = open_stack(str(conf), port=knot.port)
    try:
        yield make_context(stack, hold_s=0.1)
    finally:
        await stack.close()


def over(transport: Transport, knot: Endpoint) -> Resolver:
    return Resolver(transport=transport, endpoint=knot)


def last(ctx: Context) -> DNSLookup:
    seen = ctx.journal.observations[-1]
    assert isinstance(seen, DNSLookup)
    return seen


async def test_a_host_with_both_families_is_found(knot: Endpoint, tmp_path: Path) -> None:
    plain = False
    for _ in range(3):  # on a busy machine a question is sent twice, and what comes twice is kept whole
        async with asking(knot, tmp_path) as ctx:
            assert await lookup_system(ctx, "www.peers.test") == ("93.184.216.34", "2606:2800:220:1::1")
            plain = plain or all(o.failure is None and not o.replies[0].raw for o in ctx.journal.observations)
    assert plain


async def test_a_negative_answer_with_its_soa_does_not_hold(knot: Endpoint, tmp_path: Path) -> None:
    async with asking(knot, tmp_path) as ctx:
        assert await lookup_system(ctx, "v4only.peers.test") == ("93.184.216.35",)
        assert last(ctx).failure.code is FailureCode.DNS_NO_ANSWER
        assert last(ctx).held_s == 0.0


@pytest.mark.parametrize("transport", [Transport.UDP, Transport.TCP])
async def test_a_chain_of_aliases_is_kept_whole(knot: Endpoint, tmp_path: Path, transport: Transport) -> None:
    async with asking(knot, tmp_path) as ctx:
        assert await lookup(ctx, over(transport, knot), "alias.peers.test") == ("93.184.216.34",)
        answers = [(a.name, a.type, a.value) for a in last(ctx).replies[0].answers]
        assert answers == [
            ("alias.peers.test", "CNAME", "hop.peers.test"),
            ("hop.peers.test", "CNAME", "www.peers.test"),
            ("www.peers.test", "A", "93.184.216.34"),
        ]


@pytest.mark.parametrize(
    ("name", "kind", "value"),
    [
        ("txt", "TXT", '"hello" "world"'),
        ("svc", "HTTPS", '1 . alpn="h2,h3"'),
        ("@", "NS", "ns.peers.test"),
        ("@", "SOA", "ns.peers.test. admin.peers.test. 1 3600 600 86400 60"),
    ],
)
async def test_other_types_are_read(knot: Endpoint, tmp_path: Path, name: str, kind: str, value: str) -> None:
    async with asking(knot, tmp_path) as ctx:
        full = "peers.test" if name == "@" else f"{name}.peers.test"
        await lookup(ctx, over(Transport.UDP, knot), full, kind)
        assert (last(ctx).failure, last(ctx).replies[0].answers[0].value) == (None, value)


@pytest.mark.parametrize(("name", "kind"), [("big", "TXT"), ("wide", "A")])
async def test_what_does_not_fit_a_datagram_comes_over_tcp(
    knot: Endpoint, tmp_path: Path, name: str, kind: str
) -> None:
    async with asking(knot, tmp_path) as ctx:
        addresses = await lookup(ctx, over(Transport.UDP, knot), f"{name}.peers.test", kind)
        assert len(addresses) == (60 if kind == "A" else 0)
        first, _, second = ctx.journal.observations
        assert first.failure.code is FailureCode.MESSAGE_SIZE
        assert (second.failure, second.resolver.transport) == (None, Transport.TCP)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("missing.peers.test", FailureCode.DNS_NXDOMAIN),
        ("www.elsewhere.test", FailureCode.DNS_REFUSED),
        ("txt.peers.test", FailureCode.DNS_NO_ANSWER),
    ],
)
async def test_a_denial_is_held_and_kept(knot: Endpoint, tmp_path: Path, name: str, code: FailureCode) -> None:
    async with asking(knot, tmp_path) as ctx:
        assert await lookup(ctx, over(Transport.UDP, knot), name) == ()
        assert last(ctx).failure.code is code
        assert last(ctx).replies[0].raw
        assert last(ctx).held_s > 0


async def test_a_private_answer_is_held(knot: Endpoint, tmp_path: Path) -> None:
    async with asking(knot, tmp_path) as ctx:
        assert await lookup(ctx, over(Transport.UDP, knot), "private.peers.test") == ("10.10.34.34",)
        assert last(ctx).held_s > 0
