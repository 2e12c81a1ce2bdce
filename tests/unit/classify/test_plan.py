"""Each first failure leads to its follow-ups, few at once, each once, and none where nothing is in doubt."""

import collections

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from probe.classify.judge import judge
from probe.classify.plans.plan import AT_ONCE, plan
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, HelloShape, NameKind, Step
from probe.model.failure import FailureCode, IcmpError
from probe.model.observation import Silence, Transport
from probe.model.target import CheckName, Expect
from probe.model.verdict import Status
from tests.golden.forgery import BOX, everywhere, strangers
from tests.unit.classify.cases import DOH, DOT, ISP, NAME, NEUTRAL, OTHER, OWN, QUAD9, REAL, Story
from tests.unit.classify.cited import cite
from tests.unit.classify.world import World

NX, SERVFAIL, TIMEOUT = FailureCode.DNS_NXDOMAIN, FailureCode.DNS_SERVFAIL, FailureCode.TIMEOUT
CLEAR = {"secure": False, "port": 80, "address": "http://www.site.example"}
HERE = Endpoint(address=OWN, port=443)


def now(story, **fields):
    return plan(story.case(**fields)).now


def designs(story, **fields):
    return collections.Counter(e.design for e in now(story, **fields))


def test_nothing_is_asked_about_a_clean_run():
    assert now(Story().dns(OWN).tcp().tls().http()) == ()


def resolvers_asked(story, **fields):
    wanted = plan(story.case(deep=True, **fields)).now
    return {e.resolver.transport: e for e in wanted if e.design is Design.RESOLVERS}


def test_a_deep_run_holds_a_good_answer_against_one_encrypted_resolver_for_a_short_time():
    (first,) = resolvers_asked(Story().dns(OWN).tcp().tls().http()).values()
    assert first.resolver in (DOH, DOT)
    assert 0 < first.within_s < 2


@pytest.mark.parametrize(
    ("answer", "asks"), [(OWN, False), ((REAL, OWN), False), (REAL, True), (TIMEOUT, True), (NX, True)]
)
def test_another_is_asked_where_the_first_does_not_confirm_the_answer(answer, asks):
    story = Story().dns(OWN)
    (first,) = resolvers_asked(story).values()
    story.experiments.append(first)
    story.dns(answer, resolver=first.resolver, experiment=first)
    other = DOT if first.resolver == DOH else DOH
    assert (other.transport in resolvers_asked(story)) is asks


def test_a_valid_certificate_confirms_an_answer_as_well():
    story = Story().dns(OWN).tcp().tls()
    (first,) = resolvers_asked(Story().dns(OWN)).values()
    story.experiments.append(first)
    story.dns(TIMEOUT, resolver=first.resolver, experiment=first)
    assert resolvers_asked(story) == {}


def test_another_is_asked_while_the_first_keeps_silent():
    story = Story().dns(OWN)
    (first,) = resolvers_asked(story).values()
    story.experiments.append(first)
    hushed = Silence(transaction=99, since_s=0.1, layer="dns", endpoint=first.resolver.endpoint, experiment=first.id)
    assert set(resolvers_asked(story, silences=(hushed,), running=(first.id,))) == {DOT.transport, DOH.transport} - {
        first.resolver.transport
    }


def test_names_take_turns_in_whom_they_ask_first():
    first = set()
    for number in range(20):
        story = Story(host=f"www.site-{number}.example").dns(OWN)
        first |= set(resolvers_asked(story))
    assert first == {Transport.DOH, Transport.DOT}


def test_a_deep_run_sends_one_hello_of_a_browsers_as_soon_as_an_address_accepts():
    (hello,) = (e for e in now(Story().dns(OWN).tcp(), deep=True) if e.design is Design.HELLO)
    assert (hello.design, hello.shape, hello.name, hello.endpoint) == (Design.HELLO, HelloShape.BROWSER, NAME, HERE)
    assert not [e for e in now(Story().dns(OWN), deep=True) if e.design is Design.HELLO]


@pytest.mark.parametrize("code", [NX, SERVFAIL, TIMEOUT, FailureCode.DNS_REFUSED, FailureCode.DNS_NO_ANSWER])
def test_a_name_that_fails_is_asked_of_others_again_and_beside_a_neutral_one(code):
    wanted = now(Story().dns(code))
    asked = {str(e.resolver) for e in wanted if e.design is Design.RESOLVERS}
    assert asked == {str(DOH), str(DOT), str(QUAD9)}
    seen = {e.design for e in wanted}
    assert {Design.REPEAT, Design.NEUTRAL_LOOKUP, Design.SYSTEM} <= seen
    assert {e.name for e in wanted if e.name_kind is NameKind.NEUTRAL} == {NEUTRAL}


