"""Echo ports: any name, any host, any bytes, on many ports, without ever sending anything back but our own page."""

import asyncio
import contextlib
import datetime
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.control.certificates import make_certificate
from probe.control.client import ControlClient
from probe.control.echo import EchoPorts
from probe.control.echo_quic import QuicEcho, build_configuration
from probe.control.echo_service import ANSWER, MOST_BYTES, SWALLOWED, Spoken, tell
from probe.control.settings import EchoSettings
from probe.model.endpoint import Endpoint
from probe.model.observation import QUICHandshake
from probe.model.settings import ControlSettings
from probe.model.target import SecretRef
from probe.net.quic import quic
from probe.net.quic_versions import ping_quic
from probe.net.stack import Stack
from probe.protocols.engines.quic import QUICEngine
from tests.fakes import make_context
from tests.unit.control.place import TOKEN, open_place

QUIC = build_configuration(make_certificate("localhost", datetime.datetime.now(datetime.UTC)))


def free_range(count: int) -> tuple[int, int]:
    """Return a range of ports that nobody listens on at this moment."""
    for low in range(21100, 32000, count):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            for port in range(low, low + count):
                for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                    held.enter_context(socket.socket(socket.AF_INET, kind)).bind(("127.0.0.1", port))
            return low, low + count - 1
    raise AssertionError("no free range")


@contextlib.asynccontextmanager
async def open_echo(
    count: int = 4, *, connections: int = 64, taken: frozenset[int] = frozenset()
) -> AsyncIterator[EchoPorts]:
    low, high = free_range(count)
    echo = EchoPorts(EchoSettings(low=low, high=high, connections=connections), ("127.0.0.1",), taken)
    echo.start()
    try:
        yield echo
    finally:
        await echo.close()


def first_port(echo: EchoPorts) -> int:
    return echo.offer().tcp[0][0]


def insecure() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def say(port: int, data: bytes, *, piecewise: bool = False) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in [bytes((byte,)) for byte in data] if piecewise else [data]:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("name", ["blocked.example", "xn--d1acpjx3f.example", "a" * 60 + ".example"])
async def test_tls_completes_for_any_name_with_the_certificate_that_was_offered(name: str) -> None:
    async with open_echo() as echo:
        _, writer = await asyncio.open_connection("127.0.0.1", first_port(echo), ssl=insecure(), server_hostname=name)
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.close()
        assert hashlib.sha256(shown).hexdigest() == echo.offer().cert_sha256


async def test_inside_tls_the_same_page_answers() -> None:
    async with open_echo() as echo:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", first_port(echo), ssl=insecure(), server_hostname="x"
        )
        writer.write(b"GET / HTTP/1.1\r\nHost: blocked.example\r\n\r\n")
        assert await reader.read() == ANSWER
        writer.close()


@pytest.mark.parametrize("piecewise", [False, True])
async def test_http_is_answered_for_any_host_and_nothing_of_it_comes_back(piecewise: bool) -> None:
    async with open_echo() as echo:
        answer = await say(
            first_port(echo), b"GET /secret HTTP/1.1\r\nHost: blocked.example\r\n\r\n", piecewise=piecewise
        )
        assert answer == ANSWER
    assert b"blocked" not in answer


@pytest.mark.parametrize("secure", [False, True])
async def test_a_flow_comes_whole_and_no_faster_than_asked_for(secure: bool) -> None:
    async with open_echo() as echo:
        context = insecure() if secure else None
        reader, writer = await asyncio.open_connection("127.0.0.1", first_port(echo), ssl=context)
        began_s = asyncio.get_running_loop().time()
        writer.write(b"GET /flow/60000/300000 HTTP/1.1\r\nHost: any.example\r\n\r\n")
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        took_s = asyncio.get_running_loop().time() - began_s
        writer.close()
    assert b"Content-Length: 60000" in head
    assert body == b"." * 60000
    assert took_s > 0.15


@pytest.mark.parametrize(
    "path", [b"/flow/0/1", b"/flow/1/0", b"/flow/9999999/1", b"/flow/1", b"/flow/-1/5", b"/flow/a/b"]
)
async def test_what_is_no_flow_gets_the_page(path: bytes) -> None:
    async with open_echo() as echo:
        assert await say(first_port(echo), b"GET " + path + b" HTTP/1.1\r\n\r\n") == ANSWER


