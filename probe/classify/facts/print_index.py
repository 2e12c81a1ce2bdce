"""Which of thousands of fingerprints a page matches, without searching the page for each.

A pattern of thirteen bytes or more that stands in a text holds one of the text's slices at 0, 7, 14, …: so these are
looked up in a table of the patterns' own slices, and where one is found together with the pattern's next, the pattern
is compared for good. Exact, not a heuristic; the few shorter patterns are searched for one by one. Of a regular
expression what any match must hold is looked for. Slices are of UTF-8, cut and looked up many at once: one by one that
would take twice the time.
"""

import functools
import re
import struct

from probe.classify.facts.required_text import find_required_text
from probe.model.fingerprint import Fingerprint, FoundIn, Matching

GRAM = 7
"""Bytes of a slice."""
LEAST = 2 * GRAM - 1
"""Shorter patterns may stand between two slices."""
WORTH_IT = 40
"""Fewer patterns than this are searched for sooner than a page is cut to slices."""
_BLOCK = struct.Struct(f"{GRAM}s" * 256)
"""So many slices are cut by one call."""


class PrintIndex:
    """Fingerprints by what they look at. Long-lived; holds no state of a page."""

    def __init__(self, fingerprints: tuple[Fingerprint, ...]) -> None:
        numbered = list(enumerate(fingerprints))
        self._fingerprints = fingerprints
        self._titles = [number for number, found in numbered if found.found_in is FoundIn.TITLE]
        self._headers: dict[str, list[int]] = {}
        self._answers: dict[str, list[int]] = {}
        self._whole: dict[str, list[int]] = {}
        self._searched: dict[str, list[int]] = {}
        """By a text that must stand in the page."""
        self._grams: dict[bytes, list[tuple[int, bytes]]] = {}
        """By slice: the patterns that hold it, each with one of its slices that is next to it; empty = none is."""
        self._any_gram: frozenset[bytes] = frozenset()
        sliced: list[tuple[int, bytes]] = []
        for number, found in numbered:
            if found.found_in is FoundIn.HEADER:
                self._headers.setdefault(found.header, []).append(number)
            elif found.found_in is FoundIn.DNS:
                self._answers.setdefault(found.pattern.strip().lower().rstrip("."), []).append(number)
            elif found.found_in is FoundIn.BODY and found.matching is Matching.FULL:
                self._whole.setdefault(found.pattern, []).append(number)
            elif found.found_in is FoundIn.BODY:
                regexp = found.matching is Matching.REGEXP
                text = find_required_text(found.pattern) if regexp else found.pattern
                if len(text.encode()) >= LEAST:
                    sliced.append((number, text.encode()))
                else:
                    self._searched.setdefault(text, []).append(number)
        if len(sliced) >= WORTH_IT:
            self._slice(sliced)
        else:
            for number, data in sliced:
                self._searched.setdefault(data.decode(), []).append(number)

    def _slice(self, texts: list[tuple[int, bytes]]) -> None:
        """File each text under the slices of the part of it that it shares with the fewest others."""
        shared: dict[bytes, int] = {}
        for _, text in texts:
            for gram in set(_slices(text)):
                shared[gram] = shared.get(gram, 0) + 1
        for number, text in texts:
            grams = _slices(text)
            counts = [shared[gram] for gram in grams]
            start = min(range(len(grams) - GRAM + 1), key=lambda at: sum(counts[at : at + GRAM]))
            for at in range(start, start + GRAM):
                beside = at + GRAM if at + GRAM < len(grams) else at - GRAM
                self._grams.setdefault(grams[at], []).append((number, grams[beside] if beside >= 0 else b""))
        self._any_gram = frozenset(self._grams)

    def match_page(self, body: str, title: str, headers: list[tuple[str, str]]) -> list[Fingerprint]:
        """Return what an answer matches, in the order of the list; header names are in lower case."""
        found = {number for number in self._titles if _compare(self._fingerprints[number], title)}
        for name, value in headers:
            found.update(n for n in self._headers.get(name, ()) if _compare(self._fingerprints[n], value))
        found.update(self._whole.get(body, ()))
        maybe = set(self._find_sliced(body)) if self._grams else set()
        maybe.update(number for text, numbers in self._searched.items() if text in body for number in numbers)
        found.update(number for number in maybe if _compare(self._fingerprints[number], body))
        return [self._fingerprints[number] for number in sorted(found)]

    def _find_sliced(self, body: str) -> list[int]:
        """Return the sliced patterns that a text may match: two neighbouring slices of them stand in it."""
        data = body.encode("utf-8", "replace")
        blocks = tuple(_BLOCK.iter_unpack(data + bytes(-len(data) % _BLOCK.size)))
        maybe = [held for block in blocks for gram in self._any_gram.intersection(block) for held in self._grams[gram]]
        beside = frozenset([gram for _, gram in maybe])
        present = {b"", *(gram for block in blocks for gram in beside.intersection(block))} if maybe else set()
        return [number for number, gram in maybe if gram in present]

    def match_answer(self, value: str) -> list[Fingerprint]:
        """Return what an address or alias of a DNS answer matches: those patterns are whole values."""
        numbers = self._answers.get(value.lower().rstrip("."), ())
        return [self._fingerprints[number] for number in numbers]


class _Same:
    """A list of fingerprints as a key: by identity, for comparing thousands takes longer than searching for them."""

    def __init__(self, fingerprints: tuple[Fingerprint, ...]) -> None:
        self.fingerprints = fingerprints

    def __hash__(self) -> int:
        return id(self.fingerprints)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.fingerprints is self.fingerprints


@functools.lru_cache(maxsize=8)
def _build(key: _Same) -> PrintIndex:
    return PrintIndex(key.fingerprints)


def index_of(fingerprints: tuple[Fingerprint, ...]) -> PrintIndex:
    """Return the index of a list; each list that is in use has one."""
    return _build(_Same(fingerprints))


def _slices(data: bytes) -> list[bytes]:
    """Return the slices of a text at every place."""
    return [data[at : at + GRAM] for at in range(len(data) - GRAM + 1)]


def _compare(fingerprint: Fingerprint, text: str) -> bool:
    match fingerprint.matching:
        case Matching.CONTAINS:
            return fingerprint.pattern in text
        case Matching.PREFIX:
            return text.startswith(fingerprint.pattern)
        case Matching.FULL:
            return text == fingerprint.pattern
        case Matching.REGEXP:
            return re.search(fingerprint.pattern, text) is not None