def test_an_empty_answer_is_asked_for_in_the_other_family_as_well():
    kinds = {e.query_type for e in now(Story().dns(FailureCode.DNS_NO_ANSWER)) if e.design is Design.RESOLVERS}
    assert kinds == {"A", "AAAA"}


def test_others_are_asked_what_our_resolver_was_asked():
    story = Story(family=6).dns(NX, query_type="AAAA")
    assert {e.query_type for e in now(story) if e.name_kind is NameKind.TEST and e.resolver} == {"AAAA"}


@pytest.mark.parametrize("answer", ["10.10.34.34", "127.0.0.1", "2001::2:1"])
def test_a_suspicious_answer_is_held_against_others_even_while_it_seems_to_work(answer):
    assert designs(Story().dns(answer))[Design.RESOLVERS] == 3


def test_disputed_addresses_are_asked_for_their_certificate():
    story = Story().dns("10.10.34.34").ask(REAL, DOH)
    wanted = [e for e in now(story) if e.design is Design.ADDRESSES]
    assert [(e.endpoint.address, e.step) for e in wanted] == [(REAL, Step.HANDSHAKE)]


def test_of_several_replies_those_that_encrypted_resolvers_confirm_are_asked_first():
    story = Story().dns(OWN, "1.1.1.5", "1.1.1.6", REAL).ask(REAL, DOH)
    assert REAL in [e.endpoint.address for e in now(story) if e.design is Design.ADDRESSES]


def test_a_neutral_question_that_was_lost_is_asked_again():
    story = Story().dns(NX).neutrals(times=2)
    lost = story.experiment(Design.NEUTRAL_LOOKUP, Step.LOOKUP, NameKind.NEUTRAL, 3, resolver=ISP)
    story.dns(TIMEOUT, experiment=lost)
    assert designs(story)[Design.NEUTRAL_LOOKUP] == 1


def test_an_unexpected_answer_of_a_dns_target_is_held_against_encrypted_ones():
    target = {"check": CheckName.DNS, "port": 53, "address": "dns://www.site.example"}
    assert designs(Story(**target, expect=Expect(answer=(REAL,))).dns(OWN))[Design.RESOLVERS] == 3
    assert now(Story(**target, expect=Expect(answer=(OWN,))).dns(OWN)) == ()


def test_a_silent_connect_is_repeated_and_another_port_tried():
    wanted = now(Story().dns(OWN).tcp("silent"))
    # Who connects at last has not shown that the name passes: the repeat goes on as the check would have.
    assert [e.step for e in wanted if e.design is Design.REPEAT and e.endpoint] == [Step.HANDSHAKE]
    assert [e.endpoint.port for e in wanted if e.design is Design.PORTS] == [80]
    port = Story(check=CheckName.TCP, address=f"tcp://{OWN}:443").dns(OWN).tcp("silent")
    assert [e.step for e in now(port) if e.design is Design.REPEAT and e.endpoint] == [Step.CONNECT]


def test_a_request_is_repeated_though_its_slow_connect_was():
    story = Story(secure=False, port=80).dns(OWN).once_more(Step.CONNECT, "ok").tcp().http("garbage")
    again = [e for e in now(story) if e.design is Design.REPEAT and e.endpoint]
    assert [e.step for e in again] == [Step.FETCH]


@pytest.mark.parametrize("outcome", ["refused", "unreachable"])
def test_a_refused_connect_is_repeated(outcome):
    icmp = IcmpError(type=3, code=13, offender="5.62.9.9")
    assert designs(Story().dns(OWN).tcp(outcome, icmp=icmp))[Design.REPEAT] >= 1


@pytest.mark.parametrize("outcome", ["reset", "fin", "silent"])
def test_a_name_that_may_be_the_trigger_is_held_against_a_neutral_one_twice_first(outcome):
    wanted = [e for e in now(Story().dns(OWN).tcp().tls(outcome)) if e.design is Design.SNI]
    assert [(e.name, e.cell) for e in wanted] == [(NEUTRAL, 1), (NEUTRAL, 2)]


@pytest.mark.parametrize("outcome", ["reset", "fin"])
def test_a_connection_is_also_held_idle(outcome):
    assert designs(Story().dns(OWN).tcp().tls(outcome))[Design.HOLD] == 1


def test_a_host_in_the_clear_is_held_against_a_neutral_one():
    assert designs(Story(**CLEAR).dns(OWN).tcp().http("reset"))[Design.HOST] == 2


def test_an_odd_page_in_the_clear_is_held_against_the_encrypted_one():
    wanted = now(Story(**CLEAR).dns(OWN).tcp().http(status=403))
    pages = [(e.design, e.secure) for e in wanted if e.step is Step.FETCH]
    assert pages == [(Design.ENCRYPTED_ROUTE, True)]


