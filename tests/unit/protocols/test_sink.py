"""Bytes that look like nothing, and the same with what filters of such bytes let go."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.lab.censor.payloads import is_fully_encrypted
from probe.model.depth import Depth
from probe.model.errors import ProtocolError
from probe.protocols import load_specs, sink
from probe.protocols.dialogue import Ask
from tests.dialogues import fixed_entropy, play
from tests.dialogues.hardship import GARBAGE, survive


def begin(kind: str = sink.OPAQUE):
    return sink.SPEC.start(Ask(entropy=fixed_entropy(), params={"bytes": kind}))


@pytest.mark.parametrize("kind", [sink.OPAQUE, sink.LETTERS, sink.FEW_BITS])
def test_only_opaque_bytes_are_what_the_filter_looks_for(kind):
    for _ in range(50):
        data = sink.draw(kind, os.urandom)
        assert len(data) == sink.PAYLOAD_BYTES
        assert sink.looks_encrypted(data) is (kind == sink.OPAQUE)
        assert is_fully_encrypted(data) is (kind == sink.OPAQUE), "the laboratory's own filter agrees"


def test_letters_in_front_are_all_that_differs():
    plain, exempt = sink.draw(sink.OPAQUE, fixed_entropy()), sink.draw(sink.LETTERS, fixed_entropy())
    assert plain[6:] == exempt[6:]
    assert exempt[:6].isalpha()


def test_no_other_kind_is_known():
    with pytest.raises(ValueError, match="no bytes are called"):
        sink.draw("sweet", os.urandom)


@given(st.binary(max_size=300))
def test_the_two_readings_of_the_rule_agree(data):
    known = (b"GET ", b"PUT ", b"POST ", b"HEAD ", b"OPTIONS ", b"DELETE ", b"CONNECT ", b"PATCH ", b"TRACE ")
    if not data.startswith(known):
        assert sink.looks_encrypted(data) is is_fully_encrypted(data)


def test_the_sinks_word_is_the_proof_whole_and_byte_by_byte():
    for chunks in ([sink.ANSWER], [bytes((byte,)) for byte in sink.ANSWER]):
        played = play(begin(), chunks)
        assert played.reached == [Depth.HELLO]
        assert played.reply is not None
    assert play(begin(), [sink.ANSWER[:-1], b""]).reply is None
    with pytest.raises(ProtocolError):
        play(begin(), [b"HTTP/1.1 403 Forbidden\r\n"])


@given(GARBAGE)
def test_no_answer_breaks_it(answers):
    survive(begin, answers)


def test_no_target_can_have_it():
    assert "sink" not in load_specs()
