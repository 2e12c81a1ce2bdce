"""What every dialogue of the registry must bear: cut anywhere, byte by byte, garbage and floods at every turn.

The occasions are in `occasions.py`; none of the registry can be without one. A conversation ends with a value, with
silence, or with an error that it may raise, after so many answers and with so much memory at the most.
"""

import tracemalloc
from collections.abc import Callable
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.model.depth import Depth
from probe.model.errors import ProtocolError
from probe.protocols import load_specs
from probe.protocols.dialogue import Dialogue, Reached, Receive, Refused, Send
from tests.dialogues.hardship import LARGE
from tests.unit.protocols.occasions import Occasion, Serve, find_occasions

NAMES = (
    "anyconnect, form", "anyconnect, login", "anytls", "dtls", "fortigate", "fortigate, page", "globalprotect",
    "globalprotect, portal", "http-proxy", "http-proxy, volume", "hysteria2", "ikev1", "ikev2", "ikev2, gcm", "l2tp",
    "naive", "obfs4", "openvpn, tcp", "openvpn, udp", "pptp", "quic", "reality",
    "shadowsocks, 2022-blake3-aes-128-gcm", "shadowsocks, 2022-blake3-chacha20-poly1305", "shadowsocks, aes-256-gcm",
    "shadowsocks, chacha20-ietf-poly1305", "shadowsocks, obfs http", "shadowsocks, obfs tls", "socks5",
    "socks5, volume", "softether", "ssh", "ssh, offers", "sstp", "stun", "tor", "trojan", "trojan, volume",
    "trojan, ws", "tuic", "vless", "vless, volume", "vless, httpupgrade", "vmess", "wireguard",
)  # fmt: skip
"""Named here, so that each is a test of its own before any key is made."""
MOST_ANSWERS = 3_000
MOST_MEMORY_BYTES = 2 << 20
"""Of one conversation with a peer that sends 64 KB again and again; most need a few hundred KB."""
CUT_EVERYWHERE_BYTES = 300
"""So far a conversation is cut at each length, and beyond at some hundred more."""


class Ended(NamedTuple):
    """How a conversation ended."""

    how: str
    reached: tuple[Depth, ...]
    reply: msgspec.Struct | None
    sent: tuple[bytes, ...]
    received_bytes: int


def hold(dialogue: Dialogue, serve: Callable[[list[Send]], bytes | None]) -> Ended:
    """Hold a conversation to its end; only errors that a dialogue may raise are taken for one."""
    sent: list[Send] = []
    reached: list[Depth] = []
    answers = received_bytes = 0
    resume: bytes | None = None
    reply: msgspec.Struct | None = None
    how = ""
    while not how:
        try:
            event = dialogue.send(resume)
        except StopIteration as end:
            reply, how = end.value, "silence" if end.value is None else "value"
            break
        except (ProtocolError, Refused, OSError) as error:
            how = type(error).__name__
            break
        resume = None
        if isinstance(event, Send):
            sent.append(event)
        elif isinstance(event, Reached):
            reached.append(event.depth)
        elif isinstance(event, Receive):
            answers += 1
            assert answers <= MOST_ANSWERS, "the conversation does not end"
            resume = serve(sent)
            received_bytes += len(resume or b"")
    return Ended(how, tuple(reached), reply, tuple(one.data for one in sent), received_bytes)


def in_chunks(serve: Serve, size: int) -> Serve:
    """Hand over what a server says in pieces of this size."""
    pending = b""

    def chunk(sent: list[Send]) -> bytes | None:
        nonlocal pending
        pending += serve(sent) or b""
        piece, pending = pending[:size], pending[size:]
        return piece or None

    return chunk


def closed_after(serve: Serve, most_bytes: int) -> Serve:
    """Close the stream after so many bytes."""
    left = most_bytes

    def cut(sent: list[Send]) -> bytes | None:
        nonlocal left
        if not left:
            return b""
        piece = serve(sent)
        if piece is None:
            return None
        piece = piece[:left]
        left -= len(piece)
        return piece

    return cut


def other_from(serve: Serve, turn: int, other: Callable[[bytes | None], bytes | None], *, once: bool = False) -> Serve:
    """Say something else from this answer on, or in its place alone.

    A server of a few lines that is then asked what it does not expect has nothing to say.
    """
    count = -1

    def swap(sent: list[Send]) -> bytes | None:
        nonlocal count
        count += 1
        try:
            right = serve(sent)
        except Exception:
            if count <= turn:
                raise
            right = None
        return other(right) if count == turn or (count > turn and not once) else right

    return swap


@pytest.fixture(scope="module")
def occasions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Occasion]:
    return find_occasions(tmp_path_factory.mktemp("occasions"))


@pytest.fixture(scope="module")
def wholes(occasions: dict[str, Occasion]) -> dict[str, Ended]:
    """Hold each conversation undisturbed, once."""
    return {name: hold(one.begin(), one.make_server()) for name, one in occasions.items()}


def count_turns(occasion: Occasion) -> int:
    """Return how many times the server says something."""
    said = 0
    inner = occasion.make_server()

    def serve(sent: list[Send]) -> bytes | None:
        nonlocal said
        answer = inner(sent)
        said += answer is not None
        return answer

    hold(occasion.begin(), serve)
    return said


