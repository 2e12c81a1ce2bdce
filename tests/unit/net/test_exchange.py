"""One exchange against a scripted peer: what is recorded, and that time, memory and bytes are bounded."""

import errno
import gzip
import hashlib
import itertools
import ssl

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.classify.tries import Outcome, read_http
from probe.model.failure import FailureCode, Stage
from probe.model.observation import Ending, HTTPExchange, Role
from probe.net.exchange import MAX_REDIRECTS, exchange
from probe.protocols.http.http1 import OutgoingRequest
from tests.fakes import OpenGate
from tests.unit.net.scripted_stream import ENDPOINT, make_scripted

REQUEST = OutgoingRequest(host="www.example.org", port=80, secure=False, path="/a")
PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 21\r\n\r\n<title>Hello</title>!"
RESET = OSError(errno.ECONNRESET, "Connection reset by peer")
Script = list[tuple[float, bytes | OSError]]


async def run(script: Script, *, request: OutgoingRequest = REQUEST, **fields) -> tuple[HTTPExchange, OpenGate]:
    ctx, stream = make_scripted(script, **fields)
    seen = await exchange(ctx, stream, request)
    assert ctx.journal.observations == [seen]
    assert isinstance(ctx.gate, OpenGate)
    return seen, ctx.gate


async def test_a_page_is_recorded_with_its_times():
    ctx, stream = make_scripted([(0.1, PAGE)], hop=2, role=Role.EXPERIMENT, experiment="x")
    ctx.journal.next_transaction()
    seen = await exchange(ctx, stream, REQUEST)
    body = b"<title>Hello</title>!"
    assert stream.sent.startswith(b"GET /a HTTP/1.1\r\nHost: www.example.org\r\n")
    assert seen.failure is None
    assert (seen.status, seen.reason, seen.title, seen.body) == (200, "OK", "Hello", body)
    assert (seen.url, seen.method, seen.secure, seen.endpoint) == ("http://www.example.org/a", "GET", False, ENDPOINT)
    assert seen.head == PAGE.removesuffix(body)
    assert seen.headers == (("Content-Type", "text/html"), ("Content-Length", "21"))
    assert seen.body_sha256 == hashlib.sha256(body).hexdigest()
    assert (seen.body_bytes, seen.body_truncated, seen.ending, seen.bytes_acked) == (21, False, None, None)
    assert (seen.bytes_sent, seen.bytes_received) == (len(stream.sent), len(PAGE))
    assert seen.first_byte_s == pytest.approx(0.1)
    assert [(sample.t_s, sample.body_bytes) for sample in seen.timeline] == [(pytest.approx(0.1), 21)]
    assert (seen.t0_s, seen.t_s) == (0.0, pytest.approx(0.1))
    assert (seen.transaction, seen.hop, seen.role, seen.experiment) == (2, 2, Role.EXPERIMENT, "x")
    assert not ctx.journal.silences
    assert ctx.gate.hot == []


async def test_how_data_came_in_is_kept_of_experiments_alone():
    plain, _ = await run([(0.1, PAGE)])
    tried, _ = await run([(0.1, PAGE)], experiment="volume.test.x.0.1")
    assert (plain.segments, plain.early_segments) == (None, None)
    assert (tried.segments, tried.early_segments) == (40, 5)


@pytest.mark.parametrize("error", [RESET, OSError(errno.EPIPE, "")])
async def test_a_reset_after_the_host_heats_the_endpoint(error):
    seen, gate = await run([(0.01, error)])
    assert seen.failure is not None
    assert (seen.failure.stage, seen.ending, seen.status) == (Stage.HTTP, Ending.RESET, 0)
    assert seen.failure.code is FailureCode.CONNECTION_RESET
    assert seen.bytes_acked
    assert seen.first_byte_s is None
    assert gate.hot == [ENDPOINT]


async def test_what_this_host_gave_up_is_nobodys_reset_and_heats_nothing():
    seen, gate = await run([(0.01, OSError(errno.ECONNABORTED, ""))])
    assert seen.failure is not None
    assert (seen.failure.code, seen.ending) == (FailureCode.CONNECTION_ABORTED, Ending.ERROR)
    assert read_http(seen) is Outcome.INSTRUMENT
    assert gate.hot == []


async def test_a_request_that_cannot_be_sent_is_a_failure():
    ctx, stream = make_scripted([])
    stream.send_error = RESET
    seen = await exchange(ctx, stream, REQUEST)
    assert seen.ending is Ending.RESET


async def test_a_close_without_an_answer_is_a_fin():
    seen, gate = await run([(0.01, b"")])
    assert seen.failure is not None
    assert (seen.failure.code, seen.ending, seen.status) == (FailureCode.EOF, Ending.FIN, 0)
    assert seen.failure.detail == "no byte of an answer"
    assert seen.first_byte_s is None
    assert gate.hot == [ENDPOINT]


