"""A tunnel whose handshake draws the session here: never while it is up on this host, and one address after another."""

import asyncio
import base64

import msgspec

from probe.checks import CHECKS
from probe.model.depth import Depth
from probe.model.failure import FailureCode
from probe.model.observation import DialogueExchange
from probe.model.target import CheckName, SecretRef, Target
from tests.dialogues.wireguard_server import Responder, public
from tests.fakes import make_context
from tests.unit.checks.world import open_world, seen

SERVER, CLIENT = bytes(range(1, 33)), bytes(range(60, 92))
TARGET = Target(
    id="t",
    check=CheckName.VPN,
    address="wireguard://x",
    host="two.test",
    port=51820,
    params={
        "protocol": "wireguard", "public_key": base64.b64encode(public(SERVER)).decode(), "address": "10.99.98.97/32",
    },
    secrets={"private_key": SecretRef(source="file:/nowhere")},
)  # fmt: skip


class Server(asyncio.DatagramProtocol):
    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        self.transport.sendto(self.responder.answer(data), addr)


async def run(target: Target, responder: Responder):
    loop = asyncio.get_running_loop()
    async with open_world(two_test=["127.0.0.1", "127.0.0.2"]) as world:
        first, _ = await loop.create_datagram_endpoint(lambda: Server(responder), local_addr=("127.0.0.1", 0))
        port = first.get_extra_info("sockname")[1]
        second, _ = await loop.create_datagram_endpoint(lambda: Server(responder), local_addr=("127.0.0.2", port))
        try:
            secrets = {"private_key": base64.b64encode(CLIENT)}
            ctx = make_context(world.stack, families=(4,), hold_s=0.01, secrets_of=lambda _: secrets)
            await CHECKS[CheckName.VPN](msgspec.structs.replace(target, port=port), ctx)
            return seen(ctx, DialogueExchange)
        finally:
            first.close()
            second.close()


async def test_each_address_is_spoken_to_in_turn_with_growing_timestamps() -> None:
    responder = Responder(SERVER, public(CLIENT))
    exchanges = await run(TARGET, responder)
    assert [exchange.depth for exchange in exchanges] == [Depth.AUTH, Depth.AUTH]
    assert exchanges[0].t_s <= exchanges[1].t0_s
    assert len(responder.stamps) == 2
    assert responder.stamps[0] < responder.stamps[1]


async def test_a_tunnel_that_is_up_here_is_left_alone_and_the_reason_given() -> None:
    responder = Responder(SERVER, public(CLIENT))
    params = {**TARGET.params, "address": "fd00::7/128,127.0.0.1/8"}
    exchanges = await run(msgspec.structs.replace(TARGET, params=params), responder)
    assert responder.stamps == []
    assert {exchange.failure.code for exchange in exchanges} == {FailureCode.CREDENTIALS_MISSING}
    assert "up on this host" in exchanges[0].failure.detail
