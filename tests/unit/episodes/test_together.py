"""Changes at the same time are one event with members; a group ends only when each of its members has ended."""

from hypothesis import given
from hypothesis import strategies as st

from probe.episodes.together import SharedBy, Together, Trait, overlap, take
from probe.model.episode import Event, EventKind, Interval
from probe.model.pattern import Pattern
from probe.model.verdict import Status

SITE = Trait(SharedBy.SUFFIX, "site.example")
NET = Trait(SharedBy.AS, "AS64501")
HOP = Trait(SharedBy.LOCUS, "hop 3, AS4134")


def onset(target: str, before: float | None, first: float, pattern: Pattern = Pattern.TLS_RESET_SNI) -> Event:
    return Event(
        kind=EventKind.ONSET,
        at=first + 30,
        target=target,
        since=Interval(last_before=before, first_in=first),
        after=Status.LIKELY_BLOCKED,
        patterns=(pattern,),
    )


def ended(target: str, at: float) -> Event:
    return Event(kind=EventKind.ENDED, at=at, target=target, since=Interval(last_before=at - 90, first_in=at - 60))


def tell(*changes: tuple[Event, tuple[Trait, ...]]) -> tuple[Together, list[Event]]:
    state, told = Together(), []
    for event, traits in changes:
        state, news = take(state, event, traits)
        told += news
    return state, told


def test_two_names_of_one_site_are_one_event_with_the_moment_that_fits_both() -> None:
    _, told = tell((onset("a", 100, 400), (SITE,)), (onset("b", 250, 550), (SITE,)))
    (group,) = told
    assert (group.kind, group.members, group.patterns) == (EventKind.GROUP, ("a", "b"), (Pattern.TLS_RESET_SNI,))
    assert group.since == Interval(last_before=250, first_in=400)
    assert group.text == "2 targets together: tls.reset.sni, suffix site.example"


def test_two_of_one_network_are_chance_and_three_are_not() -> None:
    changes = [(onset(name, 100, 400 + n), (NET,)) for n, name in enumerate("abc")]
    assert tell(*changes[:2])[1] == []
    assert tell(*changes)[1][0].members == ("a", "b", "c")


def test_other_patterns_other_traits_and_other_moments_stay_apart() -> None:
    first = (onset("a", 100, 400), (SITE,))
    assert tell(first, (onset("b", 100, 400, Pattern.DNS_NXDOMAIN), (SITE,)))[1] == []
    assert tell(first, (onset("b", 100, 400), (Trait(SharedBy.SUFFIX, "other.example"),)))[1] == []
    assert tell(first, (onset("b", 400, 700), (SITE,)))[1] == []


def test_what_is_seen_less_well_of_one_is_the_same_thing() -> None:
    """One target's first verdict says that it is reset, another's that it is its name."""
    for first, second in ((Pattern.TLS_RESET, Pattern.TLS_RESET_SNI), (Pattern.TLS_RESET_SNI, Pattern.TLS_RESET)):
        _, told = tell((onset("a", 100, 400, first), (SITE,)), (onset("b", 250, 550, second), (SITE,)))
        assert [(group.members, group.patterns) for group in told] == [(("a", "b"), (Pattern.TLS_RESET,))]
        assert told[0].text == "2 targets together: tls.reset, suffix site.example"


def test_two_that_differ_are_not_joined_by_a_third_that_says_less() -> None:
    """Both are resets; one is of a name, the other of a fingerprint."""
    third = (onset("c", 100, 402, Pattern.TLS_RESET_FINGERPRINT), (SITE,))
    _, told = tell((onset("a", 100, 400), (SITE,)), third, (onset("b", 100, 401, Pattern.TLS_RESET), (SITE,)))
    assert [group.members for group in told] == [("c", "b")]


def test_a_group_that_grows_says_what_holds_for_all() -> None:
    state, _ = tell((onset("a", 100, 400), (SITE,)), (onset("b", 100, 401), (SITE,)))
    state, _ = take(state, onset("c", 100, 402, Pattern.TLS_RESET), (SITE,))
    assert [(group.pattern, group.members) for group in state.open] == [("tls.reset", ("a", "b", "c"))]


def test_the_closest_thing_in_common_is_told() -> None:
    _, told = tell(*((onset(name, 100, 400), (NET, SITE, HOP)) for name in "ab"))
    assert told[0].text.endswith("suffix site.example")


def test_a_group_grows_quietly_and_is_told_again_when_it_has_doubled() -> None:
    names = "abcdefgh"
    _, told = tell(*((onset(name, 100, 400), (SITE,)) for name in names))
    assert [len(event.members) for event in told] == [2, 4, 8]


