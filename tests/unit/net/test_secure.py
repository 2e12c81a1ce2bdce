"""TLS handshakes with loopback servers that mean well, and with certificates that do not hold."""

import socket
import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from probe.model.failure import FailureCode
from probe.model.observation import TLSHandshake, TLSStage
from probe.net.connect import connect
from probe.net.context import Context
from probe.net.secure import secure
from probe.net.stack import Stack
from tests.unit.net.misbehaving import (
    NAME,
    relay,
    serving,
    stay_silent,
    tls_context,
    tls_server,
)
from tests.unit.net.shaking import code_of, is_hot, shake

# What works


@pytest.mark.parametrize("follows", [False, True])
async def test_a_good_server_is_verified_and_then_speaks(ctx: Context, follows: bool) -> None:
    context = tls_context(NAME)
    context.set_alpn_protocols(["http/1.1"])
    with serving(tls_server(context)) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            stream = await secure(ctx, channel, server_name=NAME, request_follows=follows)
            assert stream is not None
            deadline_s = ctx.stack.clock.boot_s() + 2
            await stream.send(b"GET", deadline_s)
            assert await stream.receive(100, deadline_s) == b"hello"
            assert await stream.receive(100, deadline_s) == b""
            assert stream.endpoint == endpoint
            assert stream.rtt_s == channel.rtt_s
            assert stream.bytes_sent > 517
            assert stream.bytes_received > 517
    seen = ctx.journal.observations[-1]
    assert isinstance(seen, TLSHandshake)
    assert seen.failure is None
    assert seen.verified
    assert (seen.stage, seen.ending, seen.version, seen.alpn) == (TLSStage.DONE, None, "TLSv1.3", "http/1.1")
    assert seen.server_name == NAME
    assert seen.cipher.startswith("TLS_")
    assert seen.hello_bytes > 200
    assert seen.chain[0][:1] == b"\x30"
    assert seen.records == ()
    assert seen.bytes_acked is None
    assert not seen.hello_retry
    assert seen.root_store == "file root.pem, 1 root"
    assert seen.bytes_sent >= seen.hello_bytes
    assert seen.bytes_received > 500
    assert not is_hot(ctx)


async def test_a_last_flight_held_for_the_request_goes_out_when_the_caller_listens_instead(ctx: Context) -> None:
    def greet(peer: socket.socket) -> None:
        with tls_context(NAME).wrap_socket(peer, server_side=True) as secured:
            secured.sendall(b"220 ready")
            stay_silent(secured)

    with serving(greet) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            stream = await secure(ctx, channel, server_name=NAME, request_follows=True)
            assert stream is not None
            assert await stream.receive(100, ctx.stack.clock.boot_s() + 2) == b"220 ready"


async def test_large_bodies_pass_both_ways_and_limits_hold(ctx: Context) -> None:
    body = bytes(range(256)) * 4000

    def echo_back(peer: socket.socket) -> None:
        with tls_context(NAME).wrap_socket(peer, server_side=True) as secured:
            got = b""
            while len(got) < len(body):
                got += secured.recv(65536)
            secured.sendall(got)
            stay_silent(secured)

    with serving(echo_back) as endpoint:
        async with connect(ctx, endpoint) as channel:
            assert channel is not None
            stream = await secure(ctx, channel, server_name=NAME)
            assert stream is not None
            deadline_s = ctx.stack.clock.boot_s() + 10
            await stream.send(body, deadline_s)
            got = b""
            while len(got) < len(body):
                piece = await stream.receive(5000, deadline_s)
                assert 0 < len(piece) <= 5000
                got += piece
    assert got == body


async def test_a_tls_1_2_server_works(ctx: Context) -> None:
    context = tls_context(NAME)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    seen = await shake(ctx, tls_server(context))
    assert seen.version == "TLSv1.2"
    assert seen.verified


async def test_a_server_that_asks_for_another_key_share_is_seen_doing_so(ctx: Context) -> None:
    context = tls_context(NAME)
    context.set_ecdh_curve("secp384r1")
    seen = await shake(ctx, tls_server(context))
    assert seen.failure is None
    assert seen.hello_retry
    assert seen.bytes_sent > 2 * seen.hello_bytes


