"""The client against a real control on loopback, and against what stands in its way."""

import asyncio
import contextlib
import datetime
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from probe.control.certificates import build_server_context, hash_certificate, make_certificate
from probe.control.client import ControlClient
from probe.model.control import ControlKind, ControlRequest
from probe.model.errors import UserError
from probe.model.observation import HTTPExchange, TCPConnect, TLSHandshake
from probe.model.settings import ControlSettings
from probe.model.target import CheckName, SecretRef
from tests.unit.checks.world import PAGE, keep_silent, reset
from tests.unit.control.place import TOKEN, Place, free_port, open_place

NOW = datetime.datetime.now(datetime.UTC)
FROM_ENV = SecretRef(source="env:WALLPROBE_TOKEN")
ENVIRON = {"WALLPROBE_TOKEN": TOKEN}
NAMES = {"a.test": ["127.0.0.1"]}


def client_of(place: Place, *controls: ControlSettings, **fields: Any) -> ControlClient:
    settings = controls or (ControlSettings(url=place.url, name="fra-1", token=FROM_ENV),)
    return ControlClient(settings, place.world.stack, environ=ENVIRON, families=(4,), **fields)


@contextlib.asynccontextmanager
async def page_behind(**fields: Any) -> AsyncIterator[tuple[Place, ControlRequest]]:
    async with open_place(names=NAMES, **fields) as place:
        port = await place.world.serve(place.world.answer(PAGE))
        yield place, ControlRequest(check=CheckName.WEB, host="a.test", port=port, secure=False, families=(4,))


def self_signed(folder: Path) -> tuple[Any, str]:
    certificate, key = make_certificate("fra-1", NOW)
    (folder / "c.pem").write_bytes(certificate)
    (folder / "k.pem").write_bytes(key)
    context = build_server_context(folder / "c.pem", folder / "k.pem", "", required=False)
    return context, hash_certificate(certificate.decode())


async def test_a_report_holds_what_the_control_saw() -> None:
    async with page_behind(asn=64496, country="DE") as (place, request):
        client = client_of(place)
        report = await client.ask(request)
        assert client.health() == {"fra-1": True}
        await client.close()
    assert (report.control, report.answered, report.asn, report.country) == ("fra-1", True, 64496, "DE")
    assert [seen.status for seen in report.observations if isinstance(seen, HTTPExchange)] == [200]


async def test_an_answer_is_kept_until_it_is_too_old_or_knows_too_few_addresses() -> None:
    async with page_behind() as (place, request):
        client = client_of(place)
        first = await client.ask(request)
        kept = await client.ask(request)
        assert (first.age_s, kept.age_s > 0, kept.asked_at) == (0, True, first.asked_at)
        assert len(place.world.requests) == 1
        await client.ask(request, max_age_s=0)
        await client.ask(msgspec.structs.replace(request, addresses=("127.0.0.2",)))
        assert len(place.world.requests) == 3


async def test_another_control_is_one_that_was_not_heard_and_its_answer_is_not_kept_for_others() -> None:
    async with page_behind() as (place, request):
        one, two = (ControlSettings(url=place.url, name=name, token=FROM_ENV) for name in ("fra-1", "nyc-1"))
        client = client_of(place, one, two)
        other = await client.ask_another(request, {"fra-1"})
        assert other is not None
        assert (other.control, other.answered) == ("nyc-1", True)
        assert client.find_kept(request, 60.0) is None
        assert await client.ask_another(request, {"fra-1", "nyc-1"}) is None
        await client.close()


async def test_the_same_question_at_the_same_time_is_asked_once_and_outlives_one_asker() -> None:
    async with page_behind() as (place, request):
        client = client_of(place)
        impatient = asyncio.create_task(client.ask(request))
        patient = asyncio.create_task(client.ask(request))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).answered
        assert len(place.world.requests) == 1
        await client.close()


async def test_a_pinned_control_is_believed_without_a_name_or_an_authority(tmp_path: Path) -> None:
    context, pin = self_signed(tmp_path)
    async with page_behind(tls=context) as (place, request):
        url = f"https://127.0.0.1:{place.port}"
        client = client_of(place, ControlSettings(url=url, token=FROM_ENV, pin=pin))
        assert (await client.ask(request)).failure == ""


async def test_another_certificate_than_the_pinned_one_is_a_finding_and_gets_no_token(tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path)
    async with page_behind(tls=context) as (place, request):
        url = f"https://127.0.0.1:{place.port}"
        client = client_of(place, ControlSettings(url=url, token=FROM_ENV, pin="00" * 32))
        report = await client.ask(request)
        assert not place.server.api.stats().requests
    assert (report.failure, report.unreachable) == ("tls: another certificate than the pinned one", True)
    assert any(isinstance(seen, TLSHandshake) for seen in report.way)