@pytest.mark.parametrize("error", [ssl.SSLEOFError(8, "EOF"), ssl.SSLZeroReturnError(6, "closed")])
async def test_a_close_inside_tls_is_a_fin_too(error):
    seen, _ = await run([(0.01, error)])
    assert seen.ending is Ending.FIN


async def test_nonsense_inside_tls_is_an_error_of_the_connection():
    error = ssl.SSLError(1, "bad record mac")
    error.reason = "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"  # as the engine makes them
    seen, gate = await run([(0.01, error)])
    assert seen.failure is not None
    assert (seen.failure.code, seen.ending) == (FailureCode.SSL_FAILED_HANDSHAKE, Ending.ERROR)
    assert gate.hot == []


async def test_silence_is_told_once_and_then_waited_out():
    ctx, stream = make_scripted([], rtt_s=0.1)
    seen = await exchange(ctx, stream, REQUEST)
    assert seen.failure is not None
    assert (seen.failure.code, seen.ending, seen.t_s) == (FailureCode.TIMEOUT, Ending.SILENCE, pytest.approx(10.0))
    (silence,) = ctx.journal.silences
    assert (silence.layer, silence.endpoint, silence.name, silence.since_s) == (
        "http",
        ENDPOINT,
        "www.example.org",
        0.0,
    )
    assert silence.transaction == seen.transaction
    assert ctx.gate.hot == [ENDPOINT]


async def test_a_late_answer_is_told_and_then_used():
    ctx, stream = make_scripted([(0.5, PAGE)])
    seen = await exchange(ctx, stream, REQUEST)
    assert seen.failure is None
    assert len(ctx.journal.silences) == 1


async def test_an_answer_before_four_round_trips_is_not_late():
    ctx, stream = make_scripted([(0.5, PAGE)], rtt_s=0.2)
    await exchange(ctx, stream, REQUEST)
    assert ctx.journal.silences == []


async def test_the_kernel_giving_up_is_silence():
    seen, _ = await run([(0.1, TimeoutError(errno.ETIMEDOUT, "Connection timed out"))])
    assert seen.failure is not None
    assert (seen.failure.code, seen.failure.errno, seen.ending) == (
        FailureCode.TIMEOUT,
        errno.ETIMEDOUT,
        Ending.SILENCE,
    )


async def test_one_byte_a_second_ends_with_the_head_budget():
    seen, gate = await run([(1.0, PAGE[n : n + 1]) for n in range(len(PAGE))])
    assert seen.failure is not None
    assert (seen.failure.code, seen.ending, seen.status) == (FailureCode.TIMEOUT, None, 0)
    assert seen.t_s <= 11.0
    assert seen.failure.detail == "10 bytes of a response head"
    assert gate.hot == []


async def test_a_body_of_one_byte_a_second_ends_with_its_budget():
    script: Script = [(1.0, b"HTTP/1.1 200 OK\r\n\r\n")] + [(1.0, b"x")] * 1000
    seen, _ = await run(script)
    assert seen.failure is not None
    assert (seen.failure.code, seen.ending, seen.status, seen.body_truncated) == (FailureCode.TIMEOUT, None, 200, True)
    assert seen.t_s <= 12.0
    assert len(seen.timeline) == seen.body_bytes == 10


async def test_a_body_that_freezes_is_silence():
    seen, gate = await run([(0.1, b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + b"x" * 16384)])
    assert seen.failure is not None
    assert (seen.failure.code, seen.ending, seen.body_bytes) == (FailureCode.TIMEOUT, Ending.SILENCE, 16384)
    assert seen.body_truncated
    assert gate.hot == [ENDPOINT]


