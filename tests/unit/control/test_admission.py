"""Who is let in, how often, and what is told to those who are not."""

import asyncio
import datetime
import ssl
from pathlib import Path

import aiohttp
import msgspec
import pytest
import trustme

from probe.control.certificates import build_server_context, make_certificate
from probe.control.settings import ControlLimits, ControlTls
from probe.control.tokens import Callers, hash_token, make_token, parse_bearer
from probe.model.control import ControlRequest
from probe.model.settings import TokenEntry
from probe.model.target import CheckName
from tests.unit.checks.world import PAGE, keep_silent
from tests.unit.control.place import HEADERS, TOKEN, open_place

BODY = msgspec.json.encode(ControlRequest(check=CheckName.WEB, host="127.0.0.1", port=1, secure=False))


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Bearer"}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}],
)
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/api/v1/measure"), ("GET", "/api/v1/echo"), ("GET", "/metrics"), ("POST", "/")]
)
async def test_without_a_token_nothing_is_done(method: str, path: str, headers: dict[str, str]) -> None:
    async with open_place() as place:
        status, _, answered = await place.ask(method, path, data=BODY, headers=headers)
        assert status == 401
        assert answered["WWW-Authenticate"].startswith("Bearer")
        assert place.server.api.stats().measurements == 0


async def test_health_is_for_everybody() -> None:
    async with open_place() as place:
        assert (await place.ask("GET", "/-/healthy"))[0] == 200


async def test_loopback_is_trusted_only_while_no_token_is_configured_and_only_by_its_own_name() -> None:
    async with open_place(tokens=()) as place:
        assert (await place.ask("POST", "/api/v1/measure", data=BODY))[0] == 200
        rebound = {"Host": "evil.test"}
        assert (await place.ask("POST", "/api/v1/measure", data=BODY, headers=rebound))[0] == 401
        from_a_page = {"Origin": "https://evil.test"}
        assert (await place.ask("POST", "/api/v1/measure", data=BODY, headers=from_a_page))[0] == 401


async def test_who_asks_too_often_is_told_when_to_come_again() -> None:
    entry = TokenEntry(name="home", sha256=hash_token(TOKEN), per_minute=8)
    async with open_place(tokens=(entry,)) as place:
        statuses = [(await place.ask("GET", "/api/v1/echo", headers=HEADERS))[0] for _ in range(2)]
        status, body, headers = await place.ask("GET", "/api/v1/echo", headers=HEADERS)
    assert statuses == [200, 200]
    assert (status, body) == (429, b'{"error":"too many requests with this token"}')
    assert 1 <= int(headers["Retry-After"]) <= 8


async def test_each_token_has_a_budget_of_its_own() -> None:
    tokens = [make_token(), make_token()]
    entries = tuple(TokenEntry(name="x", sha256=hash_token(token), per_minute=1) for token in tokens)
    async with open_place(tokens=entries) as place:
        for token in tokens:
            headers = {"Authorization": f"Bearer {token}"}
            assert (await place.ask("GET", "/api/v1/echo", headers=headers))[0] == 200
            assert (await place.ask("GET", "/api/v1/echo", headers=headers))[0] == 429


async def test_more_measurements_than_there_is_room_for_are_told_to_come_back() -> None:
    async with open_place(limits=ControlLimits(concurrent=2)) as place:
        port = await place.world.serve(keep_silent)
        slow = msgspec.json.encode(ControlRequest(check=CheckName.WEB, host="127.0.0.1", port=port, secure=False))
        answers = await asyncio.gather(
            *(place.ask("POST", "/api/v1/measure", data=slow, headers=HEADERS) for _ in range(5))
        )
        refused = [headers for status, _, headers in answers if status == 503]
        assert sorted(status for status, _, _ in answers) == [200, 200, 503, 503, 503]
        assert all(int(headers["Retry-After"]) > 0 for headers in refused)
        assert place.server.api.stats().in_flight == 0


async def test_figures_tell_how_requests_ended() -> None:
    async with open_place() as place:
        await place.ask("POST", "/api/v1/measure", data=BODY, headers=HEADERS)
        await place.ask("POST", "/api/v1/measure", data=b"x", headers=HEADERS)
        await place.ask("POST", "/api/v1/measure", data=BODY)
        _, page, headers = await place.ask("GET", "/metrics", headers=HEADERS)
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    for outcome in ("answered", "malformed", "unauthorized"):
        line = f'wallprobe_control_requests_total{{interface="native",outcome="{outcome}"}} 1.0'
        assert line in page.decode()


async def test_answers_carry_no_version_and_are_not_kept() -> None:
    async with open_place() as place:
        _, _, headers = await place.ask("GET", "/")
    assert (headers["Server"], headers["Cache-Control"]) == ("wallprobe", "no-store")


@pytest.mark.parametrize("with_tokens", [True, False])
async def test_a_client_certificate_of_the_authority_is_as_good_as_a_token(tmp_path: Path, with_tokens: bool) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate, key = make_certificate("control", datetime.datetime.now(datetime.UTC))
    (tmp_path / "c.pem").write_bytes(certificate)
    (tmp_path / "k.pem").write_bytes(key)
    ca_file = str(tmp_path / "ca.pem")
    server = build_server_context(tmp_path / "c.pem", tmp_path / "k.pem", ca_file, required=not with_tokens)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    fields = {} if with_tokens else {"tokens": ()}
    async with open_place(tls=server, **fields, settings_tls=ControlTls(client_ca_file=ca_file)) as place:
        url = f"https://127.0.0.1:{place.port}/api/v1/echo"
        async with aiohttp.ClientSession() as session:
            if with_tokens:
                async with session.get(url, ssl=client) as response:
                    assert response.status == 401
            else:
                with pytest.raises(aiohttp.ClientError):
                    await session.get(url, ssl=client)
        authority.issue_cert("agent.test").configure_cert(client)
        async with aiohttp.ClientSession() as session, session.get(url, ssl=client) as response:
            assert response.status == 200


async def test_what_is_under_way_ends_before_the_server_goes() -> None:
    async with open_place(names={"a.test": ["127.0.0.1"]}) as place:
        begun = asyncio.Event()

        async def answer_late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            begun.set()
            await asyncio.sleep(0.3)
            writer.write(PAGE)
            writer.close()

        port = await place.world.serve(answer_late)
        body = msgspec.json.encode(ControlRequest(check=CheckName.WEB, host="a.test", port=port, secure=False))
        asking = asyncio.create_task(place.ask("POST", "/api/v1/measure", data=body, headers=HEADERS))
        await begun.wait()
        await place.server.close()
        assert (await asking)[0] == 200


def test_a_token_is_long_and_found_by_its_hash_alone() -> None:
    token = make_token()
    callers = Callers((TokenEntry(name="home", sha256=hash_token(token), per_minute=60),), 60, 0.0)
    found = callers.find(token)
    assert found is not None
    assert found.name == "home"
    assert callers.find(token + "x") is None
    assert callers.find("x" * 10000) is None
    assert callers.find("\udcff") is None


@pytest.mark.parametrize(
    ("header", "token"), [("Bearer abc", "abc"), ("bearer  abc ", "abc"), ("Basic abc", ""), ("Bearer", ""), ("", "")]
)
def test_a_bearer_token_is_read(header: str, token: str) -> None:
    assert parse_bearer(header) == token


def test_strangers_do_not_fill_the_memory() -> None:
    callers = Callers((), 60, 0.0)
    for number in range(5000):
        callers.known_otherwise(str(number), 0.0)
    assert len(callers._by_name) == 1000
