"""The native contract over real sockets: what is asked, what is seen, what is refused."""

import asyncio
import hashlib
import socket
from typing import Any, TypeVar

import msgspec
import pytest

from probe.control import wire
from probe.control.view import Bounds
from probe.model.control import ControlRequest
from probe.model.endpoint import Endpoint
from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup, HTTPExchange, Resolver, Role, TCPConnect, TLSHandshake, Transport
from probe.model.target import CheckName
from probe.net.system_resolver import GivenResolvers
from tests.unit.checks.world import PAGE, keep_silent
from tests.unit.control.place import HEADERS, Place, free_port, open_place

Seen = TypeVar("Seen")


async def measure(place: Place, **fields: Any) -> wire.ControlAnswer:
    given = {"check": CheckName.WEB, "secure": False, "families": (4,)} | fields
    body = msgspec.json.encode(ControlRequest(**given))
    status, answer, _ = await place.ask("POST", "/api/v1/measure", data=body, headers=HEADERS)
    assert status == 200, answer
    return wire.parse_answer(answer)


def of(answer: wire.ControlAnswer, kind: type[Seen]) -> list[Seen]:
    return [seen for seen in answer.observations if isinstance(seen, kind)]


async def test_a_page_over_https_comes_back_as_observations_with_the_chain_and_without_the_long_body() -> None:
    page = b"<title>Long</title>" + b"x" * 5000
    async with open_place(names={"a.test": ["127.0.0.1"]}) as place:
        answers = place.world.answer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX-One: 1\r\n\r\n%b" % (len(page), page))
        port = await place.world.serve(answers, certificate_for=("a.test",))
        answer = await measure(place, host="a.test", port=port, secure=True)
    (lookup,) = of(answer, DNSLookup)
    assert lookup.addresses == ("127.0.0.1",)
    (handshake,) = of(answer, TLSHandshake)
    assert handshake.verified
    assert len(handshake.chain) >= 1
    (exchange,) = of(answer, HTTPExchange)
    assert (exchange.status, exchange.title, exchange.body, exchange.body_bytes) == (200, "Long", b"", len(page))
    assert exchange.body_sha256 == hashlib.sha256(page).hexdigest()
    assert ("X-One", "1") in exchange.headers
    assert {seen.role for seen in answer.observations} == {Role.CONTROL}
    assert (answer.control, answer.cut_short) == ("control", False)


async def test_every_redirect_hop_is_reported() -> None:
    async with open_place(names={"a.test": ["127.0.0.1"], "b.test": ["127.0.0.2"]}) as place:
        port = await place.world.serve(place.world.answer(PAGE), "127.0.0.2")
        moved = f"HTTP/1.1 302 Found\r\nLocation: http://b.test:{port}/there\r\nContent-Length: 0\r\n\r\n"
        first = await place.world.serve(place.world.answer(moved.encode()), "127.0.0.1")
        answer = await measure(place, host="a.test", port=first)
    assert [(seen.hop, seen.status) for seen in of(answer, HTTPExchange)] == [(0, 302), (1, 200)]


async def test_addresses_that_only_the_client_saw_are_dialled_but_give_no_page() -> None:
    async with open_place(names={"a.test": ["127.0.0.1"]}) as place:
        port = await place.world.serve(place.world.answer(PAGE), "127.0.0.1", "127.0.0.2")
        answer = await measure(place, host="a.test", port=port, addresses=("127.0.0.2", "127.0.0.1"))
    assert {seen.endpoint.address for seen in of(answer, TCPConnect)} == {"127.0.0.1", "127.0.0.2"}
    assert [seen.endpoint.address for seen in of(answer, HTTPExchange)] == ["127.0.0.1"]


async def test_a_forged_address_fails_by_its_certificate() -> None:
    async with open_place(names={"a.test": ["127.0.0.1"]}) as place:
        port = await place.world.serve(place.world.answer(PAGE), "127.0.0.1", certificate_for=("a.test",))
        await place.world.serve(place.world.answer(PAGE), "127.0.0.3", port=port, certificate_for=("b.test",))
        answer = await measure(place, host="a.test", port=port, secure=True, addresses=("127.0.0.3",))
    outcomes = {seen.endpoint.address: seen.failure and seen.failure.code for seen in of(answer, TLSHandshake)}
    assert outcomes == {"127.0.0.1": None, "127.0.0.3": FailureCode.SSL_INVALID_HOSTNAME}


async def test_other_server_names_are_sent_to_every_address() -> None:
    async with open_place(names={"a.test": ["127.0.0.1"]}) as place:
        port = await place.world.serve(place.world.answer(PAGE), certificate_for=("a.test",))
        answer = await measure(
            place, check=CheckName.TLS, host="a.test", port=port, server_names=("", "b.test", "a.test")
        )
    assert sorted(seen.server_name for seen in of(answer, TLSHandshake)) == ["", "a.test", "b.test"]
    assert {seen.failure for seen in of(answer, TLSHandshake)} == {None}


