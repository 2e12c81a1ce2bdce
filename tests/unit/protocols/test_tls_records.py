"""Record framing, both from real handshakes and from any bytes."""

import contextlib
import functools
import ssl
import struct

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.model.observation import TLSStage
from probe.protocols.tls.records import (
    RETRY_RANDOM,
    Record,
    RecordReader,
    ServerHello,
    is_hello_retry,
    parse_server_hello,
    split_messages,
)
from probe.protocols.tls.transcript import Reading, Transcript


def frame(kind: int, body: bytes) -> bytes:
    return struct.pack("!BHH", kind, 0x0303, len(body)) + body


def hello_body(random: bytes = bytes(32), version: int = 0x0304) -> bytes:
    extensions = struct.pack("!HHHHHH", 51, 2, 29, 43, 2, version)
    return (
        b"\x03\x03"
        + random
        + b"\x20"
        + bytes(32)
        + b"\x13\x02"
        + b"\x00"
        + struct.pack("!H", len(extensions))
        + extensions
    )


def message(kind: int, body: bytes) -> bytes:
    return bytes((kind,)) + len(body).to_bytes(3, "big") + body


@functools.cache
def handshake(curve: str, maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> tuple[tuple[bool, bytes], ...]:
    """Return the flights of a real handshake: (sent by the client, bytes)."""
    authority = trustme.CA()
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.set_ecdh_curve(curve)
    server_context.maximum_version = maximum
    authority.issue_cert("a.test").configure_cert(server_context)
    client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client_context)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    from_server, from_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, from_client, server_hostname="a.test")
    server = server_context.wrap_bio(to_server, from_server, server_side=True)
    flights: list[tuple[bool, bytes]] = []
    for _ in range(4):
        for sent, side, out, into in ((True, client, from_client, to_server), (False, server, from_server, to_client)):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
            if data := out.read():
                flights.append((sent, data))
                into.write(data)
    return tuple(flights)


def read(flights: tuple[tuple[bool, bytes], ...], size: int = 0) -> Reading:
    transcript = Transcript()
    for sent, data in flights:
        step = size or len(data) or 1
        for at in range(0, len(data), step):
            (transcript.sent if sent else transcript.received)(data[at : at + step])
    return transcript.read()


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_any_chunks_are_records_or_garbled_and_never_an_error(chunks: list[bytes]) -> None:
    reader = RecordReader()
    for chunk in chunks:
        assert all(isinstance(record, Record) for record in reader.feed(chunk))


@given(st.binary(max_size=120))
def test_any_bytes_are_a_server_hello_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert isinstance(parse_server_hello(data), ServerHello)


@given(st.binary(max_size=200), st.integers(0, 120))
def test_a_server_hello_cut_and_followed_by_anything_is_read_or_refused(tail: bytes, cut: int) -> None:
    with contextlib.suppress(ProtocolError):
        parse_server_hello(hello_body()[:cut] + tail)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=60)), max_size=8))
def test_any_transcript_gives_a_stage(flights: list[tuple[bool, bytes]]) -> None:
    reading = read(tuple(flights))
    received = b"".join(data for sent, data in flights if not sent)
    assert (reading.stage is TLSStage.NOTHING) == (not received)
    assert (reading.stage is TLSStage.GARBAGE) == bool(reading.first_bytes)


@given(st.binary(max_size=60))
def test_messages_are_cut_without_losing_a_byte(data: bytes) -> None:
    messages, rest = split_messages(data)
    assert b"".join(message(kind, body) for kind, body in messages) + rest == data


@given(st.lists(st.tuples(st.sampled_from([20, 21, 22, 23, 24]), st.binary(max_size=300)), max_size=6), st.data())
def test_records_are_the_same_however_they_are_cut(records: list[tuple[int, bytes]], data: st.DataObject) -> None:
    stream = b"".join(frame(kind, body) for kind, body in records)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=5)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    whole, cut = RecordReader(), RecordReader()
    expected = whole.feed(stream)
    assert [record for piece in pieces for record in cut.feed(piece)] == expected
    assert [(record.type, record.length) for record in expected] == [(kind, len(body)) for kind, body in records]
    assert (whole.alert, whole.handshake, whole.garbled) == (cut.alert, cut.handshake, cut.garbled)


