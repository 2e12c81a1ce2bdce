"""The worst error is a false "blocked": whatever happens without regard to the name, nobody is accused of it."""

import hypothesis.strategies as st
from hypothesis import example, given, settings

from probe.classify.judge import judge
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from probe.model.failure import FailureCode
from probe.model.verdict import Cause, Status
from tests.unit.classify.cases import HOME, ISP, NAME, NEUTRAL, OTHER, OWN, Story
from tests.unit.classify.world import World

ACCUSING = (Status.BLOCKED, Status.LIKELY_BLOCKED)
FAILS = ("reset", "fin", "silent", "refused", "unreachable")
OUTCOMES = st.sampled_from(("ok", "ok", *FAILS))
CODES = (FailureCode.DNS_NXDOMAIN, FailureCode.DNS_SERVFAIL, FailureCode.DNS_REFUSED, FailureCode.TIMEOUT,
         FailureCode.DNS_NO_ANSWER)  # fmt: skip


def accuses(verdict):
    return verdict.status in ACCUSING or verdict.cause is Cause.NETWORK


@given(period=st.lists(OUTCOMES, min_size=1, max_size=6), secure=st.booleans(), two=st.booleans())
@example(period=["reset", "ok"], secure=True, two=False)
@example(period=["ok", "reset"], secure=True, two=True)
@example(period=["reset", "ok", "ok", "ok"], secure=True, two=False)
@example(period=["silent", "ok"], secure=False, two=False)
@example(period=["refused", "ok", "silent", "refused"], secure=True, two=True)
@settings(max_examples=300, deadline=None)
def test_a_server_that_fails_in_turn_is_not_a_filter(period, secure, two):
    addresses = (OWN, OTHER) if two else (OWN,)
    world = World(lambda number, name: period[number % len(period)], secure=secure, addresses=addresses)
    verdict, _ = world.run()
    assert not accuses(verdict), [type(o).__name__ for o in world.story.observations]


@given(breaks=st.integers(0, 25), mends=st.integers(0, 25), how=st.sampled_from(FAILS), secure=st.booleans())
@settings(max_examples=300, deadline=None)
def test_an_outage_that_comes_and_goes_is_not_a_filter(breaks, mends, how, secure):
    world = World(lambda number, name: how if breaks <= number < breaks + mends else "ok", secure=secure)
    assert not accuses(world.run()[0])


@given(
    answer=st.one_of(st.sampled_from(CODES), st.just((OWN,)), st.just(("10.0.0.1",)), st.just(("0.0.0.0",))),
    meets=OUTCOMES,
    resolver=st.sampled_from((ISP, HOME)),
)
@settings(max_examples=200, deadline=None)
def test_an_answer_that_all_resolvers_give_for_all_names_is_not_forged(answer, meets, resolver):
    given_to = answer if isinstance(answer, FailureCode) else tuple(answer)
    addresses = () if isinstance(answer, FailureCode) else answer
    world = World(lambda number, name: meets, addresses=addresses, answers=lambda asked, name: given_to)
    assert not accuses(world.run(resolvers=(resolver,))[0])
    assert not accuses(World(lambda n, name: meets, addresses=addresses, answers=lambda a, n: given_to).run()[0])


@given(
    geo=st.lists(st.sampled_from(("45.90.1.1", "45.90.1.2", "45.90.9.9", "45.91.3.3")), min_size=4, max_size=4),
    down=st.sets(st.sampled_from(("45.90.1.1", "45.90.1.2", "45.90.9.9", "45.91.3.3"))),
    how=st.sampled_from(("silent", "reset", "fin")),
)
@settings(max_examples=200, deadline=None)
def test_a_cdn_of_which_some_nodes_are_down_is_not_forged(geo, down, how):
    """Each resolver gets another node, and a node that is down is down for every name."""
    order = iter(range(10**6))
    by_resolver: dict[str, str] = {}

    def answers(asked, name):
        if name == NEUTRAL:
            return "45.90.3.3"
        return by_resolver.setdefault(asked, geo[next(order) % len(geo)])

    own = answers("system", "")
    world = World(lambda number, name: "ok", addresses=(own,), answers=answers)
    dial = world._dial

    def dial_node(address, name, experiment, *, fetch):
        world.meets = lambda number, name: how if address in down else "ok"
        return dial(address, name, experiment, fetch=fetch)

    world._dial = dial_node
    assert not accuses(world.run()[0])


steps = st.lists(
    st.tuples(st.sampled_from(("test", "control")), st.sampled_from(("ok", "reset", "silent"))), max_size=24
)


@given(first=st.sampled_from(("reset", "silent")), steps=steps, hot=st.booleans())
@settings(max_examples=500, deadline=None)
def test_an_accusation_rests_on_five_counted_failures_and_five_good_controls(first, steps, hot):
    """Count by hand, for any order of tries (CONTRACT section 2)."""
    story = Story().dns(OWN).tcp(hot=hot).tls(first)
    counted, cleared, controls, healed = (0 if hot else 1), False, 0, False
    for number, (kind, outcome) in enumerate(steps):
        name = NameKind.TEST if kind == "test" else NameKind.NEUTRAL
        planned = story.experiment(Design.SNI, Step.HANDSHAKE, name, number, endpoint=Endpoint(address=OWN, port=443))
        story.tcp(experiment=planned).tls(outcome, experiment=planned)
        if kind == "control":
            controls += outcome == "ok"
            cleared = cleared or outcome == "ok"
            continue
        healed = healed or outcome == "ok"
        if outcome != "ok":
            counted += cleared and outcome == first
            cleared = False
    verdict = judge(story.case())
    expected = counted >= 5 and controls >= 5 and not healed
    assert accuses(verdict) is expected
    assert verdict.status is not Status.BLOCKED


@given(control=st.sampled_from(FAILS), test=st.sampled_from(("reset", "fin", "silent")), secure=st.booleans())
@settings(deadline=None)
def test_no_accusation_without_a_control_that_passes(control, test, secure):
    world = World(lambda number, name: test if name != NEUTRAL else control, secure=secure)
    assert not accuses(world.run()[0])


@given(how=st.sampled_from(("reset", "fin", "silent")), two=st.booleans())
@settings(deadline=None)
def test_a_filter_on_the_name_is_found_in_the_same_worlds(how, two):
    addresses = (OWN, OTHER) if two else (OWN,)
    verdict, _ = World(lambda number, name: how if name == NAME else "ok", addresses=addresses).run()
    assert (verdict.status, verdict.cause) == (Status.LIKELY_BLOCKED, Cause.NETWORK)


@given(how=st.sampled_from(("reset", "fin")))
@settings(deadline=None)
def test_a_filter_that_punishes_the_place_for_a_while_is_found_once_it_is_cold(how):
    """Ten connections after each trigger fail whatever their name: the late design settles it."""
    until = [0]

    def meets(number, name):
        if name == NAME:
            until[0] = number + 10
            return how
        return how if number < until[0] and world.pending == 0 else "ok"

    world = World(meets)
    verdict, first = world.run(cold_start=False)
    assert judge(first).status is Status.IMPAIRED
    assert world.pending == 1
    assert verdict.status is Status.LIKELY_BLOCKED
