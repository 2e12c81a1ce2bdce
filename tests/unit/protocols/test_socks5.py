"""SOCKS5 against the examples of its RFCs, a proxy of a few lines, and any bytes."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Refused
from probe.protocols.proxies import socks5
from tests.dialogues import fixed_entropy
from tests.dialogues.hardship import GARBAGE, bear_a_stream, play_stream, serve_in_turn, survive

ECHO = {"relay": "192.0.2.9:7", "payload": "echo"}
CONNECTED = bytes.fromhex("05000001 7f000001 1f90")
SERVER_HELLO = bytes.fromhex("160303007a")


def begin(**given):
    return socks5.start(Ask(entropy=fixed_entropy(), **{"params": {"relay": "192.0.2.9:443"}} | given))


def test_a_proxy_without_login_relays() -> None:
    played = play_stream(begin(), serve_in_turn(b"\x05\x00", CONNECTED, SERVER_HELLO))
    assert [s.data for s in played.sent[:2]] == [b"\x05\x01\x00", bytes.fromhex("05010001 c0000209 01bb")]
    assert played.sent[2].data[:2] == b"\x16\x03"
    assert played.reached == [Depth.HELLO, Depth.DATA]
    assert played.reply.answer == "tls handshake"


def test_a_login_is_made_as_rfc_1929_says_and_its_password_is_secret() -> None:
    asked = {"params": ECHO | {"user": "me"}, "secrets": {"password": b"pass"}}
    played = play_stream(begin(**asked), serve_in_turn(b"\x05\x02", b"\x01\x00", CONNECTED))
    assert played.sent[0].data == bytes.fromhex("05020002")
    login = played.sent[1]
    assert login.data == b"\x01\x02me\x04pass"
    assert login.secret_spans == ((4, 9),)
    assert played.reached == [Depth.HELLO, Depth.AUTH]


@pytest.mark.parametrize("method", [b"\x05\xff", b"\x05\x02"])
def test_a_proxy_that_wants_a_login_refuses_a_stranger(method: bytes) -> None:
    with pytest.raises(Refused, match="login"):
        play_stream(begin(), serve_in_turn(method))


def test_a_wrong_login_is_refused() -> None:
    with pytest.raises(Refused, match="status 7"):
        play_stream(begin(secrets={"password": b"x"}), serve_in_turn(b"\x05\x02", b"\x01\x07"))


@pytest.mark.parametrize(
    ("code", "words"), [(2, "ruleset"), (4, "host unreachable"), (5, "connection refused"), (99, "99")]
)
def test_the_proxys_view_of_the_destination_is_quoted(code: int, words: str) -> None:
    with pytest.raises(Refused, match=words):
        play_stream(begin(), serve_in_turn(b"\x05\x00", bytes((5, code)) + CONNECTED[2:]))


def test_it_goes_no_deeper_than_asked() -> None:
    played = play_stream(begin(deepest=Depth.HELLO), serve_in_turn(b"\x05\x00"))
    assert played.reached == [Depth.HELLO]
    assert len(played.sent) == 1


def test_a_stream_may_be_cut_anywhere() -> None:
    named = bytes.fromhex("05000003 05") + b"proxy" + b"\x1f\x90"
    for connected in (CONNECTED, named, b"\x05\x00\x00\x04" + bytes(18)):
        bear_a_stream(begin, lambda c=connected: serve_in_turn(b"\x05\x00", c, SERVER_HELLO))


@given(GARBAGE)
def test_garbage_is_no_proxy(answers: list[bytes | None]) -> None:
    played = survive(lambda: begin(secrets={"password": b"x"}), answers)
    assert played is None or Depth.DATA not in played.reached


@given(st.binary(max_size=40))
def test_any_bytes_are_a_reply_need_more_or_a_protocol_error(data: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        split = socks5.split_reply(data)
        assert split is None or split[1] <= len(data)


def test_a_link_hides_the_password() -> None:
    parsed = socks5.parse("socks5://me:p%40ss@[2001:db8::1]:1081?relay=example.org:443#home")
    assert (parsed.host, parsed.port, parsed.label) == ("2001:db8::1", 1081, "home")
    assert parsed.params == {"user": "me", "relay": "example.org:443"}
    assert parsed.secrets == {"password": "p@ss"}


@pytest.mark.parametrize(
    "text", ["socks5://", "socks5://h:x", "socks5://h?relay=here", "socks5://h?no=1", "socks5://[h"]
)
def test_a_bad_link_says_what_is_wrong(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        socks5.parse(text)