@pytest.mark.parametrize("curve", ["prime256v1", "secp384r1"])
def test_a_real_handshake_is_read_whole_and_byte_by_byte(curve: str) -> None:
    flights = handshake(curve)
    whole = read(flights)
    assert whole == read(flights, 1)
    assert whole.stage is TLSStage.SERVER_HELLO
    assert whole.version == "TLSv1.3"
    assert whole.hello_retry
    assert [record.type for record in whole.records][:2] == [22, 22]
    assert sum(5 + record.length for record in whole.records) == sum(len(data) for _, data in flights)


def test_a_handshake_without_retry_is_not_taken_for_one() -> None:
    reading = read(handshake("X25519"))
    assert not reading.hello_retry
    assert reading.stage is TLSStage.SERVER_HELLO


def test_tls_1_2_says_its_version_without_an_extension() -> None:
    assert read(handshake("X25519", ssl.TLSVersion.TLSv1_2)).version == "TLSv1.2"


def test_a_real_server_flight_cut_at_every_length_reaches_the_right_stage() -> None:
    (_, hello), (_, flight), *_ = handshake("X25519")
    needed = 5 + int.from_bytes(flight[3:5], "big")
    for length in range(len(flight) + 1):
        reading = read(((True, hello), (False, flight[:length])))
        if length == 0:
            assert reading.stage is TLSStage.NOTHING
        elif length < needed:
            assert reading.stage is TLSStage.PARTIAL
        else:
            assert reading.stage is TLSStage.SERVER_HELLO


@pytest.mark.parametrize(
    ("received", "stage"),
    [
        (b"", TLSStage.NOTHING),
        (b"\x16", TLSStage.PARTIAL),
        (b"\x16\x03\x03", TLSStage.PARTIAL),
        (frame(21, b"\x02\x28"), TLSStage.ALERT),
        (frame(21, b"\x02"), TLSStage.PARTIAL),
        (frame(22, message(0, b"")), TLSStage.PARTIAL),
        (frame(22, message(0, b"") + message(2, hello_body())), TLSStage.SERVER_HELLO),
        (frame(22, message(2, hello_body())[:30]), TLSStage.PARTIAL),
        (frame(22, message(2, hello_body())[:30]) + frame(21, b"\x02\x28"), TLSStage.ALERT),
        (frame(22, message(2, b"\x03\x03")), TLSStage.GARBAGE),
        (frame(22, message(11, b"")), TLSStage.GARBAGE),
        (frame(23, bytes(20)), TLSStage.GARBAGE),
        (b"HTTP/1.1 400", TLSStage.GARBAGE),
        (b"\x80\x2e\x01", TLSStage.GARBAGE),
        (b"\x16\x02\x00\x00\x04", TLSStage.GARBAGE),
        (b"\x16\x03\x01\xff\xff", TLSStage.GARBAGE),
    ],
)
def test_the_stage_follows_from_what_was_received(received: bytes, stage: TLSStage) -> None:
    for size in (0, 1):
        reading = read(((True, frame(22, b"hello")), (False, received)), size)
        assert reading.stage is stage
        assert reading.first_bytes == (received[:64] if stage is TLSStage.GARBAGE else b"")


def test_an_encrypted_alert_is_not_read_as_a_clear_one() -> None:
    flight = frame(22, message(2, hello_body(version=0x0303))) + frame(20, b"\x01") + frame(21, bytes(26))
    reading = read(((False, flight),))
    assert reading.alert is None
    assert reading.stage is TLSStage.SERVER_HELLO


def test_the_last_clear_alert_counts() -> None:
    assert read(((False, frame(21, b"\x01\x70") + frame(21, b"\x02\x28")),)).alert == (2, 40)


def test_a_retry_is_known_by_its_random() -> None:
    first = frame(22, message(2, hello_body(RETRY_RANDOM)))
    assert is_hello_retry(first)
    assert not is_hello_retry(frame(22, message(2, hello_body())))
    assert all(not is_hello_retry(first[:length]) for length in range(11 + 32))
    transcript = Transcript()
    for at in range(len(first)):
        transcript.received(first[at : at + 1])
    assert transcript.hello_retry


def test_a_transcript_keeps_a_bounded_part_of_an_endless_answer() -> None:
    transcript = Transcript()
    for _ in range(1000):
        transcript.received(frame(22, bytes(16384)))
    assert transcript.received_bytes == 1000 * 16389
    assert len(transcript.read().records) < 20
