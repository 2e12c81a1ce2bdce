"""Which of thousands of fingerprints a page matches, without searching the page for each.

A pattern of thirteen bytes or more that stands in a text holds one of the text's slices at 0, 7, 14, …: so these are
looked up in a table of the patterns' own slices, and only what is found there is compared for good. Exact, not a
heuristic; the few shorter patterns are searched for one by one. Slices are of UTF-8: cutting bytes takes half the time
of cutting text.
"""

import functools
import re
import struct

from probe.model.fingerprint import Fingerprint, FoundIn, Matching

GRAM = 7
"""Bytes of a slice."""
LEAST = 2 * GRAM - 1
"""Shorter patterns may stand between two slices."""
WORTH_IT = 40
"""Fewer patterns than this are searched for sooner than a page is cut to slices."""
_SLICE = struct.Struct(f"{GRAM}s")


class PrintIndex:
    """Fingerprints by what they look at. Long-lived; holds no state of a page."""

    def __init__(self, fingerprints: tuple[Fingerprint, ...]) -> None:
        numbered = list(enumerate(fingerprints))
        self._fingerprints = fingerprints
        self._titles = [number for number, found in numbered if found.found_in is FoundIn.TITLE]
        self._headers: dict[str, list[int]] = {}
        self._answers: dict[str, list[int]] = {}
        self._whole: dict[str, list[int]] = {}
        self._searched: list[int] = []
        self._grams: dict[bytes, list[int]] = {}
        sliced: list[int] = []
        for number, found in numbered:
            if found.found_in is FoundIn.HEADER:
                self._headers.setdefault(found.header, []).append(number)
            elif found.found_in is FoundIn.DNS:
                self._answers.setdefault(found.pattern.strip().lower().rstrip("."), []).append(number)
            elif found.found_in is FoundIn.BODY and found.matching is Matching.FULL:
                self._whole.setdefault(found.pattern, []).append(number)
            elif found.found_in is FoundIn.BODY:
                slices = found.matching is Matching.CONTAINS and len(found.pattern.encode()) >= LEAST
                (sliced if slices else self._searched).append(number)
        if len(sliced) < WORTH_IT:
            self._searched += sliced
        else:
            self._slice(sliced)

    def _slice(self, numbers: list[int]) -> None:
        """File each pattern under the slices of the part of it that it shares with the fewest others."""
        shared: dict[bytes, int] = {}
        for number in numbers:
            for gram in set(_slices(self._fingerprints[number].pattern)):
                shared[gram] = shared.get(gram, 0) + 1
        for number in numbers:
            grams = _slices(self._fingerprints[number].pattern)
            counts = [shared[gram] for gram in grams]
            start = min(range(len(grams) - GRAM + 1), key=lambda at: sum(counts[at : at + GRAM]))
            for gram in set(grams[start : start + GRAM]):
                self._grams.setdefault(gram, []).append(number)

    def match_page(self, body: str, title: str, headers: list[tuple[str, str]]) -> list[Fingerprint]:
        """Return what an answer matches, in the order of the list; header names are in lower case."""
        found = {number for number in self._titles if _compare(self._fingerprints[number], title)}
        for name, value in headers:
            found.update(n for n in self._headers.get(name, ()) if _compare(self._fingerprints[n], value))
        found.update(self._whole.get(body, ()))
        maybe = set(self._searched)
        grams = self._grams
        if grams:
            data = body.encode("utf-8", "replace")
            whole = memoryview(data)[: len(data) // GRAM * GRAM]
            present = {gram for (gram,) in _SLICE.iter_unpack(whole) if gram in grams}
            maybe.update(number for gram in present for number in grams[gram])
        found.update(number for number in maybe if _compare(self._fingerprints[number], body))
        return [self._fingerprints[number] for number in sorted(found)]

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


def _slices(pattern: str) -> list[bytes]:
    """Return the slices of a pattern at every place."""
    data = pattern.encode()
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