@pytest.mark.parametrize(
    "data", [b"\x00" * 100, b"SSH-2.0-x\r\n", b"\x16\x05\x00", b"\x16\x03\x01\x00\x02xx", b"GET", b""]
)
async def test_whatever_else_comes_is_swallowed(data: bytes) -> None:
    async with open_echo() as echo:
        answer = await say(first_port(echo), data)
        # A broken TLS record gets an alert (RFC 8446 section 6), nothing else gets a byte.
        assert answer == b"" or answer.startswith(b"\x15\x03")


async def test_once_enough_was_swallowed_that_is_said() -> None:
    """Whole or in pieces; never before, and nothing of what came is in it."""
    async with open_echo() as echo:
        assert await say(first_port(echo), b"\x9c" * 150) == SWALLOWED
        reader, writer = await asyncio.open_connection("127.0.0.1", first_port(echo))
        for _ in range(3):
            writer.write(b"\x9c" * 50)
            await writer.drain()
            await asyncio.sleep(0.01)
        assert await reader.read() == SWALLOWED
        writer.close()


async def test_too_much_is_cut_off() -> None:
    async with open_echo() as echo:
        reader, writer = await asyncio.open_connection("127.0.0.1", first_port(echo))
        writer.write(b"\x00" * (MOST_BYTES + 65536))
        with contextlib.suppress(ConnectionError):
            assert await reader.read() in (b"", SWALLOWED)
        writer.close()


async def test_datagrams_are_swallowed_and_counted() -> None:
    async with open_echo() as echo:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            for _ in range(3):
                sender.sendto(b"x" * 100, ("127.0.0.1", echo.offer().udp[0][0]))
            await asyncio.sleep(0.05)
            with pytest.raises(BlockingIOError):
                sender.recv(100)
        assert echo.datagrams_total == 3


async def test_ports_that_are_taken_are_not_offered() -> None:
    low, _ = free_range(6)
    with socket.create_server(("127.0.0.1", low + 1)):
        echo = EchoPorts(EchoSettings(low=low, high=low + 5), ("127.0.0.1",), frozenset({low + 3}))
        echo.start()
        assert echo.offer().tcp == ((low, low), (low + 2, low + 2), (low + 4, low + 5))
        await echo.close()


async def test_more_connections_than_there_is_room_for_are_dropped() -> None:
    async with open_echo(connections=2) as echo:
        port = first_port(echo)
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        await asyncio.sleep(0.05)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(ConnectionError):
            assert await asyncio.wait_for(reader.read(), 2) == b""
        assert (echo.connections, echo.dropped_total) == (2, 1)
        for _, one in (*opened, (reader, writer)):
            one.close()


async def test_what_was_spoken_is_counted() -> None:
    async with open_echo() as echo:
        port = first_port(echo)
        await say(port, b"GET / HTTP/1.1\r\n\r\n")
        await say(port, b"\x01\x02")
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=insecure(), server_hostname="x")
        writer.close()
        await writer.wait_closed()
        await asyncio.sleep(0.05)
        assert echo.accepted == {"http": 1, "sink": 1, "tls": 1}


async def test_a_thousand_ports_listen_on_one_loop_and_close() -> None:
    async with open_echo(1024) as echo:
        assert echo.ports == 1024
        ((low, high),) = echo.offer().tcp
        assert high - low == 1023
        assert await say(high, b"GET / HTTP/1.1\r\n\r\n") == ANSWER
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", low)


async def test_a_client_takes_each_port_once_per_cool_down() -> None:
    low, high = free_range(4)
    async with open_place(echo=EchoSettings(low=low, high=high)) as place:
        settings = ControlSettings(url=place.url, token=SecretRef(source="env:T"))
        client = ControlClient((settings,), place.world.stack, environ={"T": TOKEN}, families=(4,))
        taken = [await client.take_echo(60.0) for _ in range(5)]
        by_udp = await client.take_echoes(5, 60.0, over_udp=True)
        again = await client.take_echo(0.0)
        found = await client.find_echo()
    assert sorted(one.port for one in taken if one is not None) == list(range(low, high + 1))
    assert taken[4] is None
    assert sorted(one.port for one in by_udp) == list(range(low, high + 1))
    assert again is not None
    assert found is not None
    assert (found.address, found.tcp, found.udp) == ("127.0.0.1", ((low, high),), ((low, high),))


