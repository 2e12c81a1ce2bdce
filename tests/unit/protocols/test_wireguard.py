"""WireGuard against a responder of a few lines, files and links as people have them, and any bytes."""

import base64
import contextlib
import dataclasses
import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Send
from probe.protocols.icmp_echo import compute_checksum
from probe.protocols.inner_echo import build_echo, name_packet
from probe.protocols.wireguard import SPEC, config
from probe.protocols.wireguard.noise import encode_tai64n
from probe.protocols.wireguard.shape import make_decoy, read_shape
from probe.protocols.wireguard.tunnel import choose_inner
from tests.dialogues import fixed_entropy, play
from tests.dialogues.hardship import GARBAGE, LARGE, survive
from tests.dialogues.wireguard_server import Responder, public

SERVER, CLIENT, PSK = bytes(range(1, 33)), bytes(range(60, 92)), bytes(range(100, 132))
NOW_NS = 1_790_000_000_123_456_789
HANDSHAKE = [Depth.HELLO, Depth.PROOF, Depth.AUTH]
AMNEZIA = {"jc": "3", "jmin": "10", "jmax": "50", "s1": "15", "s2": "20", "s3": "5", "s4": "7"} | {
    "h1": "1000001", "h2": "2000002", "h3": "3000003", "h4": "4000004",
}  # fmt: skip
WORDS = (1000001, 2000002, 3000003, 4000004)


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def ask(*, deepest: Depth = Depth.PROOF, psk: bytes = b"", **params: str) -> Ask:
    return Ask(
        entropy=fixed_entropy(),
        params={"public_key": text(public(SERVER)), "address": "10.0.0.2/24"} | params,
        secrets={"private_key": text(CLIENT).encode()} | ({"preshared_key": text(psk).encode()} if psk else {}),
        stamps=NOW_NS,
        deepest=deepest,
    )


def responder(psk: bytes = bytes(32), words: tuple[int, ...] = (1, 2, 3, 4)) -> Responder:
    return Responder(SERVER, public(CLIENT), psk, words)


def test_an_answer_proves_both_sides_at_once():
    server = responder()
    played = play(SPEC.start(ask()), lambda sent: server.answer(sent[-1].data))
    assert played.reached == HANDSHAKE
    assert played.reply.answer == "response"
    assert server.stamps == [encode_tai64n(NOW_NS)]


def test_three_tries_have_fresh_keys_and_growing_stamps_and_then_silence_is_silence():
    server = responder()
    played = play(SPEC.start(ask()), [])
    assert played.reply is None
    assert played.waits_s == [5.0, 5.0, 5.0]
    for sent in played.sent:
        server.answer(sent.data)
    assert server.stamps == [encode_tai64n(NOW_NS + turn) for turn in range(3)]
    assert len({sent.data[8:40] for sent in played.sent}) == 3


def test_a_late_answer_to_an_earlier_try_counts():
    server = responder()
    played = play(SPEC.start(ask()), lambda sent: server.answer(sent[0].data) if len(sent) == 2 else None)
    assert played.reached == HANDSHAKE


def test_the_tai64n_label_has_the_epoch_where_the_specification_puts_it():
    assert encode_tai64n(0) == bytes.fromhex("400000000000000a00000000")
    assert encode_tai64n(1_500_000_001) == bytes.fromhex("400000000000000b1dcd6501")


def test_another_preshared_key_is_a_hello_that_does_not_open():
    server = responder(PSK)
    dialogue = SPEC.start(ask())
    with pytest.raises(ProtocolError, match="do not open"):
        play(dialogue, lambda sent: server.answer(sent[-1].data))
    assert play(SPEC.start(ask(psk=PSK)), lambda sent: server.answer(sent[-1].data)).reached == HANDSHAKE


def test_an_answer_in_the_servers_name_does_not_end_the_wait_for_the_right_one():
    server = responder()

    def serve(sent: list[Send]) -> bytes | None:
        queue.append(1)
        forged = b"\x02\0\0\0" + b"FAKE" + sent[-1].data[4:8] + bytes(80)
        return [b"nonsense", forged, server.answer(sent[-1].data)][min(len(queue) - 1, 2)]

    queue: list[int] = []
    played = play(SPEC.start(ask()), serve)
    assert played.reached == HANDSHAKE
    assert len(played.sent) == 1


