"""SOCKS5 and CONNECT: RFC bytes, every cut, every refusal."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.model.endpoint import Endpoint
from probe.model.errors import ProtocolError
from probe.net import proxies


class Script:
    """A stream that answers from bytes, in pieces of one size."""

    def __init__(self, answer: bytes, piece: int) -> None:
        self.sent = b""
        self.left = answer
        self._piece = piece
        self.endpoint = Endpoint(address="127.0.0.1", port=1080)
        self.rtt_s: float | None = None
        self.bytes_sent = self.bytes_received = 0

    async def send(self, data: bytes, deadline_s: float) -> None:
        self.sent += data

    async def receive(self, limit: int, deadline_s: float) -> bytes:
        chunk = self.left[: min(limit, self._piece)]
        self.left = self.left[len(chunk) :]
        return chunk

    def arrivals(self) -> None:
        return None

    def acked_bytes(self) -> int | None:
        return None


SOCKS_OK = b"\x05\x00" + b"\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38"
REPLIES = {
    "v4": b"\x05\x00" + b"\x05\x00\x00\x01" + bytes(6),
    "name": b"\x05\x00" + b"\x05\x00\x00\x03\x03abc" + bytes(2),
    "empty name": b"\x05\x00" + b"\x05\x00\x00\x03\x00" + bytes(2),
    "v6": b"\x05\x00" + b"\x05\x00\x00\x04" + bytes(18),
}


@pytest.mark.parametrize("piece", [1, 3, 100])
@pytest.mark.parametrize("reply", REPLIES.values(), ids=REPLIES.keys())
async def test_a_socks5_tunnel_opens_and_no_byte_of_it_is_taken(reply: bytes, piece: int) -> None:
    script = Script(reply + b"TUNNEL", piece)
    await proxies.pass_socks5(script, "a.test", 443, 0.0)
    assert script.sent == b"\x05\x01\x00" + b"\x05\x01\x00\x03\x06a.test\x01\xbb"
    assert script.left == b"TUNNEL"


@pytest.mark.parametrize("length", range(len(SOCKS_OK)))
async def test_a_socks5_proxy_that_hangs_up_is_told(length: int) -> None:
    with pytest.raises(ProtocolError, match="hung up"):
        await proxies.pass_socks5(Script(SOCKS_OK[:length], 100), "a.test", 443, 0.0)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (b"HTTP/1.1 400", "not a SOCKS5 proxy"),
        (b"\x05\xff", "wants authentication"),
        (b"\x05\x00\x05\x05\x00\x01\x00", "connection refused"),
        (b"\x05\x00\x05\x63\x00\x01\x00", "code 99"),
        (b"\x05\x00\x05\x00\x00\x07\x00", "not a SOCKS5 reply"),
        (b"\x05\x00\x04\x00\x00\x01\x00", "not a SOCKS5 reply"),
    ],
)
async def test_a_socks5_proxy_that_will_not_is_told_with_its_reason(reply: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        await proxies.pass_socks5(Script(reply, 100), "a.test", 443, 0.0)


def test_addresses_are_asked_for_as_addresses() -> None:
    assert proxies.build_connect("192.0.2.1", 80) == b"\x05\x01\x00\x01\xc0\x00\x02\x01\x00\x50"
    assert proxies.build_connect("2001:db8::1", 80)[:4] == b"\x05\x01\x00\x04"


@pytest.mark.parametrize("piece", [1, 100])
async def test_an_http_tunnel_opens_and_no_byte_of_it_is_taken(piece: int) -> None:
    script = Script(b"HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\nTUNNEL", piece)
    await proxies.pass_http(script, "2001:db8::1", 443, 0.0)
    assert script.sent.startswith(b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n")
    assert script.left == b"TUNNEL"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "could not connect: 407"),
        (b"SSH-2.0-x\r\n\r\n", "not an HTTP proxy"),
        (b"HTTP/1.1\r\n\r\n", "not an HTTP proxy"),
        (b"HTTP/1.1 200 OK\r\n", "hung up"),
        (b"x" * 20000, "no end"),
    ],
)
async def test_an_http_proxy_that_will_not_is_told(answer: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        await proxies.pass_http(Script(answer, 100), "a.test", 443, 0.0)


@given(st.binary(min_size=5, max_size=5))
def test_any_reply_is_an_outcome_or_a_protocol_error(head: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        assert 2 <= proxies.read_outcome(head) <= 257


@given(st.binary(max_size=60))
def test_any_head_is_a_status_or_a_protocol_error(head: bytes) -> None:
    with contextlib.suppress(ProtocolError):
        proxies.check_status(head)
