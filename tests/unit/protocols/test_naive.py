"""NaïveProxy against a server of a few lines on h2's other side, web servers, and any bytes."""

import struct

import h2.config
import h2.connection
import h2.events
import pytest
from hypothesis import given

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Ask, Refused, Tcp, Tls
from probe.protocols.proxies import naive
from tests.dialogues import fixed_entropy
from tests.dialogues.hardship import GARBAGE, bear_a_stream, play_stream, serve_in_turn, survive, watch
from tests.dialogues.naive_server import PaddedEcho

ECHO = fixed_entropy()(64)


class FakeServer:
    """Tunnels to an echo service, if it likes the login."""

    def __init__(self, *, status: str = "200", padded: bool = True) -> None:
        self.status, self.padded = status, padded
        self.asked: dict[str, str] = {}
        self.heard = b""
        self._connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8")
        )
        self._connection.initiate_connection()

    def __call__(self, sent: bytes) -> bytes:
        for event in self._connection.receive_data(sent):
            if isinstance(event, h2.events.RequestReceived):
                self.asked = dict(event.headers)
                head = [(":status", self.status)] + ([("padding", "!!!!")] if self.padded else [])
                self._connection.send_headers(event.stream_id, head, end_stream=self.status != "200")
            elif isinstance(event, h2.events.DataReceived):
                data = event.data
                if self.padded:
                    size, padding = struct.unpack_from("!HB", data)
                    assert len(data) == 3 + size + padding
                    data = data[3 : 3 + size]
                self.heard += data
                pieces = [naive.pad(b"", 9), naive.pad(data[:20], 0), naive.pad(data[20:], 200)]
                for piece in pieces if self.padded else [data]:
                    self._connection.send_data(event.stream_id, piece)
        return self._connection.data_to_send()


def begin(deepest: Depth = Depth.DATA, **params: str):
    given = {"relay": "[2001:db8::7]:7", "payload": "echo", "user": "me"} | params
    return naive.start(Ask(entropy=fixed_entropy(), params=given, secrets={"password": b"secret"}, deepest=deepest))


@pytest.mark.parametrize("padded", [True, False])
def test_a_tunnel_relays_padded_or_not(padded: bool) -> None:
    server = FakeServer(padded=padded)
    played = play_stream(begin(), server)
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.DATA]
    assert server.heard == ECHO
    assert server.asked[":method"] == "CONNECT"
    assert server.asked[":authority"] == "[2001:db8::7]:7"
    assert server.asked["proxy-authorization"] == "Basic bWU6c2VjcmV0"
    assert 16 <= len(server.asked["padding"]) <= 32


@pytest.mark.parametrize("padded", [True, False])
def test_a_tunnel_may_be_cut_anywhere(padded: bool) -> None:
    bear_a_stream(begin, lambda: FakeServer(padded=padded))


def test_the_login_is_kept_out_of_the_transcript() -> None:
    request = play_stream(begin(), FakeServer()).sent[1]
    assert request.secret_spans == ((0, len(request.data)),)


@pytest.mark.parametrize("status", ["407", "404", "405"])
def test_a_web_site_is_a_refusal_and_no_stage(status: str) -> None:
    reached: list[Depth] = []
    with pytest.raises(Refused, match=f"says {status}"):
        play_stream(watch(begin(), reached), FakeServer(status=status, padded=False))
    assert reached == []


def test_a_web_server_of_the_older_http_is_a_refusal() -> None:
    with pytest.raises(Refused, match="400"):
        play_stream(begin(), serve_in_turn(b"HTTP/1.1 400 Bad Request\r\n\r\n"))


def test_an_unchecked_certificate_proves_nobody() -> None:
    assert play_stream(begin(insecure="1"), FakeServer()).reached == [Depth.HELLO, Depth.DATA]


@given(GARBAGE)
def test_garbage_is_no_tunnel(answers: list[bytes | None]) -> None:
    played = survive(begin, answers)
    assert played is None or not played.reached


def test_frames_that_are_none_are_nonsense() -> None:
    with pytest.raises(ProtocolError, match="not HTTP/2"):
        play_stream(begin(), serve_in_turn(bytes(100)))


def test_links_hide_the_password() -> None:
    parsed = naive.parse("naive+https://me:secret@proxy.test?insecure=1&sni=other.test#x")
    assert (parsed.host, parsed.port, parsed.secrets) == ("proxy.test", 443, {"password": "secret"})
    assert parsed.params == {"insecure": "1", "sni": "other.test", "user": "me"}
    assert naive.SPEC.choose_stack(parsed.params) == (Tcp(), Tls(alpn=("h2", "http/1.1"), verify=False))


def test_a_volume_goes_through_a_window_that_opens_as_it_is_read() -> None:
    played = play_stream(begin(Depth.VOLUME), PaddedEcho())
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.DATA, Depth.VOLUME]
    assert played.reply.carried_bytes == 65536


def test_a_server_that_opens_its_window_no_more_is_silence_after_data() -> None:
    server = PaddedEcho()
    server._connection.acknowledge_received_data = lambda *_: None
    played = play_stream(begin(Depth.VOLUME), server)
    assert played.reached == [Depth.HELLO, Depth.PROOF, Depth.DATA]
    assert played.reply is None


def test_a_frame_that_does_not_end_is_not_kept() -> None:
    endless = b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(65536)
    with pytest.raises(ProtocolError, match="does not end"):
        play_stream(begin(), serve_in_turn(endless))
