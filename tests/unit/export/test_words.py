import pytest

from probe.export.text.words import render_sentence
from probe.model.verdict import Cause, Status


@pytest.mark.parametrize(
    ("status", "cause", "words"),
    [
        (Status.BLOCKED, Cause.NETWORK, "is blocked, by the network, not the server"),
        (Status.LIKELY_BLOCKED, Cause.NETWORK, "is likely blocked, by the network, not the server"),
        (Status.DEGRADED, Cause.SERVER, "works, but is interfered with, by the server, not the network"),
        (Status.DEGRADED, Cause.UNKNOWN, "works, but is interfered with"),
        (Status.SERVER_SIDE, Cause.SERVER, "is refused by its own server"),
        (Status.DOWN, Cause.OUTAGE, "is down for everybody"),
        (Status.IMPAIRED, Cause.UNKNOWN, "cannot be reached, and the cause is unclear"),
        (Status.IMPAIRED, Cause.LOCAL, "cannot be reached, by something on or beside this machine"),
        (Status.IMPAIRED, Cause.INSTRUMENT, "cannot be reached, because this host could not measure"),
        (Status.OK, Cause.NONE, "works"),
        (Status.INSUFFICIENT, None, "is not judged yet"),
    ],
)
def test_a_sentence_says_nothing_twice(status: Status, cause: Cause | None, words: str) -> None:
    assert render_sentence(status, cause) == words
