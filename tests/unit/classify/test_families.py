"""IPv4 and IPv6 are judged apart: what one family meets says nothing of the other."""

import msgspec
import pytest

from probe.classify.judge import judge
from probe.classify.plans.plan import plan
from probe.model.endpoint import AddressFamily, Endpoint
from probe.model.experiment import Design, NameKind, Step
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, Status
from tests.unit.classify.cases import DOH, DOT, FIT, NEUTRAL, OWN, REAL, Story

V6 = "2a0d:5600:7::80"
REAL_V6 = "2a0d:5600:9::80"
BOTH = msgspec.structs.replace(FIT, families=(4, 6))
TEREDO, BOGON = "2001::6ca0:a7ae", "10.10.34.35"


def looked_up(v4: str = OWN, v6: str = V6) -> Story:
    return Story().dns(v4).dns(v6, query_type="AAAA")


def named(story: Story, address: str, *, control: str = "ok", times: int = 5) -> Story:
    """Tell of a name that is reset at an address each time, and of neutral names in turn."""
    story.tcp(address=address).tls("reset", address=address)
    for number in range(1, times + 1):
        story.pair(number, "reset" if number < times else "", control, address=address)
    return story


def works(story: Story, address: str) -> Story:
    return story.tcp(address=address).tls(address=address).http(address=address)


def test_a_name_that_is_reset_over_one_family_alone_degrades_and_the_verdict_says_which():
    for bad, good, family in ((OWN, V6, 4), (V6, OWN, 6)):
        verdict = judge(works(named(looked_up(), bad), good).case(baseline=BOTH))
        assert (verdict.status, verdict.cause) == (Status.DEGRADED, Cause.NETWORK)
        assert verdict.patterns[0] is Pattern.TLS_RESET_SNI
        assert verdict.summary.startswith(f"Over IPv{family} only, while IPv{10 - family} works: ")
        assert (verdict.addresses[1] > 0, verdict.addresses[3] > 0) == (family == 6, family == 4)


def test_an_address_that_is_dropped_over_one_family_degrades():
    for bad, good, family in ((OWN, V6, 4), (V6, OWN, 6)):
        story = works(looked_up(), good).tcp("silent", address=bad).once_more(Step.CONNECT, "silent", address=bad)
        verdict = judge(story.case(baseline=BOTH))
        assert verdict.status is Status.DEGRADED
        assert verdict.patterns[0].layer == "ip"
        assert verdict.summary.startswith(f"Over IPv{family} only")


def test_one_bad_address_of_two_is_not_the_familys():
    story = works(works(Story().dns((OWN, REAL)).dns(V6, query_type="AAAA"), OWN), V6)
    verdict = judge(
        story.tcp("silent", address=REAL).once_more(Step.CONNECT, "silent", address=REAL).case(baseline=BOTH)
    )
    assert verdict.status is Status.DEGRADED
    assert not verdict.summary.startswith("Over IPv")


def test_a_target_fixed_to_a_family_is_judged_for_that_alone():
    story = named(looked_up(), V6)
    story.target = msgspec.structs.replace(story.target, family=AddressFamily.V6)
    verdict = judge(story.case(baseline=BOTH))
    assert (verdict.status, verdict.confidence) == (Status.LIKELY_BLOCKED, Confidence.C2)


def test_neutral_names_of_one_family_clear_nothing_of_the_other():
    """Over IPv4 the name is the trigger; over IPv6 every name is reset, and no design isolates anything there."""
    story = named(named(looked_up(), OWN), V6, control="reset", times=2)
    verdict = judge(story.case(baseline=BOTH))
    assert (verdict.status, verdict.patterns) == (Status.IMPAIRED, (Pattern.TLS_RESET,))
    assert {e.rule_id for e in verdict.evidence} == {"tls.reset.sni.neutral_ok", "tls.reset.reset.seen"}


def test_where_neutral_names_pass_over_both_their_tries_count_together():
    story = named(named(looked_up(), OWN, times=3), V6, times=3)
    verdict = judge(story.case(baseline=BOTH))
    assert (verdict.status, verdict.confidence) == (Status.LIKELY_BLOCKED, Confidence.C2)


def test_a_family_that_is_stuck_does_not_shorten_the_other_ones_design():
    story = named(named(looked_up(), OWN, times=3).pair(4, "", "ok"), V6, control="reset", times=2)
    tests = [e for e in plan(story.case(baseline=BOTH)).now if e.design is Design.SNI and e.name_kind is NameKind.TEST]
    assert [e.endpoint for e in tests] == [Endpoint(address=OWN, port=443)]


def test_what_one_family_meets_each_time_is_no_share():
    story = works(named(looked_up(), V6, times=2), OWN)
    assert not [e for e in plan(story.case(baseline=BOTH)).now if e.design is Design.SHARE]


@pytest.mark.parametrize(
    ("given", "kind", "real", "pattern"),
    [
        ((BOGON, V6), "A", OWN, Pattern.DNS_INJECTION_BOGON),
        ((OWN, TEREDO), "AAAA", V6, Pattern.DNS_INJECTION_TEREDO),
    ],
)
def test_one_family_forged_degrades_where_the_other_leads_to_the_site(given, kind, real, pattern):
    story = looked_up(*given)
    bad, good = given if kind == "A" else given[::-1]
    works(story, good).tcp("silent", address=bad)
    first = plan(story.case(baseline=BOTH)).now
    assert {e.query_type for e in first if e.design in (Design.RESOLVERS, Design.REPEAT) and e.resolver} == {kind}
    story.ask(real, DOH, query_type=kind).ask(real, DOT, query_type=kind).again(bad, times=1).neutrals()
    story.experiments = [msgspec.structs.replace(e, query_type=kind) for e in story.experiments]
    again = [o for o in story.observations if o.experiment.startswith("repeat")]
    for seen in again:
        at = story.observations.index(seen)
        story.observations[at] = msgspec.structs.replace(seen, query_type=kind)
    verdict = judge(story.case(baseline=BOTH))
    assert verdict.status is Status.DEGRADED
    assert verdict.patterns[0] is pattern


def test_both_families_forged_are_no_way_in():
    story = looked_up(BOGON, TEREDO).ask(OWN, DOH).ask(OWN, DOT).again(BOGON, times=1).neutrals()
    story.tcp("silent", address=BOGON).tcp("silent", address=TEREDO)
    assert not judge(story.case(baseline=BOTH)).status.reachable


def test_an_empty_answer_for_one_family_is_nothing_odd():
    story = Story().dns(OWN)
    story.dns(query_type="AAAA")
    assert judge(works(story, OWN).case(baseline=BOTH)).status is Status.OK
    assert NEUTRAL not in {e.name for e in plan(story.case(baseline=BOTH)).now}
