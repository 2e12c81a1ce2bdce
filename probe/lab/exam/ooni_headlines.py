"""What OONI's Web Connectivity says in each of the fifty worlds of its own suite, held against what is true there.

Source: `blocking`, `accessible` and the `x_dns_flags`, `x_blocking_flags`, `x_null_null_flags` that the suite of
ooni/probe-cli 3.x expects of version 0.5 (ts-017); facts about its answers, no code of theirs.
"""

import re

import msgspec

from probe.lab.exam.grade import Grade
from probe.lab.exam.score import Mark
from probe.lab.scenarios.model import Truth
from probe.model.pattern import Pattern
from probe.model.verdict import Cause

WORLD = re.compile(r"ooni-(\d{2})-")
_YES, _NO, _NULL = True, False, None


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """OONI's own words for a measurement."""

    blocking: str | bool | None
    accessible: bool | None
    flags: tuple[int, int, int] = (0, 0, 0)
    """`x_dns_flags`, `x_blocking_flags`, `x_null_null_flags`."""

    def __str__(self) -> str:
        words = {True: "true", False: "false", None: "null"}
        blocking = self.blocking if isinstance(self.blocking, str) else words[self.blocking]
        return f"{blocking} / {words[self.accessible]}"


def _say(blocking: str | bool | None, accessible: bool | None, *flags: int) -> Headline:
    return Headline(blocking=blocking, accessible=accessible, flags=(flags[0], flags[1], flags[2]))


_DOWN, _FINE = (False, _NO), (False, _YES)
HEADLINES: dict[int, Headline] = {
    **dict.fromkeys((1, 2, 3), _say(*_DOWN, 0, 0, 4)),
    4: _say("dns", _NO, 4, 33, 4),
    5: _say("http-diff", _NO, 0, 16, 0),
    6: _say(*_FINE, 0, 32, 0),
    7: _say(_NULL, _NULL, 0, 0, 0),
    8: _say(*_FINE, 0, 32, 8),
    9: _say("dns", _NO, 2, 33, 0),
    10: _say("dns", _NO, 5, 33, 0),
    11: _say("dns", _NO, 2, 33, 0),
    12: _say("dns", _NO, 5, 33, 0),
    13: _say("dns", _NO, 5, 33, 0),
    **dict.fromkeys((14, 15), _say(*_FINE, 4, 33, 0)),
    16: _say("dns", _NO, 0, 16, 18),
    17: _say("dns", _NO, 0, 0, 18),
    18: _say("http-failure", _NO, 0, 8, 0),
    19: _say("http-diff", _NO, 0, 16, 0),
    20: _say("dns", _NO, 4, 17, 0),
    **dict.fromkeys((21, 22, 23, 24), _say(*_FINE, 0, 32, 0)),
    **dict.fromkeys((25, 26), _say(*_DOWN, 1, 0, 0)),
    **dict.fromkeys((27, 28), _say("http-failure", _NO, 0, 8, 0)),
    **dict.fromkeys((29, 30), _say("http-failure", _NO, 0, 2, 0)),
    31: _say("http-failure", _NO, 0, 12, 0),
    32: _say("http-failure", _NO, 0, 4, 0),
    33: _say("dns", _NO, 0, 1, 0),
    34: _say("http-failure", _NO, 0, 12, 0),
    35: _say("http-failure", _NO, 0, 4, 0),
    36: _say("http-failure", _NO, 0, 12, 0),
    37: _say("http-failure", _NO, 0, 4, 0),
    **dict.fromkeys((38, 39), _say(*_DOWN, 0, 0, 0)),
    **dict.fromkeys((40, 41), _say(*_FINE, 0, 32, 0)),
    42: _say("tcp_ip", _NO, 0, 2, 0),
    43: _say("dns", _NO, 4, 35, 2),
    **dict.fromkeys((44, 45), _say("http-failure", _NO, 0, 8, 0)),
    46: _say("http-failure", _NO, 0, 4, 0),
    47: _say("dns", _NO, 4, 5, 0),
    48: _say(*_DOWN, 0, 0, 1),
    49: _say(*_DOWN, 0, 0, 1),
    50: _say(*_DOWN, 0, 0, 2),
}
_LAYERS = {"dns": ("dns",), "tcp_ip": ("ip", "tcp"), "http-failure": ("tls", "http", "flow", "quic"), "http-diff": ()}
"""What each word of `blocking` can mean, in layers of our taxonomy; a difference of pages is the next one's."""
_PAGES = (Pattern.HTTP_BLOCKPAGE, Pattern.HTTP_REDIRECT, Pattern.HTTP_INJECTED)


def number_of(scenario: str) -> int | None:
    """Return a world's number in OONI's suite; `None` = it is none of them."""
    found = WORLD.match(scenario)
    return int(found.group(1)) if found else None


def is_right(headline: Headline, truth: Truth) -> bool:
    """Tell whether OONI's words fit what is so: usable or not, by the network or not, and in the right layer."""
    if headline.accessible is not truth.status.reachable:
        return False
    if truth.cause is not Cause.NETWORK or not truth.patterns:
        return headline.blocking is False
    if not isinstance(headline.blocking, str):
        return False
    if headline.blocking == "http-diff":
        return any(pattern in _PAGES for pattern in truth.patterns)
    return truth.patterns[0].layer in _LAYERS[headline.blocking] and truth.patterns[0] not in _PAGES


def render_worlds(marks: tuple[Mark, ...]) -> list[str]:
    """Return both answers to each of the worlds beside the truth, and how many of each are right."""
    rows = sorted((number, mark) for mark in marks if (number := number_of(mark.scenario)) is not None)
    if not rows:
        return []
    head = f"  {'#':>2} {'world':52} {'true':14} {'ours':44} OONI: blocking / accessible, flags"
    lines = ["", "The worlds of OONI's suite: our answer, and OONI's own headline.", head]
    ours = theirs = 0
    for number, mark in rows:
        headline = HEADLINES[number]
        good, right = mark.grade is Grade.EXACT, is_right(headline, mark.truth)
        ours, theirs = ours + good, theirs + right
        said = f"{mark.said.status.value} {', '.join(pattern.value for pattern in mark.said.patterns[:1])}".strip()
        flags = "/".join(map(str, headline.flags))
        lines.append(
            f"  {number:>2} {mark.scenario[8:][:52]:52} {mark.truth.status.value:14} "
            f"{'✓' if good else '✗'} {said[:42]:42} {'✓' if right else '✗'} {headline!s:22} {flags}"
        )
    lines.append(f"  right: ours {ours} of {len(rows)}, OONI's headline {theirs} of {len(rows)}")
    return lines
