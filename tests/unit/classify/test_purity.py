"""The same case always gives the same verdict, the short way gives what the long way gives, and order is no factor."""

import hypothesis.strategies as st
import msgspec
from hypothesis import given, settings

from probe.classify.clean import judge_clean
from probe.classify.judge import judge
from probe.classify.plans.plan import plan
from probe.model.failure import FailureCode
from probe.model.verdict import Status
from tests.unit.classify.cases import DOH, DOT, FIT, OTHER, OWN, QUAD9, REAL, Story

V6 = "2a02:2d8:1::1"
ADDRESSES = (OWN, OTHER, REAL, V6)
BOTH = {"baseline": msgspec.structs.replace(FIT, families=(4, 6))}


@st.composite
def clean_stories(draw):
    chosen = draw(st.lists(st.sampled_from(ADDRESSES), min_size=1, unique=True))
    story = Story()
    v4, v6 = [a for a in chosen if ":" not in a], [a for a in chosen if ":" in a]
    if v4:
        story.dns(tuple(v4))
    if v6:
        story.dns(tuple(v6), query_type="AAAA")
    for address in chosen:
        story.tcp(address=address).tls(address=address)
    fetching = draw(st.sampled_from(chosen))
    redirects = draw(st.integers(0, 2))
    for hop in range(redirects):
        where = (("location", "https://www.site.example/next"),)
        status = draw(st.sampled_from((301, 302, 307)))
        story.http(status=status, headers=where, address=fetching, hop=hop)
        story.dns(OWN, hop=hop + 1).tcp(hop=hop + 1).tls(hop=hop + 1)
        fetching = OWN
    status = draw(st.sampled_from((200, 201, 204, 206, 304)))
    headers = draw(st.sampled_from(((), (("cf-mitigated", "challenge"),))))
    return story.http(status=status, address=fetching, hop=redirects, headers=headers)


@given(clean_stories(), st.sampled_from(((4,), (4, 6), ())), st.booleans())
@settings(max_examples=300, deadline=None)
def test_the_short_way_gives_what_the_long_way_gives(story, families, looked):
    baseline = msgspec.structs.replace(FIT, families=families) if looked else None
    case = story.case(baseline=baseline)
    short = judge_clean(case)
    if short is not None:
        assert short == judge(case)
        assert short.status is Status.OK


@given(clean_stories())
@settings(max_examples=100, deadline=None)
def test_the_short_way_is_taken_and_asks_nothing(story):
    case = story.case(**BOTH)
    assert judge_clean(case) is not None
    assert plan(case).now == ()


ANSWERS = st.sampled_from((OWN, REAL, "10.0.0.1", "0.0.0.0", FailureCode.DNS_NXDOMAIN, FailureCode.TIMEOUT))
OUTCOMES = st.sampled_from(("ok", "reset", "fin", "silent", "alert", "untrusted", "garbage"))


@st.composite
def any_stories(draw):
    story = Story().dns(draw(ANSWERS))
    for _ in range(draw(st.integers(0, 3))):
        address = draw(st.sampled_from((OWN, OTHER)))
        story.tcp(draw(st.sampled_from(("ok", "silent", "refused"))), address=address)
        story.tls(draw(OUTCOMES), address=address)
    if draw(st.booleans()):
        story.http(draw(st.sampled_from(("ok", "reset", "stalled", "dripping"))))
    for number in range(draw(st.integers(0, 6))):
        story.pair(number + 1, draw(OUTCOMES), draw(OUTCOMES), address=draw(st.sampled_from((OWN, OTHER))))
    for resolver in (DOH, DOT, QUAD9):
        if draw(st.booleans()):
            story.ask(draw(ANSWERS), resolver)
    if draw(st.booleans()):
        story.again(draw(ANSWERS)).neutrals(draw(ANSWERS))
    if draw(st.booleans()):
        story.validate(REAL, draw(st.sampled_from(("ok", "untrusted", "reset"))))
    return story


@given(any_stories())
@settings(max_examples=300, deadline=None)
def test_judging_and_planning_twice_gives_the_same(story):
    assert judge(story.case()) == judge(story.case())
    assert plan(story.case()) == plan(story.case())


@given(any_stories(), st.randoms(use_true_random=False))
@settings(max_examples=300, deadline=None)
def test_experiments_may_be_listed_in_any_order(story, random):
    """Within one measurement the times decide, not the order of appending."""
    checks = [o for o in story.observations if not o.experiment]
    rest = [o for o in story.observations if o.experiment]
    random.shuffle(rest)
    shuffled = story.case(observations=(*checks, *rest))
    one, other = judge(story.case()), judge(shuffled)
    assert (one.status, one.patterns, one.cause, one.confidence) == (
        other.status,
        other.patterns,
        other.cause,
        other.confidence,
    )


@given(any_stories())
@settings(max_examples=300, deadline=None)
def test_a_case_survives_being_stored(story):
    case = story.case()
    assert judge(msgspec.json.decode(msgspec.json.encode(case), type=type(case))) == judge(case)


@given(any_stories())
@settings(max_examples=300, deadline=None)
def test_a_verdict_is_consistent_with_itself(story):
    verdict = judge(story.case())
    layers = [pattern.layer for pattern in verdict.patterns]
    assert len(layers) == len(set(layers))
    if verdict.status is not Status.OK and verdict.patterns:
        named = {e.pattern for e in verdict.evidence}
        assert all(p in named or any(p.value in n.ancestors for n in named if n) for p in verdict.patterns)
    assert verdict.summary