def test_groups_that_one_onset_belongs_to_alike_are_one_and_that_is_told() -> None:
    """Some were located on the way and some were not, and all of it is one change."""
    at_address = Trait(SharedBy.ADDRESS, "45.90.1.1")
    state, told = tell(
        *((onset(name, 100, 400), (HOP,)) for name in "abc"),
        *((onset(name, 150, 450, Pattern.TLS_RESET), (at_address,)) for name in "de"),
        (onset("f", 120, 420), (at_address, HOP)),
    )
    (group,) = state.open
    assert [event.members for event in told[:2]] == [("a", "b", "c"), ("d", "e")]
    assert set(told[-1].members) == set("abcdef") == set(group.members)
    assert (told[-1].patterns, told[-1].text) == (
        (Pattern.TLS_RESET,),
        "6 targets together: tls.reset, locus hop 3, AS4134",
    )
    assert told[-1].since == Interval(last_before=150, first_in=400)


def test_by_what_a_member_has_others_join_but_not_by_its_network() -> None:
    at_address = Trait(SharedBy.ADDRESS, "45.90.1.1")
    located = [(onset(name, 100, 400), (HOP, NET, at_address)) for name in "abc"]
    (group,) = tell(*located, (onset("d", 100, 400), (at_address,)))[0].open
    assert group.members == ("a", "b", "c", "d")
    (group,) = tell(*located, (onset("d", 100, 400), (NET,)))[0].open
    assert group.members == ("a", "b", "c")


def test_a_group_is_named_for_what_most_of_its_members_have() -> None:
    first, second = Trait(SharedBy.ADDRESS, "45.90.1.1"), Trait(SharedBy.ADDRESS, "45.90.2.2")
    state, told = tell(
        *((onset(name, 100, 400), (first, HOP)) for name in "ab"),
        *((onset(name, 100, 400), (second, HOP)) for name in "cd"),
    )
    assert told[0].text == "2 targets together: tls.reset.sni, address 45.90.1.1"
    assert told[-1].text == "4 targets together: tls.reset.sni, locus hop 3, AS4134"
    assert state.open[0].trait == HOP


def test_groups_of_other_moments_stay_two_though_one_onset_fits_both() -> None:
    at_address = Trait(SharedBy.ADDRESS, "45.90.1.1")
    state, _ = tell(
        *((onset(name, 100, 200), (HOP,)) for name in "abc"),
        *((onset(name, 200, 300), (at_address,)) for name in "de"),
        (onset("f", 150, 250), (at_address, HOP)),
    )
    assert sorted(map(len, (group.members for group in state.open))) == [2, 4]


def test_it_ends_with_the_last_of_its_members_and_not_before() -> None:
    state, _ = tell((onset("a", 100, 400), (SITE,)), (onset("b", 100, 400), (SITE,)))
    state, told = take(state, ended("a", 900), ())
    assert told == ()
    state, (end,) = take(state, ended("b", 1200), ())
    assert (end.kind, end.members, end.since) == (
        EventKind.GROUP_ENDED,
        ("a", "b"),
        Interval(last_before=1110, first_in=1140),
    )
    assert state.open == ()


def test_a_member_that_is_measured_no_more_keeps_it_open() -> None:
    state, _ = tell((onset("a", 100, 400), (SITE,)), (onset("b", 100, 400), (SITE,)))
    state, _ = take(state, ended("a", 900), ())
    assert [group.lasting for group in state.open] == [{"b"}]


def test_an_onset_of_two_hours_ago_joins_nothing_new() -> None:
    late = onset("b", None, 400)
    late = Event(kind=late.kind, at=9000, target="b", since=late.since, patterns=late.patterns)
    assert tell((onset("a", None, 400), (SITE,)), (late, (SITE,)))[1] == []


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans(), st.integers(0, 500)), max_size=40))
def test_whatever_comes_members_are_told_once_and_ends_only_after_all_ended(
    changes: list[tuple[str, bool, int]],
) -> None:
    state, bad, recovered = Together(), set(), set()
    for target, good, at in changes:
        bad = bad - {target} if good else bad | {target}
        recovered |= {target} if good else set()
        event = ended(target, at) if good else onset(target, at, at + 300)
        state, told = take(state, event, (SITE,))
        for one in told:
            assert len(set(one.members)) == len(one.members)
            # Who has recovered may fail again before the group's last member recovers: that is another change.
            assert one.kind is EventKind.GROUP or bad.intersection(one.members) <= recovered
    assert all(group.lasting <= bad for group in state.open)


@given(*([st.integers(0, 50)] * 4))
def test_what_two_intervals_share_lies_in_both(a: int, b: int, c: int, d: int) -> None:
    one, other = Interval(last_before=a, first_in=a + b + 1), Interval(last_before=c, first_in=c + d + 1)
    shared = overlap(one, other)
    if shared is not None:
        assert shared.last_before is not None
        assert max(a, c) == shared.last_before < shared.first_in == min(one.first_in, other.first_in)