@pytest.mark.parametrize("size", [1, 7, 100])
async def test_a_server_that_sends_a_few_bytes_at_a_time_is_understood(ctx: Context, size: int) -> None:
    context = tls_context(NAME)
    context.set_ecdh_curve("secp384r1")
    seen = await shake(ctx, relay(context, size, 0.0))
    assert seen.verified
    assert seen.hello_retry


async def test_no_name_is_sent_when_none_is_given_and_another_is_verified(ctx: Context) -> None:
    names: list[str | None] = []
    context = tls_context(NAME)
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    seen = await shake(ctx, tls_server(context), server_name="", verify_name=NAME)
    assert seen.server_name == ""
    assert seen.verified
    seen = await shake(ctx, tls_server(context), server_name="neutral.test", verify_name=NAME)
    assert seen.server_name == "neutral.test"
    assert seen.verified
    assert names == [None, "neutral.test"]


async def test_an_address_is_verified_and_never_sent(ctx: Context) -> None:
    names: list[str | None] = []
    context = tls_context("127.0.0.1")
    context.sni_callback = lambda _sock, name, _context: names.append(name)
    for arguments in ({"server_name": "127.0.0.1"}, {"server_name": ""}):
        seen = await shake(ctx, tls_server(context), **arguments)
        assert seen.verified
        assert seen.server_name == ""
    assert names == [None, None]
    seen = await shake(ctx, tls_server(tls_context("127.0.0.2")), server_name="127.0.0.1")
    assert code_of(seen) is FailureCode.SSL_INVALID_HOSTNAME


async def test_a_neutral_name_completes_without_verification(ctx: Context) -> None:
    seen = await shake(ctx, tls_server(tls_context("other.test", ca=trustme.CA())), verify=False)
    assert seen.failure is None
    assert seen.stage is TLSStage.DONE
    assert not seen.verified
    assert seen.root_store == ""
    assert len(seen.chain) == 1


async def test_alpn_is_offered_as_asked(ctx: Context) -> None:
    context = tls_context(NAME)
    context.set_alpn_protocols(["h2"])
    assert (await shake(ctx, tls_server(context), alpn=("h2", "http/1.1"))).alpn == "h2"
    seen = await shake(ctx, tls_server(context), alpn=())
    assert (seen.alpn, seen.alpn_offered) == ("", ())


# A certificate that is not trusted


async def test_an_unknown_issuer_keeps_the_chain_and_heats_nothing(ctx: Context) -> None:
    foreign = trustme.CA().create_child_ca()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = tls_context(NAME, ca=foreign)
        context.maximum_version = version
        seen = await shake(ctx, tls_server(context))
        assert code_of(seen) is FailureCode.SSL_UNKNOWN_AUTHORITY
        assert len(seen.chain) == 2
        assert seen.verify_code in (19, 20)
        assert seen.verify_message
        assert (seen.stage, seen.ending, seen.verified) == (TLSStage.SERVER_HELLO, None, False)
        assert seen.version == ("TLSv1.2" if version is ssl.TLSVersion.TLSv1_2 else "TLSv1.3")
        assert seen.records[-1].sent
        assert seen.records[-1].type == 21
    assert not is_hot(ctx)


async def test_an_expired_certificate_is_invalid(ctx: Context) -> None:
    seen = await shake(ctx, tls_server(tls_context(NAME, not_after=datetime.now(UTC) - timedelta(days=1))))
    assert code_of(seen) is FailureCode.SSL_INVALID_CERTIFICATE
    assert seen.verify_code == 10
    assert seen.chain


@pytest.mark.parametrize("arguments", [{}, {"server_name": ""}, {"server_name": "", "verify_name": NAME}])
async def test_a_wrong_name_is_an_invalid_hostname(ctx: Context, arguments: dict[str, str]) -> None:
    seen = await shake(ctx, tls_server(tls_context("other.test")), **arguments)
    assert code_of(seen) is FailureCode.SSL_INVALID_HOSTNAME
    assert seen.verify_code in (62, 64)
    assert seen.chain
    assert not seen.verified
    assert not is_hot(ctx)


async def test_contexts_are_shared_between_handshakes(ctx: Context) -> None:
    stack: Stack = ctx.stack
    before = stack.trust.contexts_made
    for _ in range(3):
        await shake(ctx, tls_server(tls_context(NAME)))
    assert stack.trust.contexts_made == before
