"""HTTP CONNECT against a proxy of a few lines, pages that are no proxy, and any bytes."""

import pytest
from hypothesis import given

from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Refused, Tcp, Tls
from probe.protocols.proxies import http_proxy
from tests.dialogues import fixed_entropy
from tests.dialogues.hardship import GARBAGE, bear_a_stream, play_stream, serve_in_turn, survive, watch

OPEN = b"HTTP/1.1 200 Connection established\r\nProxy-agent: test/1\r\n\r\n"
SERVER_HELLO = bytes.fromhex("160303007a")


def begin(**given):
    return http_proxy.start(Ask(entropy=fixed_entropy(), **{"params": {"relay": "192.0.2.9:443"}} | given))


def test_a_proxy_relays() -> None:
    played = play_stream(begin(), serve_in_turn(OPEN, SERVER_HELLO))
    assert played.sent[0].data.startswith(b"CONNECT 192.0.2.9:443 HTTP/1.1\r\nHost: 192.0.2.9:443\r\n")
    assert played.reached == [Depth.HELLO, Depth.DATA]
    assert played.reply.via == "test/1"


def test_an_answer_that_comes_with_the_head_is_read() -> None:
    played = play_stream(begin(), serve_in_turn(OPEN + SERVER_HELLO))
    assert played.depth is Depth.DATA


def test_a_stream_may_be_cut_anywhere() -> None:
    bear_a_stream(begin, lambda: serve_in_turn(b"HTTP/1.1 100 Continue\r\n\r\n" + OPEN, SERVER_HELLO))


def test_the_login_is_basic_and_secret() -> None:
    asked = {"params": {"relay": "[2001:db8::1]:443", "user": "Aladdin"}, "secrets": {"password": b"open sesame"}}
    sent = play_stream(begin(**asked), serve_in_turn(b"")).sent[0]
    assert sent.data.startswith(b"CONNECT [2001:db8::1]:443 ")
    ((start, end),) = sent.secret_spans
    assert sent.data[start:end] == b"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="  # RFC 7617 section 2


@pytest.mark.parametrize(
    ("answer", "says", "depth"),
    [
        (b"HTTP/1.1 407 Login\r\nProxy-Authenticate: Basic\r\n\r\n", "proxy says: 407", [Depth.HELLO]),
        (b"HTTP/1.1 403 No\r\nVia: 1.1 squid\r\n\r\n", "proxy says: 403", [Depth.HELLO]),
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", "HTTP server says: 403", []),
    ],
)
def test_a_page_is_a_proxy_only_if_it_shows(answer: bytes, says: str, depth: list[Depth]) -> None:
    reached: list[Depth] = []
    with pytest.raises(Refused, match=says):
        play_stream(watch(begin(), reached), serve_in_turn(answer))
    assert reached == depth


def test_a_valid_certificate_below_proves_who_answers() -> None:
    played = play_stream(begin(params={"tls": "1"}, deepest=Depth.PROOF), serve_in_turn(OPEN))
    assert played.reached == [Depth.HELLO, Depth.PROOF]
    played = play_stream(begin(params={"tls": "1", "verify": "no"}, deepest=Depth.PROOF), serve_in_turn(OPEN))
    assert played.reached == [Depth.HELLO]


@given(GARBAGE)
def test_garbage_is_no_proxy(answers: list[bytes | None]) -> None:
    played = survive(begin, answers)
    assert played is None or not played.reached


def test_links_choose_the_stack_and_hide_the_password() -> None:
    plain = http_proxy.parse("http-proxy://me:secret@proxy.test:3128")
    assert http_proxy.choose_stack(plain.params) == (Tcp(),)
    assert plain.secrets == {"password": "secret"}
    secure = http_proxy.parse("https-proxy://proxy.test?verify=no")
    assert secure.port == 443
    assert http_proxy.choose_stack(secure.params) == (Tcp(), Tls(alpn=("http/1.1",), verify=False))
    with pytest.raises(ValueError, match="verify"):
        http_proxy.parse("http-proxy://proxy.test?verify=no")
