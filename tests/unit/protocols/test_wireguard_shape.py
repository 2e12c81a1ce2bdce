"""WireGuard in disguise: AmneziaWG's decoys, words and paddings, and WARP's reserved bytes."""

import contextlib
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Send
from probe.protocols.wireguard import SPEC
from probe.protocols.wireguard.shape import make_decoy, read_shape
from tests.dialogues import fixed_entropy, play
from tests.dialogues.wireguard_client import AMNEZIA, HANDSHAKE, WORDS, ask, responder


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


@given(st.dictionaries(st.sampled_from(sorted(AMNEZIA)), st.text(max_size=12)))
def test_any_shape_is_one_or_an_error(params):
    with contextlib.suppress(ValueError):
        assert read_shape(params).words