async def test_a_peer_that_never_stops_is_stopped_though_it_is_never_waited_for():
    script: Script = [(0.0, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")] + [(0.01, b"1;x")] * 100_000
    seen, _ = await run(script)
    assert seen.t_s <= 11


async def test_ten_gigabytes_stop_at_the_limit():
    script: Script = [(0.0, b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n")] + [(0.001, bytes(16384))] * 100
    seen, _ = await run(script, body_limit_bytes=65536)
    assert seen.failure is None
    assert (len(seen.body), seen.body_truncated) == (65536, True)
    assert seen.bytes_received < 65536 + 3 * 16384


async def test_the_timeline_never_has_more_than_32_samples():
    script: Script = [(0.0, b"HTTP/1.1 200 OK\r\n\r\n")] + [(0.001, b"x")] * 5000
    seen, _ = await run([*script, (0.0, b"")])
    assert seen.failure is None
    times = [sample.t_s for sample in seen.timeline]
    counts = [sample.body_bytes for sample in seen.timeline]
    assert 15 <= len(times) <= 32
    assert times == sorted(times)
    assert counts == sorted(set(counts))
    assert counts[-1] == 5000
    gaps = [after - before for before, after in itertools.pairwise(counts[:-1])]
    assert len(set(gaps)) == 1


@pytest.mark.parametrize("framing", [b"Content-Length: 10\r\n", b"Transfer-Encoding: chunked\r\n"])
async def test_a_close_inside_the_body_is_a_failure_and_the_body_is_kept(framing):
    seen, _ = await run([(0.1, b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n5\r\nab"), (0.1, b"")])
    assert seen.failure is not None
    assert (seen.failure.code, seen.ending, seen.status, seen.body_truncated) == (
        FailureCode.EOF,
        Ending.FIN,
        200,
        True,
    )
    assert seen.body.endswith(b"ab")


async def test_a_body_without_length_ends_with_the_connection():
    seen, _ = await run([(0.1, b"HTTP/1.0 200 OK\r\n\r\nabc"), (0.1, b"")])
    assert (seen.failure, seen.ending, seen.body, seen.body_truncated) == (None, None, b"abc", False)


@pytest.mark.parametrize(
    "answer", [b"<html>HTTP/0.9</html>", b"\x15\x03\x01\x00\x02\x02\x28", b"HTTP/1.1 xyz\r\n\r\n", b"\x00" * 5000]
)
async def test_garbage_is_recorded(answer):
    seen, gate = await run([(0.1, answer), (0.0, b"")])
    assert seen.failure is not None
    assert (seen.failure.code, seen.status, seen.ending) == (FailureCode.HTTP_REQUEST_FAILED, 0, None)
    assert seen.head == answer
    assert gate.hot == []


async def test_ten_thousand_headers_are_a_failure():
    head = b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 10_000 + b"\r\n"
    seen, _ = await run([(0.0, head)])
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.HTTP_REQUEST_FAILED
    assert "headers" in seen.failure.detail
    assert len(seen.head) <= 65536


async def test_a_coded_page_is_read_and_counted_as_sent():
    page = b"<title>Zipped</title>" + bytes(5000)
    coded = gzip.compress(page)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: text/html\r\n\r\n"
    seen, _ = await run([(0.1, head + coded), (0.0, b"")])
    assert (seen.failure, seen.title, seen.body, seen.body_bytes) == (None, "Zipped", page, len(coded))
    assert seen.body_sha256 == hashlib.sha256(page).hexdigest()


async def test_a_gzip_bomb_is_bounded():
    coded = gzip.compress(bytes(20_000_000))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(coded)}\r\n\r\n".encode()
    seen, _ = await run([(0.1, head + coded)], body_limit_bytes=65536)
    assert (seen.failure, len(seen.body), seen.body_truncated) == (None, 65536, True)


async def test_a_bad_coding_is_a_failure_with_the_bytes_as_they_came():
    seen, _ = await run([(0.1, b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope")])
    assert seen.failure is not None
    assert (seen.failure.code, seen.status, seen.body, seen.ending) == (
        FailureCode.HTTP_REQUEST_FAILED,
        200,
        b"nope",
        None,
    )


def redirect_to(location: bytes) -> Script:
    return [(0.1, b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n" + location + b"\r\n")]


async def test_a_redirect_is_no_failure():
    seen, _ = await run(redirect_to(b"Location: https://other.example/\r\n"))
    assert (seen.failure, seen.location) == (None, "https://other.example/")


@pytest.mark.parametrize("location", [b"", b"Location:\r\n", b"Location: http://\r\n", b"Location: ftp://x/\r\n"])
async def test_a_redirect_to_nowhere_is_a_failure(location):
    seen, _ = await run(redirect_to(location))
    assert seen.failure is not None
    assert (seen.failure.code, seen.status) == (FailureCode.HTTP_INVALID_REDIRECT, 302)


async def test_the_eleventh_redirect_is_a_failure():
    seen, _ = await run(redirect_to(b"Location: /x\r\n"), hop=MAX_REDIRECTS - 1)
    assert seen.failure is None
    seen, _ = await run(redirect_to(b"Location: /x\r\n"), hop=MAX_REDIRECTS)
    assert seen.failure is not None
    assert seen.failure.code is FailureCode.TOO_MANY_REDIRECTS


async def test_a_head_request_has_no_body_to_wait_for():
    request = OutgoingRequest(method="HEAD", host="a", port=443, secure=True)
    seen, _ = await run([(0.1, b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")], request=request)
    assert (seen.failure, seen.status, seen.method, seen.body_truncated) == (None, 200, "HEAD", False)


PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from(
        [
            b"HTTP/1.1 200 OK\r\n",
            b"HTTP/1.1 302 Found\r\n",
            b"Location: //\xff/\r\n",
            b"Content-Encoding: gzip\r\n",
            b"Content-Type: text/html; charset=utf-7\r\n",
            b"\r\n",
            b"<title>+2AA-</title>",
            RESET,
            TimeoutError(),
        ]
    ),
)


@given(st.lists(st.tuples(st.floats(0, 3), PIECES), max_size=12))
async def test_whatever_a_peer_says_becomes_one_observation_that_can_be_stored(script):
    seen, _ = await run(script)
    assert seen.t_s <= 21
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(seen), type=HTTPExchange) == seen
    msgspec.json.encode(seen)