def test_an_odd_page_in_the_clear_may_be_that_of_a_forged_address():
    wanted = now(Story(**CLEAR).dns(OWN).tcp().http(status=403))
    assert {e.design for e in wanted if e.step is Step.LOOKUP} == {Design.RESOLVERS}


def test_an_answer_that_nobody_else_gives_is_looked_into_though_the_page_works():
    story = Story().dns(OWN).ask(REAL, DOH).ask(REAL, DOT).tcp().tls().http()
    proxy = [e for e in now(story, deep=True) if e.design is Design.PROXY]
    assert {(e.name, str(e.endpoint)) for e in proxy} == {(NEUTRAL, f"{OWN}:443")}


def test_an_answer_that_others_give_as_well_is_left_alone():
    story = Story().dns(OWN).ask((OWN, REAL), DOH).ask(OWN, DOT).tcp().tls().http()
    assert {e.design for e in now(story, deep=True)} == {Design.HELLO, Design.ECH}


@pytest.mark.parametrize("outcome", ["alert", "garbage", "untrusted"])
def test_what_no_name_filter_does_is_only_repeated(outcome):
    wanted = now(Story().dns(OWN).tcp().tls(outcome))
    assert Design.SNI not in {e.design for e in wanted}
    assert (Design.REPEAT, Step.HANDSHAKE) in {(e.design, e.step) for e in wanted}


@pytest.mark.parametrize("outcome", ["dripping", "stalled", "cut_fin", "cut_reset"])
def test_a_page_that_does_not_complete_is_fetched_once_more(outcome):
    wanted = now(Story().dns(OWN).tcp().tls().http(outcome))
    again = [(e.design, e.step) for e in wanted if e.design is not Design.VOLUME]
    assert again == [(Design.REPEAT, Step.FETCH)]


def test_a_lost_echo_is_sent_once_more():
    wanted = now(Story(check=CheckName.ICMP, port=0, address="icmp://x").dns(OWN).echo("silent"))
    assert (Design.REPEAT, Step.ECHO) in {(e.design, e.step) for e in wanted}


def test_an_unanswered_question_is_asked_once_more():
    story = Story(check=CheckName.DOT, host="9.9.9.9", port=853, address="dot://9.9.9.9")
    story.tcp(address="9.9.9.9").tls(address="9.9.9.9").dns(TIMEOUT, resolver=DOT, name="example.com")
    assert [(e.design, e.name) for e in now(story)] == [(Design.REPEAT, "example.com")]


def test_the_name_sent_by_a_tls_target_is_the_one_that_is_varied():
    story = Story(check=CheckName.TLS, params={"sni": "other.example"}).dns(OWN).tcp().tls("reset")
    from_check = story.observations[-1]
    story.observations[-1] = type(from_check)(
        **{f: getattr(from_check, f) for f in from_check.__struct_fields__} | {"server_name": "other.example"}
    )
    story.pair(1, "", "ok").pair(2, "", "ok")
    assert [e.name for e in now(story) if e.design is Design.SNI] == ["other.example"]


@pytest.mark.parametrize("host", ["45.90.1.1", "2a02:2d8::1"])
def test_an_address_is_not_held_against_a_name(host):
    story = Story(host=host, address=f"https://{host}").tcp("ok", address=host).tls("reset", address=host)
    assert Design.SNI not in designs(story)


def test_silence_starts_the_controls_before_the_timeout():
    story = Story().dns(OWN).tcp()
    silence = Silence(transaction=99, since_s=0.1, layer="tls", endpoint=HERE, name=NAME)
    assert designs(story, silences=(silence,))[Design.SNI] == 2


def test_silence_of_the_resolver_starts_other_resolvers():
    silence = Silence(transaction=99, since_s=0.0, layer="dns", name=NAME)
    assert designs(Story(), silences=(silence,))[Design.RESOLVERS] == 3


def test_a_design_waits_for_the_control_that_is_in_flight():
    story = Story().dns(OWN).tcp().tls("reset")
    story.experiments += now(story)
    assert now(story) == ()


def test_a_failed_control_ends_the_design_and_puts_off_another():
    story = Story().dns(OWN).tcp().tls("reset").pair(1, "", "reset").pair(2, "", "ok")
    case = story.case()
    assert not [e for e in plan(case).now if e.design is Design.SNI]
    (later,) = plan(case).later
    assert later.due_in_s == case.cool_down_s
    assert [e.name_kind for e in later.experiments] == [
        *[NameKind.NEUTRAL] * 5,
        NameKind.TEST,
        *[NameKind.NEUTRAL] * 6,
        *[NameKind.TEST] * 4,
    ]


