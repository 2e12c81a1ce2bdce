"""A control greets a tunnel's server over UDP with what holds nobody's keys, and goes no further."""

import contextlib
import ipaddress
from collections.abc import AsyncIterator

import pytest

from probe.checks.vpn import find_greeting
from probe.control.hello_answers import Hello
from probe.control.hello_ports import HelloPorts
from probe.control.outbound import OutboundGate
from probe.control.policy import Policy
from probe.control.wire import encode, parse_request
from probe.model.control import GREETINGS, ControlRequest
from probe.model.depth import Depth
from probe.model.errors import ProtocolError
from probe.model.failure import FailureCode
from probe.model.observation import DialogueExchange
from probe.model.target import CheckName, Target
from probe.net.context import TooSoon
from tests.unit.control.place import open_place
from tests.unit.control.test_measure import measure, of

LOCAL = Policy(ports=frozenset(range(1, 65536)), networks=(ipaddress.ip_network("127.0.0.0/8"),))


@contextlib.asynccontextmanager
async def serving(hello: Hello, port: int) -> AsyncIterator[None]:
    ports = HelloPorts({hello: port}, ("127.0.0.1",))
    await ports.start()
    try:
        yield
    finally:
        await ports.close()


def tunnel(protocol: str, **params: str) -> Target:
    return Target(
        id="t", check=CheckName.VPN, address="", host="192.0.2.1", port=1194, params={"protocol": protocol} | params
    )


@pytest.mark.parametrize("hello", [Hello.OPENVPN, Hello.IKEV2])
async def test_a_server_that_answers_is_heard_as_far_as_its_hello(hello: Hello, unused_tcp_port: int) -> None:
    async with serving(hello, unused_tcp_port), open_place(policy=LOCAL) as place:
        asked = {"check": CheckName.VPN, "host": "127.0.0.1", "port": unused_tcp_port, "greeting": hello.value}
        (seen,) = of(await measure(place, **asked), DialogueExchange)
        assert (seen.depth, seen.failure, seen.protocol) == (Depth.HELLO, None, hello.value)
        assert seen.endpoint.port == unused_tcp_port
        (again,) = of(await measure(place, **asked), DialogueExchange)
        assert again.failure is not None
        assert again.failure.code is FailureCode.TOO_SOON, "whoever asks, a server is greeted once in a while"


async def test_a_server_that_has_nothing_to_say_is_silence(unused_tcp_port: int) -> None:
    async with serving(Hello.WIREGUARD, unused_tcp_port), open_place(policy=LOCAL) as place:
        answer = await measure(
            place, check=CheckName.VPN, host="127.0.0.1", port=unused_tcp_port, greeting="openvpn", timeout_s=0.5
        )
        (seen,) = of(answer, DialogueExchange)
        assert seen.failure is not None
        assert seen.failure.code is FailureCode.TIMEOUT


async def test_no_private_network_is_greeted() -> None:
    async with open_place(policy=Policy()) as place:
        answer = await measure(place, check=CheckName.VPN, host="127.0.0.1", port=1194, greeting="openvpn")
        assert not of(answer, DialogueExchange)


def test_only_a_tunnel_is_greeted_and_only_in_a_protocol_whose_greeting_holds_no_key() -> None:
    for check, greeting in (
        (CheckName.VPN, ""),
        (CheckName.VPN, "wireguard"),
        (CheckName.VPN, "shadowsocks"),
        (CheckName.TCP, "openvpn"),
    ):
        request = ControlRequest(check=check, host="192.0.2.1", port=1194, greeting=greeting)
        with pytest.raises(ProtocolError, match="greeting goes with check vpn"):
            parse_request(encode(request))
    assert parse_request(encode(ControlRequest(check=CheckName.VPN, host="192.0.2.1", port=1194, greeting="ikev2")))


def test_a_target_whose_first_packet_needs_a_key_is_never_handed_out() -> None:
    assert find_greeting(tunnel("openvpn", proto="udp")) == "openvpn"
    assert find_greeting(tunnel("ikev2")) == "ikev2"
    for target in (
        tunnel("openvpn", proto="tcp"),
        tunnel("openvpn", proto="udp", wrap="tls-crypt"),
        tunnel("openvpn", proto="udp", wrap="tls-auth"),
        tunnel("wireguard"),
        tunnel("shadowsocks", method="aes-256-gcm", proto="udp"),
        tunnel("hysteria2"),
    ):
        assert find_greeting(target) == ""
    assert "wireguard" not in GREETINGS


async def test_the_gate_forgets_whom_it_greeted_longest_ago_and_reserves_no_counters() -> None:
    gate = OutboundGate(None, 1)
    await gate.claim_handshake("openvpn 192.0.2.1:1194", 60.0, 0.0)
    with pytest.raises(TooSoon):
        await gate.claim_handshake("openvpn 192.0.2.1:1194", 60.0, 0.0)
    await gate.claim_handshake("openvpn 192.0.2.2:1194", 60.0, 0.0)
    for number in range(10_000):
        await gate.claim_handshake(f"openvpn 192.0.2.3:{number}", 60.0, 0.0)
    await gate.claim_handshake("openvpn 192.0.2.1:1194", 60.0, 0.0)
    with pytest.raises(PermissionError):
        await gate.reserve("tai64n", 0, 16)
