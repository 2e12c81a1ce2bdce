import random
import re

from hypothesis import given
from hypothesis import strategies as st

from probe.classify.facts.print_index import LEAST, WORTH_IT, PrintIndex, index_of
from probe.model.fingerprint import Fingerprint, FoundIn, Matching


def mark(pattern, found_in=FoundIn.BODY, **fields):
    given = {"name": "mark", "scope": "nat", "found_in": found_in, "pattern": pattern}
    return Fingerprint(**(given | fields))


MANY = tuple(mark(f"nowhere in any page {number}") for number in range(WORTH_IT))
"""Enough for an index to be made at all."""


def slowly(fingerprints, body):
    """Search for one after the other."""
    matches = {
        Matching.CONTAINS: lambda pattern: pattern in body,
        Matching.PREFIX: body.startswith,
        Matching.FULL: lambda pattern: body == pattern,
        Matching.REGEXP: lambda pattern: re.search(pattern, body) is not None,
    }
    return [found for found in fingerprints if matches[found.matching](found.pattern)]


@given(st.data())
def test_what_is_found_is_what_searching_one_by_one_finds(data):
    letters = st.text(alphabet="abc<>é", max_size=40)
    body = data.draw(st.text(alphabet="abc<>é", max_size=300))
    cut = st.builds(lambda at, size: body[at : at + size], st.integers(0, 300), st.integers(1, 40))
    patterns = data.draw(st.lists((letters | cut).filter(bool), max_size=12))
    kinds = data.draw(st.lists(st.sampled_from(["contains", "prefix", "full", "regexp"]), min_size=12, max_size=12))
    fingerprints = tuple(
        mark(pattern, matching=Matching(kind)) for pattern, kind in zip(patterns, kinds, strict=False)
    )  # fmt: skip
    for more in ((), MANY):
        assert PrintIndex((*fingerprints, *more)).match_page(body, "", []) == slowly(fingerprints, body)


def test_a_pattern_is_found_at_every_place_of_a_page():
    dice = random.Random(1)
    pattern = "".join(dice.choices("abcdefgh", k=LEAST))
    index = PrintIndex((mark(pattern), *MANY))
    for before in range(2 * LEAST):
        assert index.match_page("x" * before + pattern, "", [])
        assert not index.match_page("x" * before + pattern[:-1], "", [])


def test_addresses_and_aliases_are_whole_and_in_any_case():
    index = PrintIndex((mark("Block.isp.example", FoundIn.DNS), mark("192.0.2.1", FoundIn.DNS)))
    assert [found.pattern for found in index.match_answer("block.ISP.example.")] == ["Block.isp.example"]
    assert index.match_answer("192.0.2.1")
    assert not index.match_answer("192.0.2.11")
    assert not index.match_page("192.0.2.1", "192.0.2.1", [("via", "192.0.2.1")])


def test_a_list_has_one_index_and_another_list_another():
    first, second = (mark("one of them"),), (mark("another one"),)
    assert index_of(first) is index_of(first)
    assert index_of(first) is not index_of(second)