def test_nothing_is_asked_while_an_earlier_runs_evidence_applies():
    first = Story().dns(OWN).tcp().tls("reset").pair(1, "reset", "ok")
    assert now(Story().dns(OWN).tcp().tls("reset"), cites=(cite(first),)) == ()
    assert now(Story().dns(OWN).tcp().tls("silent"), cites=(cite(first),)) != ()


outcomes = st.sampled_from(("ok", "reset", "fin", "silent", "refused", "unreachable"))


@given(
    by_name=st.lists(outcomes, min_size=1, max_size=5),
    neutral=st.lists(outcomes, min_size=1, max_size=5),
    addresses=st.lists(st.sampled_from((OWN, OTHER, REAL, "45.90.4.4", "45.90.5.5")), min_size=1, unique=True),
    secure=st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_the_budget_holds_in_any_world(by_name, neutral, addresses, secure):
    """At most six connections at once, ten for each address and design, nothing twice; and it ends."""

    def meets(number, name):
        pattern = by_name if name == NAME else neutral
        return pattern[number % len(pattern)]

    world = World(meets, secure=secure, addresses=tuple(addresses))
    follow = world._follow

    def watched(fields):
        story = world.story
        wanted = plan(story.case(**fields)).now
        assert sum(e.step is not Step.LOOKUP for e in wanted) <= AT_ONCE
        assert [e.id for e in plan(story.case(**fields)).now] == [e.id for e in wanted]
        return follow(fields)

    world._follow = watched
    _, first = world.run()
    ids = [e.id for e in first.experiments]
    assert len(ids) == len(set(ids))
    spent = collections.Counter((str(e.endpoint), e.design) for e in first.experiments if e.endpoint)
    assert max(spent.values(), default=0) <= 10


@given(running=st.integers(0, 8))
def test_connections_in_flight_count_toward_the_six(running):
    story = Story().dns((OWN, OTHER, REAL)).tcp().tls("reset").tcp(address=OTHER).tls("reset", address=OTHER)
    story.tcp(address=REAL).tls("reset", address=REAL)
    busy = [story.experiment(Design.ADDRESSES, Step.HANDSHAKE, NameKind.TEST, n, endpoint=HERE) for n in range(running)]
    wanted = now(story, running=tuple(e.id for e in busy))
    assert sum(e.step is not Step.LOOKUP for e in wanted) <= max(0, AT_ONCE - running)


def test_what_a_deep_run_found_without_a_symptom_stands_while_the_name_leads_to_the_same_place():
    first = cite(strangers(everywhere(loaded(BOX), REAL, BOX), served=True).validate(REAL))
    assert judge(loaded(BOX).case(cites=(first,))).status is Status.DEGRADED
    assert judge(loaded(OWN).case(cites=(first,))).status is Status.OK
    assert now(loaded(BOX), cites=(first,)) == ()
    assert now(loaded(BOX), cites=(first,), deep=True) != ()


def loaded(address):
    return Story().dns(address).tcp(address=address).tls(address=address).http(address=address)


def test_a_word_in_the_path_is_tried_once_a_neutral_host_fails_as_well():
    story = Story(**CLEAR, path="/a?q=word").dns(OWN).tcp().http("reset").pair(1, "", "reset", design=Design.HOST)
    (front,) = [e for e in now(story) if e.design is Design.PATH]
    assert (front.name, front.path, front.name_kind) == (NAME, "/", NameKind.NONE)
    story.experiments.append(front)
    assert [e for e in now(story) if e.design is Design.PATH] == []
    (page,) = [e for e in now(story.tcp(experiment=front).http(experiment=front)) if e.design is Design.PATH]
    assert (page.path, page.name_kind) == ("/a?q=word", NameKind.TEST)


def test_where_a_word_in_the_path_is_told_neither_name_nor_place_is_asked_about_late():
    story = Story(**CLEAR, path="/a?q=word").dns(OWN).tcp().http("reset").pair(1, "", "reset", design=Design.HOST)
    asked = "whether the name or the address is the trigger"
    assert asked in {pending.question for pending in plan(story.case()).later}
    for _ in range(10):
        (one,) = [e for e in now(story) if e.design is Design.PATH]
        story.experiments.append(one)
        story.tcp(experiment=one).http("reset" if one.name_kind is NameKind.TEST else "ok", experiment=one)
    assert asked not in {pending.question for pending in plan(story.case()).later}


def test_a_redirect_to_another_site_in_the_clear_is_held_against_https():
    story = Story(**CLEAR).dns(OWN).tcp().http(status=302, headers=(("Location", "http://other.test/"),))
    pages = [e for e in now(story.http(hop=1), deep=True) if e.design is Design.ENCRYPTED_ROUTE]
    assert {e.hop for e in pages} == {0, 1}