async def test_a_control_without_echo_ports_gives_none() -> None:
    async with open_place() as place:
        settings = ControlSettings(url=place.url, token=SecretRef(source="env:T"))
        client = ControlClient((settings,), place.world.stack, environ={"T": TOKEN}, families=(4,))
        assert await client.find_echo() is None
        assert await client.take_echo(60.0) is None


@pytest.mark.parametrize(
    ("first", "spoken"),
    [
        (b"", None),
        (b"\x16", None),
        (b"\x16\x03\x01", Spoken.TLS),
        (b"\x16\x02", Spoken.SINK),
        (b"GE", None),
        (b"GET ", Spoken.HTTP),
        (b"POST /", Spoken.HTTP),
        (b"OPTIONS", None),
        (b"GETX", Spoken.SINK),
        (b"\x00", Spoken.SINK),
    ],
)
def test_the_first_bytes_tell_what_is_spoken(first: bytes, spoken: Spoken | None) -> None:
    assert tell(first) is spoken


@given(st.binary(max_size=40))
def test_more_bytes_never_change_what_was_told(data: bytes) -> None:
    told = [tell(data[:length]) for length in range(len(data) + 1)]
    decided = [one for one in told if one is not None]
    assert len(set(decided)) <= 1
    assert told[: len(told) - len(decided)] == [None] * (len(told) - len(decided))


async def test_a_first_packet_in_anothers_name_brings_him_no_more_bytes_than_were_sent() -> None:
    """Nobody acknowledges: a server of the RFC would send three times as much, again and again."""
    engine = QUICEngine(("127.0.0.1", 1), server_name="www.example.org", meant="x", alpn=("h3",), roots=None)
    engine.start(0.0)
    first = engine.flush(0.0)
    async with open_echo() as echo:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.setblocking(False)
            stranger.connect(("127.0.0.1", echo.offer().udp[0][0]))
            for data in first:
                stranger.send(data)
            came = 0
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.5):
                    while True:
                        came += len(await asyncio.get_running_loop().sock_recv(stranger, 65536))
    assert 0 < came <= sum(map(len, first))


async def greet_by_quic(port: int, name: str) -> QUICHandshake:
    stack = Stack.open()
    ctx = make_context(stack)
    async with quic(ctx, Endpoint(address="127.0.0.1", port=port), server_name=name, verify=False):
        pass
    await stack.close()
    (seen,) = [o for o in ctx.journal.observations if isinstance(o, QUICHandshake)]
    return seen


@pytest.mark.parametrize("name", ["blocked.example", ""])
async def test_quic_completes_for_any_name_with_the_certificate_that_was_offered(name: str) -> None:
    async with open_echo() as echo:
        seen = await greet_by_quic(echo.offer().udp[0][0], name)
        assert seen.failure is None
        assert hashlib.sha256(seen.chain[0]).hexdigest() == echo.offer().cert_sha256


async def test_a_ping_for_a_version_that_nobody_has_is_answered_with_those_that_there_are() -> None:
    async with open_echo() as echo:
        stack = Stack.open()
        ctx = make_context(stack)
        await ping_quic(ctx, Endpoint(address="127.0.0.1", port=echo.offer().udp[0][0]))
        await stack.close()
        (seen,) = [o for o in ctx.journal.observations if isinstance(o, QUICHandshake)]
        assert (seen.failure, seen.versions) == (None, (1, 0x6B3343CF))


@given(st.binary(min_size=1, max_size=1500))
def test_whatever_comes_is_answered_with_no_more_than_three_times_of_it(data: bytes) -> None:
    class Sink:
        sent = 0

        def fileno(self) -> int:
            return 7

        def sendto(self, answer: bytes, peer: object) -> None:
            self.sent += len(answer)

    async def feed() -> int:
        sink = Sink()
        echo = QuicEcho(QUIC, 4, asyncio.get_running_loop().time)
        for piece in (data, b"\xc0\0\0\0\1" + data, (b"\xc0\0\0\0\1" + data).ljust(1200, b"\0")):
            sink.sent = 0
            echo.take(sink, piece, ("127.0.0.1", 9))  # type: ignore[arg-type]
            assert sink.sent <= 3 * len(piece)
        echo.close()
        return sink.sent

    asyncio.run(feed())