async def test_configured_resolvers_are_asked_besides_the_systems() -> None:
    async with open_place(names={"a.test": ["127.0.0.1"]}) as place:
        (system,) = place.world.stack.names.resolvers()
        other = Resolver(transport=Transport.UDP, endpoint=system.endpoint)
        place.view.resolvers = (other,)
        answer = await measure(place, check=CheckName.DNS, host="a.test", port=53, query_type="A")
    lookups = of(answer, DNSLookup)
    assert sorted(seen.resolver.system for seen in lookups) == [False, True]
    assert {seen.addresses for seen in lookups} == {("127.0.0.1",)}


async def test_a_control_whose_own_resolver_is_silent_looks_where_the_others_lead() -> None:
    async with open_place(names={"a.test": ["127.0.0.1"]}) as place:
        port = await place.world.serve(place.world.answer(PAGE), "127.0.0.1")
        (system,) = place.world.stack.names.resolvers()
        place.view.resolvers = (Resolver(transport=Transport.UDP, endpoint=system.endpoint),)
        nobody = Endpoint(address="127.0.0.1", port=free_port(socket.SOCK_DGRAM))
        place.world.stack.names = GivenResolvers((Resolver(transport=Transport.UDP, endpoint=nobody, system=True),))
        answer = await measure(place, host="a.test", port=port)
    assert [seen.failure is None for seen in of(answer, DNSLookup) if seen.resolver.system] == [False]
    assert [seen.status for seen in of(answer, HTTPExchange)] == [200]


async def test_a_name_that_its_own_resolver_denies_is_not_sought_elsewhere() -> None:
    async with open_place(names={}) as place:
        place.view.resolvers = (Resolver(transport=Transport.UDP, endpoint=Endpoint(address="127.0.0.1", port=9)),)
        answer = await measure(place, host="a.test", port=80)
    assert of(answer, TCPConnect) == []


async def test_the_resolver_that_the_client_asked_is_asked_too() -> None:
    async with open_place(names={"a.test": ["127.0.0.1"]}) as place:
        (system,) = place.world.stack.names.resolvers()
        assert system.endpoint is not None
        port = system.endpoint.port
        answer = await measure(place, check=CheckName.DNS, host="a.test", port=port, addresses=("127.0.0.1",))
    assert [seen.resolver.endpoint for seen in of(answer, DNSLookup) if not seen.resolver.system] == [
        Endpoint(address="127.0.0.1", port=port)
    ]


async def test_a_measurement_that_takes_too_long_is_cut_short_and_keeps_what_it_has() -> None:
    async with open_place(names={"a.test": ["127.0.0.1"]}, bounds=Bounds(step_s=10.0, whole_s=2.0)) as place:
        port = await place.world.serve(keep_silent, "127.0.0.1")
        answer = await measure(place, host="a.test", port=port)
        assert place.view.gate.in_flight == 0
    assert answer.cut_short
    assert len(of(answer, TCPConnect)) == 1


async def test_a_name_that_does_not_exist_is_an_answer() -> None:
    async with open_place() as place:
        answer = await measure(place, host="none.test", port=80)
    (lookup,) = answer.observations
    assert lookup.failure is not None
    assert lookup.failure.code is FailureCode.DNS_NXDOMAIN


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"check":"web","host":"a.test"}',
        b'{"check":"nope","host":"a.test","port":80}',
        b'{"check":"web","host":"","port":80}',
        b'{"check":"web","host":"a b","port":80}',
        b'{"check":"web","host":"a.test","port":0}',
        b'{"check":"web","host":"a.test","port":70000}',
        b'{"check":"web","host":"a.test","port":80,"path":"x"}',
        b'{"check":"web","host":"a.test","port":80,"addresses":["b.test"]}',
        b'{"check":"web","host":"a.test","port":80,"families":[5]}',
        b'{"check":"web","host":"a.test","port":80,"timeout_s":-1}',
        b'{"check":"dns","host":"a.test","port":53,"query_type":"AXFR"}',
        b'{"check":"web","host":"a.test","port":80,"addresses":'
        + msgspec.json.encode([f"1.1.1.{number}" for number in range(17)])
        + b"}",
        b"[" * 60000,
    ],
)
async def test_what_is_no_request_is_refused_with_a_reason(body: bytes) -> None:
    async with open_place() as place:
        status, answer, _ = await place.ask("POST", "/api/v1/measure", data=body, headers=HEADERS)
        assert status == 400
        assert msgspec.json.decode(answer)["error"]


async def test_a_request_that_is_too_large_is_refused() -> None:
    async with open_place() as place:
        body = b" " * (wire.MAX_REQUEST_BYTES + 1)
        status, _, _ = await place.ask("POST", "/api/v1/measure", data=body, headers=HEADERS)
    assert status == 413


async def test_many_at_once_are_all_answered_and_leave_nothing_open() -> None:
    async with open_place(names={"a.test": ["127.0.0.1"]}, sockets=5) as place:
        port = await place.world.serve(place.world.answer(PAGE))
        answers = await asyncio.gather(*(measure(place, host="a.test", port=port) for _ in range(40)))
        assert place.view.gate.in_flight == 0
    assert {seen.status for answer in answers for seen in of(answer, HTTPExchange)} == {200}