def test_a_server_under_load_gets_its_cookie_back_with_the_next_try():
    server = responder()

    def serve(sent: list[Send]) -> bytes | None:
        calls.append(1)
        if len(sent) == 2:
            return server.answer(sent[-1].data)
        return server.cookie(sent[0].data) if len(calls) == 1 else None

    calls: list[int] = []
    played = play(SPEC.start(ask()), serve)
    assert played.reached == HANDSHAKE
    assert server.mac2[0] != bytes(16)


def test_a_server_that_stays_under_load_is_there_all_the_same():
    server = responder()
    played = play(SPEC.start(ask()), lambda sent: server.cookie(sent[-1].data))
    assert played.reached == [Depth.HELLO]
    assert played.reply.answer == "cookie"


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


def test_amnezia_disguises_every_message():
    server = responder(words=WORDS)

    def serve(sent: list[Send]) -> bytes:
        packet = sent[3].data[15:]
        if len(sent) == 4:
            return bytes(20) + server.answer(packet)
        server.open_data(sent[-1].data[7:])
        return bytes(7) + server.data(packet[4:8], b"")

    played = play(SPEC.start(ask(deepest=Depth.DATA, **AMNEZIA)), serve)
    assert played.reached[-1] is Depth.DATA
    assert all(10 <= len(sent.data) <= 50 for sent in played.sent[:3])


def test_type_words_may_be_of_ranges_and_decoys_go_first():
    server = responder(words=(1000001, 2000002, 3000003, 4000004))
    server.words = (1000007, 2000009, 3000003, 4000004)
    asked = ask(h1="1000007-1000007", h2="2000000-2000010", h3="3000003", h4="4000004")
    asked = dataclasses.replace(asked, secrets={**asked.secrets, "i1": b"<b 0xc0ff><r 4><t>", "i2": b"<rd 6>"})
    played = play(SPEC.start(asked), lambda sent: server.answer(sent[-1].data))
    assert played.reached == HANDSHAKE
    first, second, third = (sent.data for sent in played.sent)
    assert first[:2] == b"\xc0\xff"
    assert len(first) == 10
    assert second.isdigit()
    assert len(third) == 148
    look = read_shape({"h1": "5-9"})
    assert {look.word(1, fixed_entropy(bytes([n])))[0] for n in range(64)} == {5, 6, 7, 8, 9}


def test_recipes_of_decoys():
    made = make_decoy("<b 0x0102> <rc 3><rd 2><t><c>", bytes, 258.9)
    assert made == b"\x01\x02aaa00\x00\x00\x01\x02\0\0\0\0"
    for bad in ("", "<q 3>", "<b 0x1>", "<r 99999>", "hello", "<t> and more"):
        with pytest.raises(ValueError, match=r"recipe|hex"):
            make_decoy(bad, bytes, 0.0)


@given(st.text("<>brtcd 0x123ab", max_size=40))
def test_any_recipe_is_a_packet_or_an_error(recipe):
    with contextlib.suppress(ValueError):
        assert make_decoy(recipe, bytes, 0.0)


def test_warp_has_its_reserved_bytes_outside_the_macs():
    server = responder()

    def serve(sent: list[Send]) -> bytes:
        packet = sent[-1].data
        assert packet[1:4] == bytes((7, 8, 9))
        answer = server.answer(packet[:1] + bytes(3) + packet[4:])
        return answer[:1] + bytes((7, 8, 9)) + answer[4:]

    assert play(SPEC.start(ask(reserved="7,8,9")), serve).reached == HANDSHAKE


@pytest.mark.parametrize(
    "params",
    [
        {"h1": "2"},
        {"h2": "9-5"},
        {"h2": "1-9"},
        {"h3": "x"},
        {"jc": "1000"},
        {"s1": "9999"},
        {"reserved": "1,2"},
        {"address": "home"},
    ],
)
def test_settings_that_cannot_be_meant_are_told(params):
    with pytest.raises(UserError):
        play(SPEC.start(ask(**params)), [])


def test_keys_that_are_none_are_told_without_quoting_them():
    for secrets in ({}, {"private_key": b"SECRET"}):
        with pytest.raises(UserError) as caught:
            play(SPEC.start(Ask(entropy=fixed_entropy(), secrets=secrets, stamps=NOW_NS)), [])
        assert "SECRET" not in str(caught.value)


