"""A server behind `web.config_file`: who gets in, who gets what answer, and what happens when files change."""

import asyncio
import base64
import logging
import os
import ssl
from pathlib import Path

import bcrypt
import pytest
import trustme

from probe.model.errors import UserError
from probe.model.settings import WebSettings
from probe.web.protection import Protection, TokenBucket
from probe.web.server import WebServer, start_web
from probe.web.web_config import RateLimit
from tests.unit.web.fakes import FakeAgent

HASH = bcrypt.hashpw(b"open sesame", bcrypt.gensalt(4)).decode()
USERS = f"basic_auth_users: {{prometheus: '{HASH}'}}\n"
PAIR = "cert_file: cert.pem, key_file: key.pem"
MUTUAL = f"{PAIR}, client_ca_file: ca.pem, client_auth_type: RequireAndVerifyClientCert"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def issue(authority: trustme.CA, folder: Path) -> None:
    """Put a new certificate into place as a careful tool does: renamed, key first."""
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "key.new")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.new")
    for name in ("key", "cert"):
        os.replace(folder / f"{name}.new", folder / f"{name}.pem")


async def start(folder: Path, text: str, *, open_health: bool = False) -> WebServer:
    path = folder / "web.yml"
    path.write_text(text)
    settings = WebSettings(listen=("127.0.0.1:0",), config_file=str(path), open_health=open_health)
    return await start_web(FakeAgent(), settings, {})


async def ask(
    server: WebServer,
    path: str = "/-/healthy",
    password: str = "",
    context: ssl.SSLContext | None = None,
    host: str = "localhost",
) -> tuple[int, str]:
    """Return status and head of an answer."""
    port = int(server.addresses[0].rpartition(":")[2])
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=context, server_hostname="localhost" if context else None
    )
    proof = base64.b64encode(f"prometheus:{password}".encode()).decode()
    authorization = f"Authorization: Basic {proof}\r\n" if password else ""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{authorization}Connection: close\r\n\r\n".encode())
    head = (await reader.read()).decode().partition("\r\n\r\n")[0]
    writer.close()
    if not head:
        raise ConnectionResetError("nothing came")
    return int(head.split(" ")[1]), head