async def test_without_a_pin_an_unknown_authority_is_a_finding(tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path)
    async with page_behind(tls=context) as (place, request):
        client = client_of(place, ControlSettings(url=f"https://127.0.0.1:{place.port}", token=FROM_ENV))
        report = await client.ask(request)
    assert (report.failure, report.unreachable) == ("tls: ssl_unknown_authority", True)


async def test_the_authority_of_a_control_may_be_given_as_a_file(tmp_path: Path) -> None:
    context, _ = self_signed(tmp_path)
    async with page_behind(tls=context) as (place, request):
        place.world.names["fra-1"] = ["127.0.0.1"]
        settings = ControlSettings(url=f"https://fra-1:{place.port}", token=FROM_ENV, ca_file=str(tmp_path / "c.pem"))
        assert (await client_of(place, settings).ask(request)).failure == ""


async def test_a_closed_a_reset_and_an_unknown_control_are_findings() -> None:
    async with page_behind() as (place, request):
        broken = await place.world.serve(reset)
        found = {}
        for url in (f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{broken}", "http://none.test"):
            report = await client_of(place, ControlSettings(url=url)).ask(request)
            assert report.unreachable
            assert report.way
            found[url] = report.failure
        assert list(found.values()) == [
            "connect: connection_refused",
            "http: connection_reset",
            "resolve: dns_nxdomain_error",
        ]


async def test_the_next_control_is_asked_when_the_first_fails_and_the_first_is_left_alone_for_a_while() -> None:
    async with page_behind() as (place, request):
        dead = ControlSettings(url=f"http://127.0.0.1:{free_port()}", name="dead")
        client = client_of(place, dead, ControlSettings(url=place.url, name="alive", token=FROM_ENV))
        report = await client.ask(request)
        assert (report.control, report.tried) == ("alive", ("dead: connect: connection_refused",))
        assert client.health() == {"dead": False, "alive": True}
        again = await client.ask(request, max_age_s=0)
        assert again.tried == ()


async def test_when_all_controls_rest_the_last_failure_is_told_at_once() -> None:
    async with page_behind() as (place, request):
        client = client_of(place, ControlSettings(url=f"http://127.0.0.1:{free_port()}", name="dead"))
        assert (await client.ask(request)).way
        report = await client.ask(request)
    assert (report.failure, report.way) == ("connect: connection_refused", ())


async def test_a_refusal_is_told_with_its_reason_and_is_not_held_against_the_control() -> None:
    async with open_place() as place:
        client = client_of(place, ControlSettings(url=place.url, name="fra-1", token=FROM_ENV))
        report = await client.ask(ControlRequest(check=CheckName.WEB, host="a b", port=80))
        assert client.health() == {"fra-1": True}
    assert report.failure.startswith("http: status 400, host is no name")
    assert not report.unreachable


async def test_a_wrong_token_is_told() -> None:
    async with page_behind() as (place, request):
        client = ControlClient(
            (ControlSettings(url=place.url, token=FROM_ENV),), place.world.stack, environ={"WALLPROBE_TOKEN": "no"}
        )
        assert (await client.ask(request)).failure == "http: status 401, a token is needed"


async def test_a_token_file_is_read_when_it_is_used(tmp_path: Path) -> None:
    secret = SecretRef(source=f"file:{tmp_path / 'token'}")
    async with page_behind() as (place, request):
        client = client_of(place, ControlSettings(url=place.url, token=secret))
        assert (await client.ask(request)).failure == "token: No such file or directory"
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        assert (await client_of(place, ControlSettings(url=place.url, token=secret)).ask(request)).answered


async def test_nonsense_from_a_control_is_a_finding() -> None:
    async with page_behind() as (place, request):
        port = await place.world.serve(place.world.answer(PAGE))
        report = await client_of(place, ControlSettings(url=f"http://127.0.0.1:{port}")).ask(request)
    assert report.failure.startswith("http: not an answer of a control")


async def test_no_control_is_a_report_too() -> None:
    async with page_behind() as (place, request):
        client = ControlClient((), place.world.stack, environ={})
        assert not client
        assert (await client.ask(request)).failure == "no control is configured"


async def test_an_unusable_certificate_is_told_at_start(tmp_path: Path) -> None:
    async with page_behind() as (place, _):
        with pytest.raises(UserError, match=r"control\.cert_file"):
            client_of(
                place, ControlSettings(url=place.url, cert_file=str(tmp_path / "x"), key_file=str(tmp_path / "y"))
            )


async def test_a_helper_of_oonis_is_asked_in_its_own_words() -> None:
    async with page_behind() as (place, request):
        settings = ControlSettings(url=place.url, kind=ControlKind.OONI, token=FROM_ENV)
        report = await client_of(place, settings).ask(msgspec.structs.replace(request, addresses=("127.0.0.1",)))
    assert report.kind is ControlKind.OONI
    assert [seen.failure for seen in report.observations if isinstance(seen, TCPConnect)] == [None]
    (page,) = (seen for seen in report.observations if isinstance(seen, HTTPExchange))
    assert (page.status, page.title, page.body_bytes, page.endpoint.address) == (200, "Ok", 18, "127.0.0.1")


async def test_a_helper_of_oonis_is_not_asked_for_anything_but_pages() -> None:
    async with page_behind() as (place, request):
        client = client_of(place, ControlSettings(url=place.url, name="th", kind=ControlKind.OONI))
        report = await client.ask(msgspec.structs.replace(request, check=CheckName.TCP))
    assert report.tried == ("th: an OONI test helper measures web pages only",)
    assert report.failure == "no control can be asked this"


async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """Carry bytes both ways until either side ends."""
    there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(4096):
                sink.write(data)
                await sink.drain()
        sink.close()

    await asyncio.gather(carry(reader, there_writer), carry(there_reader, writer))


async def test_a_control_is_reached_through_a_socks5_proxy_which_resolves_its_name() -> None:
    async with page_behind() as (place, request):
        heard = []

        async def socks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.append(await reader.readexactly(3))
            writer.write(b"\x05\x00")
            head = await reader.readexactly(5)
            heard.append(await reader.readexactly(head[4] + 2))
            writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
            await tunnel(reader, writer, place.port)

        proxy = await place.world.serve(socks)
        settings = ControlSettings(
            url=f"http://control.test:{place.port}", token=FROM_ENV, proxy=f"socks5://127.0.0.1:{proxy}"
        )
        report = await client_of(place, settings).ask(request)
    assert report.failure == ""
    assert heard[1] == b"control.test" + place.port.to_bytes(2)


async def test_a_control_is_reached_through_an_http_proxy_with_tls_inside(tmp_path: Path) -> None:
    context, pin = self_signed(tmp_path)
    async with page_behind(tls=context) as (place, request):
        asked = []

        async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await tunnel(reader, writer, place.port)

        proxy = await place.world.serve(connect)
        settings = ControlSettings(
            url=f"https://control.test:{place.port}", token=FROM_ENV, pin=pin, proxy=f"http://127.0.0.1:{proxy}"
        )
        report = await client_of(place, settings).ask(request)
    assert report.failure == ""
    assert asked[0].startswith(f"CONNECT control.test:{place.port} HTTP/1.1\r\n".encode())


async def test_a_proxy_that_will_not_connect_is_a_finding() -> None:
    async with page_behind() as (place, request):
        proxy = await place.world.serve(place.world.answer(b"HTTP/1.1 403 Forbidden\r\n\r\n"))
        settings = ControlSettings(url=place.url, proxy=f"http://127.0.0.1:{proxy}")
        report = await client_of(place, settings).ask(request)
    assert (report.failure, report.unreachable) == ("proxy: the proxy could not connect: 403", True)


async def test_a_control_that_says_nothing_is_a_finding() -> None:
    async with page_behind() as (place, request):
        port = await place.world.serve(keep_silent)
        client = client_of(place, ControlSettings(url=f"http://127.0.0.1:{port}"))
        task = asyncio.create_task(client.ask(request))
        await asyncio.sleep(0.1)
        await client.close()
        assert (await asyncio.gather(task, return_exceptions=True))[0].__class__ is asyncio.CancelledError


async def test_while_one_cannot_be_reached_the_next_is_asked_and_what_the_first_comes_to_is_noted() -> None:
    async with page_behind() as (place, request):
        mute = await place.world.serve(keep_silent)
        settings = (
            ControlSettings(url=f"https://127.0.0.1:{mute}", name="mute", token=FROM_ENV),
            ControlSettings(url=place.url, name="fra-1", token=FROM_ENV),
        )
        client = client_of(place, *settings, reached_within_s=0.1)
        report = await client.ask(request)
        assert (report.control, report.tried) == ("fra-1", ("mute: not reached within 0.1 s",))
        await client.close()


async def test_one_that_was_reached_has_the_time_that_a_measurement_takes() -> None:
    async with page_behind() as (place, request):
        slow = await place.world.serve(keep_silent)
        settings = (
            ControlSettings(url=f"http://127.0.0.1:{slow}", name="slow"),
            ControlSettings(url=place.url, name="fra-1", token=FROM_ENV),
        )
        client = client_of(place, *settings, reached_within_s=0.05)
        asking = asyncio.create_task(client.ask(request))
        await asyncio.sleep(0.3)
        assert not asking.done()
        assert not place.world.requests
        asking.cancel()
        await client.close()


async def test_the_only_one_is_waited_for_however_long_it_takes_to_be_reached() -> None:
    async with page_behind() as (place, request):
        client = client_of(place, reached_within_s=0.0)
        assert (await client.ask(request)).answered


async def test_a_proxy_that_is_down_is_named_and_not_the_control() -> None:
    async with page_behind() as (place, request):
        settings = ControlSettings(
            url=place.url, name="fra-1", token=FROM_ENV, proxy=f"socks5://127.0.0.1:{free_port()}"
        )
        report = await client_of(place, settings).ask(request)
    assert (report.failure, report.unreachable) == ("proxy: connect: connection_refused", True)
