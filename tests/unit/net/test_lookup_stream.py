"""DNS over TCP, TLS and HTTPS, against servers that do it right and servers that do not."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import trustme

from probe.model.endpoint import Endpoint
from probe.model.failure import FailureCode, Stage
from probe.model.observation import DNSLookup, HTTPExchange, Resolver, TCPConnect, TLSHandshake, Transport
from probe.net.context import Context
from probe.net.lookup import lookup
from tests.fakes import OpenGate, make_context
from tests.unit.net.fake_resolver import PUBLIC, Reply, build_reply, open_stack, run_resolver

NAME = "www.example.com"
RESOLVER_NAME = "dns.example"
Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def serving(behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> AsyncIterator[Endpoint]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await behaviour(reader, writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield Endpoint(address="127.0.0.1", port=server.sockets[0].getsockname()[1])


class Authority:
    """A root that the stack trusts, and a server that it vouches for."""

    def __init__(self, folder: Path, name: str = RESOLVER_NAME) -> None:
        root = trustme.CA()
        self.ca_file = str(folder / "root.pem")
        root.cert_pem.write_to_path(self.ca_file)
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.set_alpn_protocols(["dot", "http/1.1"])
        root.issue_cert(name, "127.0.0.1").configure_cert(self.server)


async def read_question(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reply = build_reply(await read_question(reader), ("A", PUBLIC))
    writer.write(len(reply).to_bytes(2, "big") + reply)
    await writer.drain()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reply = build_reply(await read_question(reader), ("A", PUBLIC))
    for byte in len(reply).to_bytes(2, "big") + reply:
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(0.001)


async def close_at_once(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await read_question(reader)


async def break_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reply = build_reply(await read_question(reader), ("A", PUBLIC))
    writer.write(len(reply).to_bytes(2, "big") + reply[:-7])
    await writer.drain()


async def say_nothing(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def talk_nonsense(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_question(reader)
    writer.write(b"\0\5hello")
    await writer.drain()


def answer_http(status: str = "200 OK", kind: str = "application/dns-message", body: bytes | None = None) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
        question = await reader.readexactly(int(lines["content-length"]))
        assert head.startswith("POST /dns-query HTTP/1.1")
        assert lines["content-type"] == lines["accept"] == "application/dns-message"
        assert question[:2] == b"\0\0"
        reply = build_reply(question, ("A", PUBLIC)) if body is None else body
        writer.write(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(reply)}\r\n\r\n".encode())
        writer.write(reply)
        await writer.drain()

    return behave


@contextlib.asynccontextmanager
async def asking(ca_file: str = "", **fields: object) -> AsyncIterator[Context]:
    stack = open_stack(ca_file=ca_file)
    try:
        yield make_context(stack, **({"timeout_s": 1.0} | fields))
    finally:
        await stack.close()


def last(ctx: Context) -> DNSLookup:
    """Return the outcome of the question, which comes after the steps of its connection."""
    seen = ctx.journal.observations[-1]
    assert isinstance(seen, DNSLookup)
    return seen


def over(transport: Transport, endpoint: Endpoint, name: str = RESOLVER_NAME) -> Resolver:
    return Resolver(transport=transport, endpoint=endpoint, server_name="" if transport is Transport.TCP else name)


async def test_tcp_answers_and_its_connection_is_an_observation() -> None:
    async with serving(answer) as endpoint, asking() as ctx:
        assert await lookup(ctx, over(Transport.TCP, endpoint), NAME) == (PUBLIC,)
        assert [type(seen) for seen in ctx.journal.observations] == [TCPConnect, DNSLookup]
        seen = last(ctx)
        assert (seen.failure, seen.resolver.transport, seen.sends) == (None, Transport.TCP, 1)
        assert seen.replies[0].raw == b""


async def test_an_answer_in_single_bytes_is_put_together() -> None:
    async with serving(drip) as endpoint, asking() as ctx:
        assert await lookup(ctx, over(Transport.TCP, endpoint), NAME) == (PUBLIC,)


@pytest.mark.parametrize(
    ("behaviour", "code", "replies"),
    [
        (close_at_once, FailureCode.EOF, 0),
        (break_off, FailureCode.EOF, 1),
        (say_nothing, FailureCode.TIMEOUT, 0),
        (talk_nonsense, FailureCode.DNS_MISBEHAVING, 1),
    ],
)
async def test_each_way_to_fail_over_tcp_is_told_apart(behaviour: Behaviour, code: FailureCode, replies: int) -> None:
    async with serving(behaviour) as endpoint, asking(timeout_s=0.4) as ctx:
        assert await lookup(ctx, over(Transport.TCP, endpoint), NAME) == ()
        seen = last(ctx)
        assert seen.failure is not None
        assert (seen.failure.stage, seen.failure.code, len(seen.replies)) == (Stage.RESOLVE, code, replies)
        assert isinstance(ctx.gate, OpenGate)
        assert ctx.gate.hot == ([] if behaviour is talk_nonsense else [endpoint])
        assert len(ctx.journal.silences) == (1 if behaviour is say_nothing else 0)


@pytest.mark.parametrize("transport", [Transport.TCP, Transport.DOT, Transport.DOH])
async def test_a_refused_connection_leaves_its_failure_in_the_lookup(transport: Transport) -> None:
    async with serving(answer) as endpoint:
        pass
    async with asking() as ctx:
        assert await lookup(ctx, over(transport, endpoint), NAME) == ()
        connect, seen = ctx.journal.observations
        assert seen.failure is not None
        assert seen.failure == connect.failure
        assert (seen.failure.stage, seen.failure.code) == (Stage.CONNECT, FailureCode.CONNECTION_REFUSED)


async def test_a_truncated_answer_is_asked_again_over_tcp() -> None:
    def truncate(query: bytes) -> list[Reply]:
        return [Reply(build_reply(query, truncated=True))]

    # Other tests' servers take ports for TCP all the time, hardly ever for UDP.
    async with serving(answer) as by_tcp, run_resolver(truncate, port=by_tcp.port) as fake, asking(hold_s=5.0) as ctx:
        assert await lookup(ctx, fake.resolver, NAME) == (PUBLIC,)
        first, connect, second = ctx.journal.observations
        assert isinstance(first, DNSLookup)
        assert isinstance(connect, TCPConnect)
        assert isinstance(second, DNSLookup)
        assert (first.failure.code, first.resolver.transport) == (FailureCode.MESSAGE_SIZE, Transport.UDP)
        assert (second.failure, second.resolver.transport) == (None, Transport.TCP)
        assert first.held_s == 0.0


async def test_tls_answers_with_its_certificate_checked(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(answer, authority.server) as endpoint, asking(authority.ca_file) as ctx:
        assert await lookup(ctx, over(Transport.DOT, endpoint), NAME) == (PUBLIC,)
        _, handshake, seen = ctx.journal.observations
        assert isinstance(handshake, TLSHandshake)
        assert (handshake.alpn, handshake.server_name, handshake.verified) == ("dot", RESOLVER_NAME, True)
        assert seen.failure is None


async def test_a_resolver_without_a_name_is_checked_by_its_address(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(answer, authority.server) as endpoint, asking(authority.ca_file) as ctx:
        assert await lookup(ctx, over(Transport.DOT, endpoint, name=""), NAME) == (PUBLIC,)


async def test_another_ones_certificate_gives_nothing(tmp_path: Path) -> None:
    authority = Authority(tmp_path, name="other.example")
    async with serving(answer, authority.server) as endpoint, asking(authority.ca_file) as ctx:
        assert await lookup(ctx, over(Transport.DOT, endpoint), NAME) == ()
        assert last(ctx).failure.code is FailureCode.SSL_INVALID_HOSTNAME
        assert last(ctx).failure.stage is Stage.TLS


async def test_an_end_inside_tls_does_not_heat_the_endpoint(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(close_at_once, authority.server) as endpoint, asking(authority.ca_file) as ctx:
        assert await lookup(ctx, over(Transport.DOT, endpoint), NAME) == ()
        assert last(ctx).failure.code is FailureCode.EOF
        assert ctx.gate.hot == []


async def test_https_answers(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with serving(answer_http(), authority.server) as endpoint, asking(authority.ca_file) as ctx:
        assert await lookup(ctx, over(Transport.DOH, endpoint), NAME) == (PUBLIC,)
        kinds = [type(seen) for seen in ctx.journal.observations]
        assert kinds == [TCPConnect, TLSHandshake, HTTPExchange, DNSLookup]
        assert ctx.journal.observations[1].alpn == "http/1.1"


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (answer_http("404 Not Found"), FailureCode.HTTP_UNEXPECTED_STATUS),
        (answer_http("302 Found"), FailureCode.HTTP_UNEXPECTED_STATUS),
        (answer_http(kind="text/html", body=b"<title>Blocked</title>"), FailureCode.HTTP_UNEXPECTED_CONTENT),
        (answer_http(body=b"garbage that is no DNS message"), FailureCode.DNS_MISBEHAVING),
        (answer_http(body=b""), FailureCode.DNS_MISBEHAVING),
    ],
)
async def test_what_is_no_dns_answer_over_https_is_a_failure(
    tmp_path: Path, behaviour: Behaviour, code: FailureCode
) -> None:
    authority = Authority(tmp_path)
    async with serving(behaviour, authority.server) as endpoint, asking(authority.ca_file) as ctx:
        assert await lookup(ctx, over(Transport.DOH, endpoint), NAME) == ()
        assert last(ctx).failure.code is code


async def test_a_name_that_dns_cannot_carry_opens_no_connection() -> None:
    async with serving(answer) as endpoint, asking() as ctx:
        assert await lookup(ctx, over(Transport.TCP, endpoint), "a..b") == ()
        (seen,) = ctx.journal.observations
        assert seen.failure.code is FailureCode.DNS_NON_RECOVERABLE


async def test_the_steps_of_an_experiment_say_so() -> None:
    async with serving(answer) as endpoint, asking(experiment="resolvers.test.own.1", hop=2) as ctx:
        await lookup(ctx, over(Transport.TCP, endpoint), NAME)
        assert {(seen.experiment, seen.hop) for seen in ctx.journal.observations} == {("resolvers.test.own.1", 2)}