@given(GARBAGE)
def test_any_datagrams_are_borne(answers):
    played = survive(lambda: SPEC.start(ask()), answers)
    assert played is None or not played.reached


def test_every_cut_of_an_answer_and_floods_are_borne():
    server = responder()
    answer = server.answer(play(SPEC.start(ask()), []).sent[0].data)
    for length in range(len(answer)):
        assert survive(lambda length=length: SPEC.start(ask()), [answer[:length]]) is None
    for data in (*LARGE, answer + bytes(65000)):
        assert survive(lambda: SPEC.start(ask()), [data] * 200) is None


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


FILE = f"""
[Interface]   # the laptop
PrivateKey = {text(CLIENT)}
Address = 10.7.0.2/32, fd00::2/128
DNS = 10.7.0.1, example.org
Jc = 4
Jmin = 40
Jmax = 70
I1 = <b 0xc7000000010800><r 8>

[Peer]
PublicKey = {text(public(SERVER))}
PresharedKey = {text(PSK)}
AllowedIPs = 0.0.0.0/0
AllowedIPs = ::/0
Endpoint = vpn.example:51820

[Peer]
PublicKey={text(public(PSK))}
Endpoint = [2001:db8::1]:443
"""


def test_a_file_has_an_endpoint_for_each_peer():
    assert config.is_config(FILE)
    first, second = config.parse_config(FILE)
    assert (first.host, first.port) == ("vpn.example", 51820)
    assert dict(first.params) == {
        "public_key": text(public(SERVER)), "address": "10.7.0.2/32,fd00::2/128", "ping": "10.7.0.1",
        "jc": "4", "jmin": "40", "jmax": "70",
    }  # fmt: skip
    decoy = {"i1": "<b 0xc7000000010800><r 8>"}
    assert dict(first.secrets) == {"private_key": text(CLIENT), "preshared_key": text(PSK)} | decoy
    assert (second.host, second.port) == ("2001:db8::1", 443)
    assert dict(second.secrets) == {"private_key": text(CLIENT)} | decoy


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("Endpoint", "#Endpoint"), "nobody to speak to"),
        ((":51820", ""), "host:port"),
        (("PrivateKey = ", "PrivateKey = x"), "44 characters"),
        (("[Interface]", "PrivateKey = x"), "no `Key = value`"),
        (("Jc = 4", "Jc"), "line 6"),
        (("10.7.0.2/32", "home"), "no IP address"),
    ],
)
def test_a_file_that_is_none_is_told_without_quoting_it(change, what):
    with pytest.raises(ValueError, match=re.escape(what)) as caught:
        config.parse_config(FILE.replace(*change))
    assert text(CLIENT)[:20] not in str(caught.value)


def test_other_files_of_this_ending_are_not_taken():
    assert not config.is_config("[Unit]\nDescription=x\n")
    assert not config.is_config("server { listen 80; }")


def test_a_link_holds_what_a_file_holds():
    key = text(CLIENT).replace("+", "%2B").replace("/", "%2F").replace("=", "%3D")
    server = text(public(SERVER)).replace("+", "%2B")
    link = f"wireguard://{key}@vpn.example?publickey={server}&address=10.0.0.2/32&reserved=1,2,3&mtu=1280#home"
    parsed = config.parse_link(link)
    assert (parsed.host, parsed.port, parsed.label) == ("vpn.example", 51820, "home")
    assert dict(parsed.secrets) == {"private_key": text(CLIENT)}
    assert parsed.params["public_key"] == text(public(SERVER))
    for bad in ("wireguard://vpn.example", link.replace("mtu", "colour"), link.replace(server, "AAAA")):
        with pytest.raises(ValueError, match=r"missing|unknown|44 characters"):
            config.parse_link(bad)


@given(st.text(max_size=200))
def test_any_text_is_a_file_or_an_error(content):
    for whole in (content, FILE + content):
        with contextlib.suppress(ValueError):
            assert config.parse_config(whole)


@given(st.dictionaries(st.sampled_from(sorted(AMNEZIA)), st.text(max_size=12)))
def test_any_shape_is_one_or_an_error(params):
    with contextlib.suppress(ValueError):
        assert read_shape(params).words
