"""WireGuard's handshake against a responder of a few lines, and any bytes."""

import pytest
from hypothesis import given

from probe.model.errors import ProtocolError, UserError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Send
from probe.protocols.wireguard import SPEC
from probe.protocols.wireguard.noise import encode_tai64n
from tests.dialogues import fixed_entropy, play
from tests.dialogues.hardship import GARBAGE, LARGE, survive
from tests.dialogues.wireguard_client import HANDSHAKE, NOW_NS, PSK, ask, responder


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
