"""Bytes that are nearly HTTP: whatever comes, the answer is a refusal or a hang-up, and the next client is served."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import h11
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.model.settings import WebSettings
from probe.web.limits import WebLimits
from probe.web.server import WebServer, start_web
from tests.unit.export.snapshots import make_snapshot
from tests.unit.web.fakes import FakeAgent

QUICK = WebLimits(head_s=0.15, serve_s=2.0, idle_s=0.15, sweep_s=0.05)
HEADERS = ("X-Content-Type-Options", "X-Frame-Options", "Content-Security-Policy", "Referrer-Policy")
HOST = b"Host: localhost\r\n"
CASES = {
    "both lengths": b"POST /-/reload HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST /-/reload HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
    "negative length": b"POST /-/reload HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    "length with a plus": b"POST /-/reload HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\na",
    "length in words": b"POST /-/reload HTTP/1.1\r\n" + HOST + b"Content-Length: many\r\n\r\n",
    "endless length": b"POST /-/reload HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n",
    "unknown coding": b"POST /-/reload HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "bad chunk": b"POST /-/reload HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    "folded header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n",
    "space before colon": b"GET / HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n",
    "nul in header": b"GET / HTTP/1.1\r\n" + HOST + b"X: a\x00b\r\n\r\n",
    "nul in path": b"GET /\x00 HTTP/1.1\r\n" + HOST + b"\r\n",
    "no version": b"GET /\r\n\r\n",
    "version two": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "two hosts": b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
    "absolute form": b"GET http://evil.example/metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n",
    "proxy": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example:443\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + HOST + b"".join(b"X-%d: a\r\n" % n for n in range(40_000)) + b"\r\n",
    "odd escapes": b"GET /api/v1/targets?q=%ff%00%zz HTTP/1.1\r\n" + HOST + b"\r\n",
    "way up": b"GET /static/../../../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n",
    "way up, coded": b"GET /static/%2e%2e%2f%2e%2e%2fserver.py HTTP/1.1\r\n" + HOST + b"\r\n",
    "upgrade": b"GET / HTTP/1.1\r\n"
    + HOST
    + b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    "expect": b"POST /-/reload HTTP/1.1\r\n" + HOST + b"Expect: 200-maybe\r\nContent-Length: 3\r\n\r\nabc",
}


@asynccontextmanager
async def serving() -> AsyncIterator[WebServer]:
    agent = FakeAgent([make_snapshot(number) for number in range(3)])
    server = await start_web(agent, WebSettings(listen=("127.0.0.1:0",)), {}, QUICK)
    try:
        yield server
        assert agent.runs_now == 0
    finally:
        await server.close()


async def send(server: WebServer, data: bytes) -> bytes:
    port = int(server.addresses[0].rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = b""
    try:
        writer.write(data)
        async with asyncio.timeout(5):
            while piece := await reader.read(65536):
                answer += piece
    except ConnectionResetError:
        pass
    finally:
        writer.close()
    return answer


def statuses(answer: bytes) -> list[int]:
    """Read every answer on the connection with another library, and hold each against what all must carry."""
    reader = h11.Connection(h11.CLIENT)
    found: list[int] = []
    rest = answer
    while rest:
        reader = h11.Connection(h11.CLIENT)
        reader.send(h11.Request(method="GET", target="/", headers=[("Host", "localhost")]))
        reader.send(h11.EndOfMessage())
        reader.receive_data(rest)
        reader.receive_data(b"")
        event = reader.next_event()
        if isinstance(event, h11.InformationalResponse):
            event = reader.next_event()
        if not isinstance(event, h11.Response):
            break  # cut off in the middle
        names = {name.decode().lower() for name, _ in event.headers}
        assert {name.lower() for name in HEADERS} <= names, answer[:300]
        found.append(event.status_code)
        while not isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
            try:
                event = reader.next_event()
            except h11.RemoteProtocolError:
                return found
            if event is h11.PAUSED or event is h11.NEED_DATA:
                break
        rest = reader.trailing_data[0]
    return found


@pytest.mark.parametrize("name", CASES)
async def test_what_is_no_request_is_refused_or_cut_off(name: str):
    async with serving() as server:
        answer = await send(server, CASES[name])
        seen = statuses(answer)
        assert all(status < 500 for status in seen), answer[:300]
        assert b"root:" not in answer
        assert b"Traceback" not in answer
        assert statuses(await send(server, b"GET /-/healthy HTTP/1.1\r\n" + HOST + b"\r\n")) == [200]


async def test_what_is_refused_is_not_quoted_and_fills_no_log(caplog):
    async with serving() as server:
        answer = await send(server, b"GET / HTTP/1.1\r\n" + HOST + b"X-Planted <script>: 1\r\n\r\n")
        assert b" 400 Bad Request\r\n" in answer[:40]
        assert b"script" not in answer.partition(b"\r\n\r\n")[2]
    assert not [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")]


VALID = b"GET /api/v1/targets?limit=2 HTTP/1.1\r\n" + HOST + b"Accept: */*\r\nConnection: keep-alive\r\n\r\n"
positions = st.integers(0, len(VALID))


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a request with bytes taken out, put in and changed."""
    data = bytearray(VALID * draw(st.integers(1, 3)))
    for _ in range(draw(st.integers(1, 5))):
        place = draw(positions)
        match draw(st.integers(0, 2)):
            case 0:
                del data[place : place + draw(st.integers(1, 20))]
            case 1:
                data[place:place] = draw(st.binary(max_size=20))
            case _:
                data[place : place + 1] = draw(st.binary(min_size=1, max_size=1))
    return bytes(data)


@given(st.lists(damaged() | st.binary(max_size=300), min_size=10, max_size=20))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_any_bytes_leave_the_server_serving(requests: list[bytes]):
    async def attack() -> None:
        async with serving() as server:
            for answer in await asyncio.gather(*(send(server, data) for data in requests)):
                assert all(status < 500 for status in statuses(answer)), answer[:300]
            assert statuses(await send(server, b"GET /-/healthy HTTP/1.1\r\n" + HOST + b"\r\n")) == [200]

    asyncio.run(attack())