def turns_to_try(occasion: Occasion) -> list[int]:
    """Return the first answers and the last: of a volume the rest is like them."""
    turns = count_turns(occasion)
    return sorted({*range(min(turns, 5 if occasion.same_twice else 3)), max(0, turns - 1)})


def test_no_protocol_is_forgotten(occasions: dict[str, Occasion]) -> None:
    assert sorted(occasions) == sorted(NAMES)
    assert {name.partition(",")[0] for name in occasions} == set(load_specs())


def test_each_is_held_as_deep_as_it_can_go(occasions: dict[str, Occasion]) -> None:
    deepest: dict[str, int] = {}
    for name, occasion in occasions.items():
        protocol = name.partition(",")[0]
        deepest[protocol] = max(deepest.get(protocol, 0), occasion.depth.rank)
    shallow = {name for name, spec in load_specs().items() if deepest[name] < spec.proves.rank}
    assert shallow == SHALLOW


SHALLOW = {"anytls", "shadowsocks", "vmess"}
"""What they carry is read by the code that carries for SOCKS5, HTTP proxies, Trojan, VLESS and SSH."""


@pytest.mark.parametrize("name", NAMES)
def test_the_whole_of_it_goes_as_deep_as_it_says(
    occasions: dict[str, Occasion], wholes: dict[str, Ended], name: str
) -> None:
    whole = wholes[name]
    assert whole.how == "value", whole
    assert whole.reached[-1] is occasions[name].depth
    assert [depth.rank for depth in whole.reached] == sorted({depth.rank for depth in whole.reached})
    if occasions[name].same_twice:
        assert hold(occasions[name].begin(), occasions[name].make_server()) == whole


@pytest.mark.parametrize("name", NAMES)
def test_byte_by_byte_it_ends_as_it_does_whole(
    occasions: dict[str, Occasion], wholes: dict[str, Ended], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    occasion, whole = occasions[name], wholes[name]
    if not occasion.stream:
        # A datagram comes whole or not at all: one that ends early is no answer, wherever it ends.
        for turn in turns_to_try(occasion)[:2]:
            for keep in (1, 8, 16):
                ended = hold(
                    occasion.begin(), other_from(occasion.make_server(), turn, lambda d, k=keep: d and d[:k], once=True)
                )
                assert ended.reached == whole.reached[: len(ended.reached)]
        return
    monkeypatch.setattr("tests.unit.protocols.test_every_dialogue.MOST_ANSWERS", whole.received_bytes + MOST_ANSWERS)
    drops = hold(occasion.begin(), in_chunks(occasion.make_server(), 1))
    assert (drops.how, drops.reached) == (whole.how, whole.reached)
    if occasion.same_twice:
        assert drops.reply == whole.reply
    if occasion.same_twice and not occasion.acknowledges:
        assert drops.sent == whole.sent


@pytest.mark.parametrize("name", NAMES)
def test_wherever_it_is_cut_it_claims_no_more_than_came(
    occasions: dict[str, Occasion], wholes: dict[str, Ended], name: str
) -> None:
    occasion, whole = occasions[name], wholes[name]
    size = whole.received_bytes
    step = 1 if occasion.same_twice else 20  # engines with dice differ in length from run to run, and are dear
    beyond = range(CUT_EVERYWHERE_BYTES, size, max(1, size // (100 if occasion.same_twice else 20)))
    lengths = [*range(0, min(size, CUT_EVERYWHERE_BYTES), step), *beyond]
    for length in lengths:
        if occasion.stream:
            ended = hold(occasion.begin(), closed_after(occasion.make_server(), length))
        else:
            cut = lambda data, n=length: data and data[: min(n, len(data) - 1)]  # noqa: E731
            ended = hold(occasion.begin(), other_from(occasion.make_server(), length % 3, cut, once=True))
        assert ended.reached == whole.reached[: len(ended.reached)], length


@pytest.mark.parametrize("name", NAMES)
def test_a_flood_at_any_turn_ends_with_little_memory(occasions: dict[str, Occasion], name: str) -> None:
    occasion = occasions[name]
    for turn in turns_to_try(occasion):
        for data in LARGE:
            tracemalloc.start()
            try:
                ended = hold(occasion.begin(), other_from(occasion.make_server(), turn, lambda _, d=data: d))
                _, peak_bytes = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            assert peak_bytes < MOST_MEMORY_BYTES, (turn, data[:8], ended.how)


@pytest.mark.parametrize("name", NAMES)
@given(turn=st.integers(0, 5), garbage=st.lists(st.one_of(st.none(), st.binary(max_size=300)), max_size=4))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_garbage_at_any_turn_ends_in_a_way_that_is_allowed(
    occasions: dict[str, Occasion], wholes: dict[str, Ended], name: str, turn: int, garbage: list[bytes | None]
) -> None:
    left = list(garbage)
    serve = other_from(occasions[name].make_server(), turn, lambda _: left.pop(0) if left else None)
    ended = hold(occasions[name].begin(), serve)
    assert set(ended.reached) <= set(wholes[name].reached)
