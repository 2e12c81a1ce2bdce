"""Questions for QUIC versions: the bytes, their answers, and whatever else may come."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.model.observation import QUICStage
from probe.protocols.quic_ping import build_ping, parse_long_header, parse_versions

THEIRS, OURS = bytes(range(8)), bytes(range(8, 16))


def negotiate(*versions: int, destination: bytes = OURS, source: bytes = THEIRS, first: int = 0x80) -> bytes:
    head = bytes((first,)) + bytes(4) + bytes((len(destination),)) + destination + bytes((len(source),)) + source
    return head + struct.pack(f"!{len(versions)}I", *versions)


def test_the_question_is_a_first_packet_of_nobodys_version():
    ping = build_ping(THEIRS, OURS)
    assert len(ping) == 1200
    header = parse_long_header(ping)
    assert header.version & 0x0F0F0F0F == 0x0A0A0A0A
    assert (header.destination, header.source) == (THEIRS, OURS)


def test_the_answer_lists_versions_with_the_ids_exchanged():
    assert parse_versions(negotiate(1, 0x6B3343CF), THEIRS, OURS) == (1, 0x6B3343CF)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        negotiate(),
        negotiate(1)[:-1],
        negotiate(1, destination=THEIRS),
        negotiate(1, source=OURS),
        b"\x40" + negotiate(1)[1:],
        negotiate(1)[:12],
        build_ping(OURS, THEIRS),
    ],
)
def test_what_is_no_answer_to_this_question_is_refused(answer):
    with pytest.raises(ProtocolError):
        parse_versions(answer, THEIRS, OURS)


@pytest.mark.parametrize(
    ("first", "version", "stage"),
    [
        (0xC0, 1, QUICStage.INITIAL),
        (0xF0, 1, QUICStage.RETRY),
        (0xE0, 1, QUICStage.INITIAL),
        (0xC0, 0x6B3343CF, QUICStage.RETRY),
        (0xD0, 0x6B3343CF, QUICStage.INITIAL),
        (0xC0, 0, QUICStage.VERSIONS),
    ],
)
def test_how_far_a_server_is_can_be_read_from_outside(first, version, stage):
    data = bytes((first,)) + version.to_bytes(4, "big") + b"\x00\x00rest"
    assert parse_long_header(data).stage is stage


def test_a_long_id_may_stand_in_a_negotiation_alone():
    long_id = bytes(40)
    assert parse_long_header(negotiate(1, destination=long_id)).destination == long_id
    with pytest.raises(ProtocolError):
        parse_long_header(b"\xc0\x00\x00\x00\x01\x28" + bytes(60))


@given(st.binary(max_size=120))
def test_any_bytes_are_versions_or_a_protocol_error(data):
    with contextlib.suppress(ProtocolError):
        assert parse_versions(data, data[6:14], data[15:23])


@given(st.integers(min_value=0, max_value=40))
def test_a_negotiation_cut_anywhere_is_a_shorter_list_or_an_error(length):
    whole = negotiate(1, 2, 3)
    with contextlib.suppress(ProtocolError):
        assert parse_versions(whole[:length], THEIRS, OURS) == (1, 2, 3)[: (length - len(negotiate())) // 4]
