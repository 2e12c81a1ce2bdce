"""How much goes through a relay: pages inside TLS, or echoes; where it stops, and who stops it."""

import datetime
import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.control.certificates import build_echo_context, make_certificate
from probe.model.depth import Depth
from probe.model.errors import ProtocolError
from probe.protocols.dialogue import Ask, Dialogue, Send
from probe.protocols.proxies import shadowsocks, socks5, trojan, vless, vmess
from probe.protocols.relayed import VOLUME_BYTES, Relayed, open_incoming, plan_errand, read_answer
from tests.dialogues import fixed_entropy
from tests.dialogues.hardship import GARBAGE, play_stream, survive

CERTIFICATE = make_certificate("site.test", datetime.datetime.now(datetime.UTC))
PARAMS = {"relay": "site.test:443"}


class Site:
    """A web server in TLS whose front page has so many bytes; falls silent, or hangs up, after as many on the wire."""

    def __init__(self, page_bytes: int = 3000, *, silent_after: int = 1 << 30, closes: bool = False) -> None:
        self._into, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = build_echo_context(*CERTIFICATE)[0].wrap_bio(self._into, self._out, server_side=True)
        self._head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%b\r\n" % (
            page_bytes,
            b"Connection: close\r\n" if closes else b"",
        )
        self._page = self._head + b"." * page_bytes
        self._silent_after, self._said, self._asked, self._shaken = silent_after, 0, b"", False
        self.requests = 0

    def __call__(self, data: bytes) -> bytes:
        self._into.write(data)
        try:
            if not self._shaken:
                self._tls.do_handshake()
                self._shaken = True
            while plain := self._tls.read(65536):
                self._asked += plain
                while b"\r\n\r\n" in self._asked:
                    self._asked = self._asked.partition(b"\r\n\r\n")[2]
                    self.requests += 1
                    self._tls.write(self._page)
        except ssl.SSLWantReadError:
            pass
        answer = self._out.read()
        room = max(0, self._silent_after - self._said)
        self._said += len(answer)
        return answer[:room]


def relay(deepest: Depth = Depth.VOLUME, **params: str) -> Dialogue:
    """Speak with a destination straight, as all proxies' dialogues do once they are through."""
    ask = Ask(entropy=fixed_entropy(), params=PARAMS | params, deepest=deepest)
    errand = plan_errand(ask)
    yield Send(errand.data)
    return (yield from read_answer(open_incoming(), errand, wrap=Send))


@pytest.mark.parametrize("page_bytes", [200, 3000, 40_000, 70_000])
@pytest.mark.parametrize("chunk_bytes", [1 << 30, 1400, 97])
def test_pages_are_fetched_until_it_is_enough(page_bytes: int, chunk_bytes: int) -> None:
    site = Site(page_bytes)
    played = play_stream(relay(), site, chunk_bytes=chunk_bytes)
    assert isinstance(played.reply, Relayed)
    # Ninety of the smallest pages are all that one connection is asked for.
    enough = page_bytes > 800
    assert played.reached == [Depth.DATA, *([Depth.VOLUME] if enough else [])]
    assert (played.reply.carried_bytes >= VOLUME_BYTES * 0.9) is enough
    assert site.requests <= 91


def test_without_being_asked_to_it_stops_at_the_first_answer() -> None:
    site = Site()
    played = play_stream(relay(Depth.DATA), site)
    assert played.reached == [Depth.DATA]
    assert site.requests == 0


@pytest.mark.parametrize("after", [2000, 5000, 20_000, 60_000])
def test_a_flow_that_falls_silent_is_silence_after_data(after: int) -> None:
    played = play_stream(relay(), Site(silent_after=after), chunk_bytes=1400)
    assert played.reached == [Depth.DATA]
    assert played.reply is None


def test_a_site_that_hangs_up_after_its_page_has_no_more_to_give() -> None:
    played = play_stream(relay(), Site(closes=True))
    assert played.reached == [Depth.DATA]
    assert isinstance(played.reply, Relayed)
    assert 3000 <= played.reply.carried_bytes < VOLUME_BYTES


def test_a_destination_that_shakes_no_hands_is_no_stall() -> None:
    """Its alert went through the relay: that is what was to be shown."""
    played = play_stream(relay(), lambda _: b"\x15\x03\x03\x00\x02\x02\x28")
    assert played.reached == [Depth.DATA]
    assert isinstance(played.reply, Relayed)
    assert played.reply.answer == "tls alert"


def test_echoes_come_back_until_it_is_enough() -> None:
    played = play_stream(relay(payload="echo"), lambda data: data, chunk_bytes=1000)
    assert played.reached == [Depth.DATA, Depth.VOLUME]
    assert isinstance(played.reply, Relayed)
    assert played.reply.carried_bytes == VOLUME_BYTES


@pytest.mark.parametrize("after", [64, 5000, 30_000])
def test_echoes_that_stop_are_silence_after_data(after: int) -> None:
    left = after

    def serve(data: bytes) -> bytes:
        nonlocal left
        data, left = data[:left], max(0, left - len(data))
        return data

    played = play_stream(relay(payload="echo"), serve)
    assert played.reached == [Depth.DATA]
    assert played.reply is None


def test_what_is_no_echo_is_nonsense() -> None:
    first = True

    def serve(data: bytes) -> bytes:
        nonlocal first
        same, first = first, False
        return data[:64] if same else bytes(len(data))

    with pytest.raises(ProtocolError):
        play_stream(relay(payload="echo"), serve)


@settings(max_examples=60, deadline=None)
@given(GARBAGE, st.sampled_from(["tls", "echo"]))
def test_no_answer_breaks_it(answers: list[bytes | None], payload: str) -> None:
    survive(lambda: relay(payload=payload), [b"\x16\x03\x03\x00\x20", *answers])


@pytest.mark.parametrize(
    "spec", [socks5.SPEC, trojan.SPEC, vless.SPEC, vmess.SPEC, shadowsocks.SPEC], ids=lambda s: s.name
)
def test_a_link_may_ask_for_it(spec) -> None:
    assert spec.proves is Depth.VOLUME
    user = "b831381d-6324-4d53-ad4f-8cda48b30811"
    login = "aes-256-gcm:word" if spec.name == "shadowsocks" else user
    link = f"{spec.schemes[0]}://{login}@198.51.100.7:443?depth="
    assert spec.parse(f"{link}volume").params["depth"] == "volume"
    with pytest.raises(ValueError, match="depth is hello, proof"):
        spec.parse(f"{link}deep")
