"""STUN, L2TP, QUIC's versions and DTLS against replies made here, cut, too long, and any bytes."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols import dtls, l2tp, quic_hello, stun
from probe.protocols.dialogue import Ask, DialogueSpec
from probe.protocols.engines.dtls import is_hello, split_records
from tests.dialogues import fixed_entropy, play
from tests.dialogues.hardship import GARBAGE, LARGE, bear_datagrams, survive


def begin(spec: DialogueSpec, **given):
    return spec.start(Ask(entropy=fixed_entropy(), host="turn.test", **given))


def first(spec: DialogueSpec) -> bytes:
    return play(begin(spec), []).sent[0].data


def stun_answer(kind: int = 0x0101, attributes: bytes = b"") -> bytes:
    return struct.pack("!HH", kind, len(attributes)) + first(stun.SPEC)[4:20] + attributes


def l2tp_answer(kind: int = 2, tunnel: int | None = None) -> bytes:
    ours = int.from_bytes(first(l2tp.SPEC)[-10:-8], "big")
    avps = ((0, struct.pack("!H", kind)), (7, b"lns.test"), (8, b"them"), (9, b"\x12\x34"), (1, b"\0\2\0\4no"))
    return l2tp.build_control(ours if tunnel is None else tunnel, 0, 1, avps)


def versions_answer(*versions: int) -> bytes:
    ping = first(quic_hello.SPEC)
    swapped = b"\x08" + ping[15:23] + b"\x08" + ping[6:14]
    return b"\x80" + bytes(4) + swapped + struct.pack(f"!{len(versions)}I", *versions)


def test_stun_takes_success_and_error_for_life_and_reads_the_software_alone():
    name = b"Coturn-4.6"
    attributes = struct.pack("!HH", 0x0020, 8) + bytes(8) + struct.pack("!HH", 0x8022, len(name)) + name + bytes(2)
    played = play(begin(stun.SPEC), [None, stun_answer(attributes=attributes)])
    assert played.reached == [Depth.HELLO]
    assert played.reply == stun.Reply(kind="success", software="Coturn-4.6")
    assert played.sent[0].data == played.sent[1].data
    assert play(begin(stun.SPEC), [stun_answer(0x0111)]).reply.kind == "error"
    assert play(begin(stun.SPEC), []).reply is None


@pytest.mark.parametrize("bad", [b"", bytes(20), stun_answer()[:-1] + b"x", stun_answer(0x0001), stun_answer() + b"x"])
def test_what_is_no_answer_to_our_stun_is_nonsense(bad):
    with pytest.raises(ProtocolError):
        stun.parse_binding(bad, first(stun.SPEC)[8:20])


def test_l2tp_is_opened_and_closed_again():
    played = play(begin(l2tp.SPEC), [l2tp_answer()])
    assert played.reached == [Depth.HELLO]
    assert played.reply == l2tp.Reply(kind="accepted", host="lns.test", vendor="them", result=2)
    assert len(played.sent[0].data) == 106
    goodbye = l2tp.parse_control(played.sent[1].data)
    assert (goodbye.tunnel, goodbye.sent, goodbye.received) == (0x1234, 1, 1)
    assert goodbye.avps[0] == b"\0\4"


def test_a_server_that_wants_no_l2tp_tunnel_is_one():
    played = play(begin(l2tp.SPEC), [l2tp_answer(4)])
    assert played.reached == [Depth.HELLO]
    assert played.reply.kind == "refused"
    assert len(played.sent) == 1


def test_an_empty_acknowledgement_of_l2tp_comes_before_the_answer():
    ours = int.from_bytes(first(l2tp.SPEC)[-10:-8], "big")
    assert play(begin(l2tp.SPEC), [l2tp.build_control(ours, 0, 1, ()), l2tp_answer()]).reached == [Depth.HELLO]
    assert play(begin(l2tp.SPEC), []).waits_s == [1.0, 2.0, 4.0, 8.0]


def test_an_answer_to_somebody_elses_tunnel_is_nonsense():
    with pytest.raises(ProtocolError, match="not an answer to ours"):
        play(begin(l2tp.SPEC), [l2tp_answer(tunnel=1)])


def test_quic_versions_are_read_without_the_greased_one():
    played = play(begin(quic_hello.SPEC), [None, versions_answer(1, 0x6B3343CF, 0x7A8A9AAA)])
    assert played.reached == [Depth.HELLO]
    assert played.reply.versions == "00000001 6b3343cf"
    assert [len(sent.data) for sent in played.sent] == [1200, 1200]


def test_a_hello_over_dtls_is_one_flight_resent_by_its_timer_until_patience_ends():
    played = play(begin(dtls.SPEC), [])
    assert played.reply is None
    assert all(sent.data[0] == 22 and len(sent.data) <= 1200 for sent in played.sent)
    assert len(played.waits_s) == 5


def test_a_dtls_alert_is_the_servers_word_and_no_hello():
    alert = bytes((21, 254, 253)) + bytes(8) + b"\0\x02\x02\x28"
    with pytest.raises(ProtocolError, match="handshake fails"):
        play(begin(dtls.SPEC), [alert])


def test_records_of_dtls_are_told_apart():
    record = bytes((22, 254, 253)) + bytes(8) + b"\0\x03abc"
    assert split_records(record * 3) == [record] * 3
    assert is_hello(bytes((22, 254, 253)) + bytes(8) + b"\0\x01\x03")
    with pytest.raises(ProtocolError):
        is_hello(b"HTTP/1.1 400 Bad Request")


def test_links_of_dtls_know_their_params():
    assert dtls.parse("dtls://turn.test").port == 5349
    assert dict(dtls.parse("dtls://turn.test:443?insecure=1").params) == {"insecure": "1"}
    with pytest.raises(ValueError, match="unknown colour"):
        dtls.parse("dtls://turn.test?colour=red")


@pytest.mark.parametrize(
    ("spec", "answer"),
    [(stun.SPEC, stun_answer()), (l2tp.SPEC, l2tp_answer()), (quic_hello.SPEC, versions_answer(1))],
)
def test_every_cut_of_an_answer_is_borne(spec, answer):
    bear_datagrams(lambda: begin(spec), answer)


def test_a_flood_is_borne_by_dtls():
    for data in LARGE:
        survive(lambda: begin(dtls.SPEC), [data] * 100)
        survive(lambda data=data: begin(dtls.SPEC), [bytes((22, 254, 253)) + data] * 100)


@given(st.sampled_from([stun.SPEC, l2tp.SPEC, quic_hello.SPEC, dtls.SPEC]), GARBAGE)
def test_any_datagrams_are_borne(spec, answers):
    survive(lambda: begin(spec), answers)


@given(st.binary(max_size=100))
def test_any_control_message_of_l2tp_is_read_or_refused(data):
    with contextlib.suppress(ProtocolError):
        assert l2tp.parse_control(data).avps is not None


@given(st.binary(max_size=120))
def test_any_record_after_the_head_is_borne_by_openssl(data):
    survive(lambda: begin(dtls.SPEC), [bytes((22, 254, 253)) + bytes(8) + len(data).to_bytes(2, "big") + data] * 3)
