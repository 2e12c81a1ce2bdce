"""What gives a forged answer away, apart from its content."""

import hypothesis.strategies as st
from hypothesis import given

from probe.classify.facts.forgery import find_proxies, find_two_faced, from_other_distance, neighbourhood
from probe.classify.tries import build_tries
from probe.model.failure import FailureCode
from probe.model.observation import DNSLookup
from tests.golden.forgery import BOX, GOOGLE, STRANGERS, from_afar, strangers
from tests.unit.classify.cases import DOH, DOT, NAME, QUAD9, REAL, Story


def tries(story):
    return build_tries(tuple(story.observations), tuple(story.experiments))


def lookups(story):
    return [(row, row.observation) for row in tries(story) if isinstance(row.observation, DNSLookup)]


def test_an_address_that_shows_the_certificates_of_unrelated_sites_is_a_proxy():
    assert find_proxies(tries(strangers(Story(), served=True)), frozenset({BOX}), frozenset({REAL})) == {BOX}


def test_an_address_that_encrypted_resolvers_give_too_is_none():
    rows = tries(strangers(Story(), served=True))
    assert not find_proxies(rows, frozenset({BOX}), frozenset({BOX, REAL}))


def test_two_names_of_one_block_are_one_operator():
    homes = {"a.example": "185.107.1.1", "b.example": "185.107.2.2"}
    rows = tries(strangers(Story(), served=True, homes=homes))
    assert not find_proxies(rows, frozenset({BOX}), frozenset({REAL}))


def test_a_neutral_name_of_which_nobody_knows_the_home_counts_for_nothing():
    story = strangers(Story(), served=True)
    story.observations[:] = [o for o in story.observations if not isinstance(o, DNSLookup)]
    assert not find_proxies(tries(story), frozenset({BOX}), frozenset({REAL}))


def test_a_certificate_that_is_not_valid_serves_nobody():
    assert not find_proxies(tries(strangers(Story(), served=False)), frozenset({BOX}), frozenset({REAL}))


def test_a_server_that_says_one_thing_in_private_and_another_in_the_clear_has_two_faces():
    story = Story().ask(REAL, DOH).ask(BOX, GOOGLE).ask(REAL, DOT).ask(REAL, QUAD9)
    assert find_two_faced(lookups(story), frozenset({REAL})) == {"8.8.8.8"}


def test_a_server_that_tells_the_truth_once_in_the_clear_has_one_face():
    story = Story().ask(REAL, DOH).ask(BOX, GOOGLE).ask(REAL, GOOGLE, number=2)
    assert not find_two_faced(lookups(story), frozenset({REAL}))


def test_what_a_server_denies_in_private_and_gives_in_the_clear_counts_too():
    story = Story().ask(FailureCode.DNS_NXDOMAIN, DOH).ask(BOX, GOOGLE)
    assert find_two_faced(lookups(story), frozenset()) == {"8.8.8.8"}


def test_silence_in_private_is_no_second_face():
    story = Story().ask(FailureCode.TIMEOUT, DOH).ask(BOX, GOOGLE)
    assert not find_two_faced(lookups(story), frozenset())


def replies(ttl, neutral_ttl, times):
    story = from_afar(Story().again(BOX, times=times).neutrals(times=times), ttl, neutral_ttl)
    seen = [o for o in story.observations if isinstance(o, DNSLookup)]
    return [o for o in seen if o.name == NAME], [o for o in seen if o.name != NAME]


@given(ttl=st.integers(1, 255), other=st.integers(1, 255))
def test_distance_tells_only_where_no_reply_shares_it(ttl, other):
    assert from_other_distance(*replies(ttl, other, 3)) is (ttl != other)


def test_two_replies_are_too_few_for_a_distance():
    assert not from_other_distance(*replies(62, 57, 2))


def test_a_neighbourhood_is_a_block_or_the_thing_itself():
    assert neighbourhood("185.107.1.1") == neighbourhood("185.107.200.9") != neighbourhood("185.108.1.1")
    assert neighbourhood("2a02:2d8::1") == neighbourhood("2a02:2d8:ffff::1")
    assert neighbourhood("no address") == "no address"
    assert len({neighbourhood(home) for home in STRANGERS.values()}) == len(STRANGERS)