def trusting(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    if names:
        authority.issue_cert(*names).configure_cert(context)
    return context


PATHS = ("/", "/metrics", "/probe", "/-/healthy", "/-/ready", "/-/reload", "/api/v1/targets", "/nothing")


@pytest.mark.parametrize("path", PATHS)
async def test_nothing_is_served_without_the_password(tmp_path, path):
    server = await start(tmp_path, USERS)
    try:
        status, head = await ask(server, path)
        assert (status, "WWW-Authenticate: Basic " in head) == (401, True)
        assert (await ask(server, path, "wrong"))[0] == 401
        assert (await ask(server, path, "open sesame"))[0] not in (401, 429)
    finally:
        await server.close()


async def test_health_is_open_by_option_and_nothing_else_is(tmp_path):
    server = await start(tmp_path, USERS, open_health=True)
    try:
        assert [(await ask(server, path))[0] for path in ("/-/healthy", "/-/ready")] == [200, 200]
        closed = ("/metrics", "/-/reload", "/-/healthy/", "//-/healthy", "/-/healthy/../metrics")
        assert {(await ask(server, path))[0] for path in closed} == {401}
    finally:
        await server.close()


async def test_the_rate_is_limited_before_anybody_is_asked_for_a_password(tmp_path):
    server = await start(tmp_path, USERS + "rate_limit: {interval: 1h, burst: 2}\n")
    try:
        answers = [await ask(server, "/metrics", "wrong") for _ in range(2)] + [await ask(server, "/", "open sesame")]
        assert [status for status, _ in answers] == [401, 401, 429]
        assert "Retry-After: " in answers[2][1]
    finally:
        await server.close()


async def test_headers_of_the_file_win_and_ours_stay(tmp_path):
    text = "http_server_config: {headers: {X-Frame-Options: sameorigin, Strict-Transport-Security: max-age=60}}\n"
    server = await start(tmp_path, text)
    try:
        _, head = await ask(server, "/metrics")
        assert "X-Frame-Options: sameorigin" in head
        assert "Strict-Transport-Security: max-age=60" in head
        assert "X-Content-Type-Options: nosniff" in head
    finally:
        await server.close()


async def test_a_name_of_ours_may_lead_to_loopback_where_a_certificate_vouches_for_it(tmp_path, authority):
    issue(authority, tmp_path)
    plain, secure = (
        await start(tmp_path, ""),
        await start(tmp_path, "tls_server_config: {cert_file: cert.pem, key_file: key.pem}"),
    )
    try:
        assert (await ask(plain, host="vantage.example"))[0] == 421
        assert (await ask(secure, host="vantage.example", context=trusting(authority)))[0] == 200
    finally:
        await plain.close()
        await secure.close()


async def test_only_a_client_with_a_certificate_that_bears_an_allowed_name_gets_in(tmp_path, authority):
    issue(authority, tmp_path)
    server = await start(tmp_path, f"tls_server_config: {{{MUTUAL}, client_allowed_sans: [prometheus.example]}}\n")
    try:
        assert (await ask(server, context=trusting(authority, "prometheus.example")))[0] == 200
        for context in (trusting(authority), trusting(authority, "other.example")):
            with pytest.raises((OSError, ssl.SSLError)):
                await ask(server, context=context)
        stranger = trusting(authority)
        trustme.CA().issue_cert("prometheus.example").configure_cert(stranger)
        with pytest.raises((OSError, ssl.SSLError)):
            await ask(server, context=stranger)
    finally:
        await server.close()


async def test_certificates_rotate_while_a_connection_stays(tmp_path, authority, caplog):
    issue(authority, tmp_path)
    server = await start(tmp_path, f"tls_server_config: {{{PAIR}}}\n")
    port = int(server.addresses[0].rpartition(":")[2])

    async def serial() -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=trusting(authority), server_hostname="localhost"
        )
        return writer.get_extra_info("peercert")["serialNumber"], reader, writer

    try:
        first, reader, writer = await serial()
        (tmp_path / "key.pem").write_text("half written")
        with caplog.at_level(logging.ERROR, "wallprobe"):
            await asyncio.sleep(2.5)
        assert (await serial())[0] == first
        assert len([one for one in caplog.records if "stays" in one.getMessage()]) == 1
        issue(authority, tmp_path)
        for _ in range(100):
            await asyncio.sleep(0.1)
            if (await serial())[0] != first:
                break
        else:
            pytest.fail("the old certificate is still shown")
        writer.write(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert await reader.readuntil(b"healthy.\n")
        writer.close()
    finally:
        await server.close()


async def test_users_change_with_the_file_and_cannot_be_dropped_by_a_slip(tmp_path):
    path = tmp_path / "web.yml"
    path.write_text(USERS)
    protection = Protection(str(path))
    path.write_text("rate_limit: {interval: 1s, burst: 5}\n")
    assert not await protection.look()
    assert "prometheus" in protection.config.basic_auth_users
    path.write_text(USERS.replace("prometheus", "grafana"))
    await protection.look()
    assert list(protection.config.basic_auth_users) == ["grafana"]
    protection.close()


@pytest.mark.parametrize(
    ("text", "opens"),
    [("", False), ("rate_limit: {interval: 1s}", False), (USERS, True)],
    ids=["nothing", "a rate", "users"],
)
async def test_a_file_that_protects_nothing_opens_no_door_beyond_loopback(tmp_path, text, opens):
    path = tmp_path / "web.yml"
    path.write_text(text)
    settings = WebSettings(listen=("0.0.0.0:0",), config_file=str(path))
    if not opens:
        with pytest.raises(UserError, match="without protection"):
            await start_web(FakeAgent(), settings, {})
        return
    await (await start_web(FakeAgent(), settings, {})).close()


def test_a_bucket_lets_a_burst_through_and_then_one_at_a_time():
    bucket = TokenBucket(RateLimit(interval="2s", burst=3))
    assert [bucket.take(100.0) for _ in range(4)] == [0.0, 0.0, 0.0, 2.0]
    assert bucket.take(101.0) == 1.0
    assert bucket.take(102.5) == 0.0
    assert [bucket.take(1000.0) for _ in range(4)] == [0.0, 0.0, 0.0, 2.0]
    assert TokenBucket(RateLimit()).take(1.0) == 0.0
