"""WireGuard's inside: an echo through the tunnel, a volume, and what comes has a name."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from probe.model.verdict import Depth
from probe.protocols.dialogue import Send
from probe.protocols.icmp_echo import compute_checksum
from probe.protocols.inner_echo import build_echo, name_packet
from probe.protocols.wireguard import SPEC
from probe.protocols.wireguard.tunnel import choose_inner
from tests.dialogues import play
from tests.dialogues.wireguard_client import HANDSHAKE, ask, responder
from tests.dialogues.wireguard_server import Responder


def test_an_echo_goes_through_the_tunnel_and_what_comes_is_named():
    server = responder()

    def serve(sent: list[Send]) -> bytes:
        if len(sent) == 1:
            return server.answer(sent[0].data)
        request = server.open_data(sent[-1].data)
        assert compute_checksum(request[:20]) == 0
        assert request[16:20] == bytes((10, 0, 0, 1))
        echo = request[:12] + request[16:20] + request[12:16] + b"\0" + request[21:]
        return server.data(sent[0].data[4:8], echo)

    played = play(SPEC.start(ask(deepest=Depth.DATA)), serve)
    assert played.reached == [*HANDSHAKE, Depth.DATA]
    assert played.reply.inner == "echo reply"


def test_a_server_that_routes_no_echo_proves_the_tunnel_by_its_sign_of_life():
    server = responder()

    def serve(sent: list[Send]) -> bytes | None:
        if len(sent) == 1:
            return server.answer(sent[0].data)
        return server.data(sent[0].data[4:8], b"") if len(sent) == 4 else None

    played = play(SPEC.start(ask(deepest=Depth.DATA)), serve)
    assert played.reached[-1] is Depth.DATA
    assert played.reply.inner == "keepalive"
    assert sum(played.waits_s[-3:]) > 10


def test_a_tunnel_that_carries_nothing_stops_at_the_login():
    server = responder()
    played = play(
        SPEC.start(ask(deepest=Depth.DATA)), lambda sent: server.answer(sent[0].data) if len(sent) == 1 else None
    )
    assert played.reached == HANDSHAKE
    assert played.reply is None


def echo_until(server: Responder, most_bytes: int):
    """Answer the handshake, then echoes until so many bytes came through."""
    carried = heard = 0
    waiting: list[bytes] = []

    def serve(sent: list[Send]) -> bytes | None:
        nonlocal carried, heard
        for one in sent[heard:]:
            if heard == 0:
                waiting.append(server.answer(one.data))
            elif carried < most_bytes:
                request = server.open_data(one.data)
                carried += len(request)
                echo = request[:12] + request[16:20] + request[12:16] + b"\0" + request[21:]
                waiting.append(server.data(sent[0].data[4:8], echo))
            heard += 1
        return waiting.pop(0) if waiting else None

    return serve


def test_a_volume_goes_through_a_few_packets_at_a_time():
    played = play(SPEC.start(ask(deepest=Depth.VOLUME)), echo_until(responder(), 1 << 20))
    assert played.reached == [*HANDSHAKE, Depth.DATA, Depth.VOLUME]
    assert played.reply.carried_bytes >= 65536
    assert max(len(sent.data) for sent in played.sent) <= 1232
    assert 55 < len(played.sent) < 70


def test_a_tunnel_that_freezes_after_some_packets_stops_at_the_data():
    played = play(SPEC.start(ask(deepest=Depth.VOLUME)), echo_until(responder(), 16384))
    assert played.reached == [*HANDSHAKE, Depth.DATA]
    assert played.reply is None
    assert len(played.sent) < 30


@given(st.binary(max_size=80), st.integers(0, 65535))
def test_any_inner_packet_has_a_name(packet, identifier):
    assert name_packet(packet, identifier)


def test_an_echo_over_ipv6_has_a_right_checksum():
    own, there = ipaddress.ip_address("fd00::2"), ipaddress.ip_address("fd00::1")
    packet = build_echo(own, there, 7, 1)
    pseudo = packet[8:40] + len(packet[40:]).to_bytes(4, "big") + bytes((0, 0, 0, 58))
    assert compute_checksum(pseudo + packet[40:]) == 0


def test_whom_the_echo_goes_to():
    def named(address: str, ping: str = "") -> tuple[str, ...] | None:
        found = choose_inner(address, ping)
        return None if found is None else tuple(map(str, found))

    assert named("10.0.0.7/16") == ("10.0.0.7", "10.0.0.1")
    assert named("10.0.0.7/32") == ("10.0.0.7", "10.0.0.1")
    assert named("fd00::7/128, 10.0.0.7/32", "10.9.9.9") == ("10.0.0.7", "10.9.9.9")
    assert named("10.0.0.7/32,fd00::7/128", "fd00::53") == ("fd00::7", "fd00::53")
    assert named("") is None
