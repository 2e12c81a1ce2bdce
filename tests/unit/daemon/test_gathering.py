"""What a measurement has in common with others, and the groups that outlive the agent's process."""

import msgspec

from probe.daemon.gathering import Gathering, find_traits, restore
from probe.episodes.together import SharedBy, Trait
from probe.model.episode import Event, EventKind, Interval
from probe.model.measurement import Measurement
from probe.model.pattern import Pattern
from probe.model.verdict import Status, Verdict
from tests.unit.classify.cases import OWN, Story
from tests.unit.classify.measured import measured

MOMENT = Interval(last_before=100.0, first_in=400.0)


def run(story: Story, pattern: Pattern, host: str = "www.site.example", **verdict: str) -> Measurement:
    case = story.case()
    target = msgspec.structs.replace(case.target, host=host)
    verdict_given = Verdict(status=Status.LIKELY_BLOCKED, patterns=(pattern,), **verdict)
    return measured(case, target=target, verdict=verdict_given)


def onset(target: str) -> Event:
    return Event(kind=EventKind.ONSET, at=500.0, target=target, since=MOMENT, patterns=(Pattern.TLS_RESET_SNI,))


def test_a_reset_is_of_its_address_its_domain_and_its_place_on_the_way() -> None:
    traits = find_traits(run(Story().dns(OWN).tcp().tls("reset"), Pattern.TLS_RESET_SNI, locus="hop 3, AS64501"))
    assert set(traits) == {
        Trait(SharedBy.ADDRESS, OWN),
        Trait(SharedBy.SUFFIX, "site.example"),
        Trait(SharedBy.LOCUS, "hop 3, AS64501"),
    }


def test_a_false_answer_is_of_its_resolver_and_not_of_the_address_in_it() -> None:
    traits = find_traits(run(Story().dns(OWN).tcp(), Pattern.DNS_INJECTION_RACE))
    assert set(traits) == {Trait(SharedBy.UPSTREAM, "5.62.0.53"), Trait(SharedBy.SUFFIX, "site.example")}


def test_two_names_of_a_site_are_told_together() -> None:
    gathering = Gathering()
    story = Story().dns(OWN).tcp().tls("reset")
    assert gathering.take(run(story, Pattern.TLS_RESET_SNI), (onset("a"),)) == ()
    (group,) = gathering.take(run(story, Pattern.TLS_RESET_SNI, host="img.site.example"), (onset("b"),))
    assert (group.kind, group.members) == (EventKind.GROUP, ("a", "b"))


def test_a_group_that_was_open_is_taken_up_again_and_can_end() -> None:
    text = "2 targets together: tls.reset.sni, locus hop 3, AS64501"
    group = Event(
        kind=EventKind.GROUP, at=500.0, since=MOMENT, patterns=(Pattern.TLS_RESET_SNI,), members=("a", "b"), text=text
    )
    (taken,) = restore((group,))
    assert (taken.trait, taken.members) == (Trait(SharedBy.LOCUS, "hop 3, AS64501"), ("a", "b"))
    gathering = Gathering((group,))
    story = Story().dns(OWN).tcp()
    ends = [Event(kind=EventKind.ENDED, at=900.0, target=target, since=MOMENT) for target in ("a", "b")]
    told = [gathering.take(run(story, Pattern.TLS_RESET_SNI), (end,)) for end in ends]
    assert [len(one) for one in told] == [0, 1]
    larger = msgspec.structs.replace(
        group, members=("a", "b", "c"), text="3 targets together: tls.reset.sni, address ::1"
    )
    assert [one.members for one in restore((larger, group))] == [("a", "b", "c")]
    over = msgspec.structs.replace(group, kind=EventKind.GROUP_ENDED, patterns=())
    assert restore((over, group)) == ()
