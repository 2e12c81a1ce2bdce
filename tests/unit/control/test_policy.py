"""What a control refuses to do for others, wherever the request to do it comes from."""

import asyncio
import ipaddress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.control.outbound import OutboundGate
from probe.control.policy import Policy
from probe.model.control import ControlRequest
from probe.model.endpoint import Endpoint
from probe.model.experiment import Traffic
from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup, HTTPExchange, TCPConnect
from probe.model.target import CheckName
from tests.unit.checks.world import PAGE
from tests.unit.control.place import HEADERS, Place, open_place
from tests.unit.control.test_measure import measure, of

STRICT = Policy(ports=frozenset({80, 443}))
PRIVATE = (
    "127.0.0.1",
    "10.1.2.3",
    "192.168.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "::1",
    "fe80::1",
    "fd00::1",
    "fec0::1",
)
MAPPED = (
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2002:0A00:0001::1",
    "2001:0:a00:1::1",
    "2606:2800:220:1::1%eth0",
)
NUMBERS = ("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0x7f.1", "127.0.0.1.")


@pytest.mark.parametrize("address", PRIVATE + MAPPED + NUMBERS + ("224.0.0.1", "255.255.255.255", "nonsense", ""))
def test_no_private_address_may_be_dialled(address: str) -> None:
    assert STRICT.refuses(Endpoint(address=address, port=443))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1"])
def test_public_addresses_may_be_dialled_on_the_allowed_ports(address: str) -> None:
    assert STRICT.refuses(Endpoint(address=address, port=443)) == ""
    assert STRICT.refuses(Endpoint(address=address, port=22)) == "port 22 is not measured here"


def test_a_network_of_a_laboratory_may_be_allowed() -> None:
    policy = Policy(networks=(ipaddress.ip_network("10.0.0.0/8"),))
    assert policy.refuses(Endpoint(address="10.1.1.1", port=443)) == ""
    assert policy.refuses(Endpoint(address="192.168.1.1", port=443))


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="127.0.0.0/8"))
def test_private_networks_are_refused_whatever_the_address(address: ipaddress.IPv4Address) -> None:
    assert STRICT.refuses_address(str(address))
    assert STRICT.refuses_address(f"::ffff:{address}")


async def ask_strictly(place: Place, request: ControlRequest) -> tuple[int, bytes]:
    status, body, _ = await place.ask("POST", "/api/v1/measure", data=encode(request), headers=HEADERS)
    return status, body


def encode(request: ControlRequest) -> bytes:
    return msgspec.json.encode(request)


async def test_a_name_that_leads_into_the_controls_own_network_is_looked_up_but_not_dialled() -> None:
    async with open_place(names={"evil.test": ["127.0.0.1"]}, policy=STRICT) as place:
        answer = await measure(place, host="evil.test", port=80)
        assert [type(seen) for seen in answer.observations] == [DNSLookup]


async def test_a_name_that_is_public_at_first_and_private_when_dialled_again_is_refused_at_the_dial() -> None:
    """DNS rebinding: what counts is the address that is dialled, not the one that was looked at."""
    gate = OutboundGate(STRICT, 10)
    await gate.ask(Traffic.CONNECT, Endpoint(address="93.184.216.34", port=80), "x")
    with pytest.raises(PermissionError):
        await gate.ask(Traffic.CONNECT, Endpoint(address="127.0.0.1", port=80), "x")
    assert (gate.in_flight, gate.refused_total) == (1, 1)


async def test_a_redirect_to_a_name_that_leads_into_the_controls_own_network_is_not_followed() -> None:
    allowed = ipaddress.ip_network("127.0.0.1/32")
    async with open_place(names={"a.test": ["127.0.0.1"], "inside.test": ["127.0.0.2"]}) as probing:
        inside = await probing.world.serve(probing.world.answer(PAGE), "127.0.0.2")
        ports = frozenset(range(1, 65536))
        async with open_place(names=probing.world.names, policy=Policy(ports=ports, networks=(allowed,))) as place:
            moved = f"HTTP/1.1 302 Found\r\nLocation: http://inside.test:{inside}/secret\r\nContent-Length: 0\r\n\r\n"
            first = await place.world.serve(place.world.answer(moved.encode()), "127.0.0.1")
            answer = await measure(place, host="a.test", port=first)
            assert place.view.gate.refused_total == 1
        assert probing.world.requests == []
    assert [(seen.hop, seen.status) for seen in of(answer, HTTPExchange)] == [(0, 302)]
    (refused,) = (seen for seen in of(answer, TCPConnect) if seen.hop == 1)
    assert refused.failure is not None
    assert refused.failure.code is FailureCode.PERMISSION_DENIED


async def test_a_redirect_to_another_port_is_not_followed() -> None:
    async with open_place(names={"a.test": ["127.0.0.1"]}) as probing:
        other = await probing.world.serve(probing.world.answer(PAGE))
        moved = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{other}/\r\nContent-Length: 0\r\n\r\n"
        first = await probing.world.serve(probing.world.answer(moved.encode()))
        policy = Policy(ports=frozenset({first}), networks=(ipaddress.ip_network("127.0.0.0/8"),))
        async with open_place(names=probing.world.names, policy=policy) as place:
            answer = await measure(place, host="a.test", port=first)
            assert place.view.gate.refused_total == 1
    assert [seen.status for seen in of(answer, HTTPExchange)] == [302]


async def test_a_port_that_is_not_measured_is_said_so() -> None:
    async with open_place(policy=STRICT) as place:
        request = ControlRequest(check=CheckName.TCP, host="a.test", port=22)
        assert await ask_strictly(place, request) == (403, b'{"error":"port 22 is not measured here"}')


async def test_private_addresses_that_the_client_saw_are_left_out() -> None:
    async with open_place(policy=STRICT) as place:
        answer = await measure(place, check=CheckName.TCP, host="none.test", port=80, addresses=PRIVATE[:4])
        assert of(answer, TCPConnect) == []


async def test_a_private_resolver_of_the_client_is_not_asked() -> None:
    async with open_place(policy=STRICT) as place:
        answer = await measure(place, check=CheckName.DNS, host="a.test", port=53, addresses=("127.0.0.1",))
    assert {seen.resolver.system for seen in of(answer, DNSLookup)} == {True}


async def test_cancelled_while_waiting_for_a_socket_leaves_no_trace() -> None:
    gate = OutboundGate(None, 1)
    place = Endpoint(address="93.184.216.34", port=80)
    first = await gate.ask(Traffic.CONNECT, place, "a")
    waiting = asyncio.create_task(gate.ask(Traffic.CONNECT, place, "b"))
    behind = asyncio.create_task(gate.ask(Traffic.CONNECT, place, "c"))
    await asyncio.sleep(0)
    gate.release(first)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    gate.release(await behind)
    assert gate.in_flight == 0
