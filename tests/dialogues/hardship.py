"""What every dialogue must bear: any bytes, cut anywhere, byte by byte, too many."""

import contextlib
from collections.abc import Callable

from hypothesis import strategies as st

from probe.model.errors import ProtocolError
from probe.model.verdict import Depth
from probe.protocols.dialogue import Dialogue, Reached, Refused, Send
from tests.dialogues import Played, play

MOST_EVENTS = 400_000
GARBAGE = st.lists(st.one_of(st.none(), st.binary(max_size=200)), max_size=6)
"""Answers of a peer that speaks no protocol: silence, the end, a few bytes."""
LARGE = (bytes(65536), b"\xff" * 65536, b"A" * 65536, b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 10000, b"\n" * 65536)


def play_stream(
    dialogue: Dialogue, serve: Callable[[bytes], bytes], *, chunk_bytes: int = 1 << 30, end_after: int | None = None
) -> Played:
    """Run a dialogue against a peer that answers what was just sent, over a stream cut into such chunks.

    `end_after` closes the stream after so many bytes; else a peer that has no more to say is silent.
    """
    heard = 0
    pending = b""
    left = end_after

    def answer(sent: list[Send]) -> bytes | None:
        nonlocal heard, pending, left
        if len(sent) > heard:
            pending += serve(b"".join(s.data for s in sent[heard:]))
            heard = len(sent)
        chunk, pending = pending[:chunk_bytes], pending[chunk_bytes:]
        if left is not None:
            chunk = chunk[:left]
            left -= len(chunk)
            return chunk
        return chunk or None

    return play(dialogue, answer)


def watch(dialogue: Dialogue, reached: list[Depth]) -> Dialogue:
    """Return the same dialogue, noting the stages also of one that ends with an error."""
    resume: bytes | None = None
    while True:
        try:
            event = dialogue.send(resume)
        except StopIteration as end:
            return end.value
        if isinstance(event, Reached):
            reached.append(event.depth)
        resume = yield event


def serve_in_turn(*replies: bytes) -> Callable[[bytes], bytes]:
    """Return a peer that says these, one for each time it is spoken to."""
    left = list(replies)
    return lambda _: left.pop(0) if left else b""


def survive(begin: Callable[[], Dialogue], answers: list[bytes | None]) -> Played | None:
    """Run against these answers; only the two ways that a dialogue may fail are passed over."""
    with contextlib.suppress(ProtocolError, Refused):
        return play(begin(), answers)
    return None


def bear_a_stream(begin: Callable[[], Dialogue], make_server: Callable[[], Callable[[bytes], bytes]]) -> None:
    """Hold a dialogue to the same outcome whole and byte by byte, and to a proper end wherever the stream is cut."""
    whole = play_stream(begin(), make_server())
    drops = play_stream(begin(), make_server(), chunk_bytes=1)
    assert drops.reached == whole.reached
    assert drops.reply == whole.reply
    assert [s.data for s in drops.sent] == [s.data for s in whole.sent]
    for length in range(400):
        with contextlib.suppress(ProtocolError, Refused):
            cut = play_stream(begin(), make_server(), end_after=length)
            assert whole.reached[: len(cut.reached)] == cut.reached
    for data in LARGE:
        survive(begin, [data])


def bear_datagrams(begin: Callable[[], Dialogue], answer: bytes) -> None:
    """Hold a dialogue to a proper end with every part of an answer, and with an answer that is too long."""
    for length in range(len(answer)):
        cut = survive(begin, [answer[:length]])
        assert cut is None or not cut.reached or cut.reply is not None
    survive(begin, [answer + bytes(65535 - len(answer))])
    for data in LARGE:
        survive(begin, [data])
