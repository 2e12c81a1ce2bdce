"""Whole cases, from what a check saw to what is said about it."""

import msgspec
import pytest

from probe.classify.clean import judge_clean
from probe.classify.judge import judge
from probe.classify.plans.plan import plan
from probe.model.experiment import Design, NameKind, Step
from probe.model.failure import FailureCode, IcmpError
from probe.model.measurement import Citation
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, Depth, Status
from tests.unit.classify.cases import DOH, DOT, FIT, HOME, ISP, OTHER, OWN, QUAD9, REAL, Story

NX = FailureCode.DNS_NXDOMAIN


def test_a_page_under_a_valid_certificate_is_ok_without_a_baseline():
    verdict = judge(Story().dns(OWN).tcp().tls().http().case(baseline=None))
    assert (verdict.status, verdict.depth, verdict.patterns) == (Status.OK, Depth.PAGE, ())


def test_the_short_way_gives_the_same_verdict_as_the_long_one():
    case = Story().dns((OWN, OTHER)).tcp().tcp(address=OTHER).tls().tls(address=OTHER).http().case(baseline=None)
    assert judge_clean(case) == judge(case)


def test_a_failure_without_a_baseline_is_not_judged():
    verdict = judge(Story().dns(OWN).tcp("silent").once_more(Step.CONNECT, "silent").case(baseline=None))
    assert verdict.status is Status.INSUFFICIENT


@pytest.mark.parametrize(
    ("outcome", "pattern"),
    [("reset", Pattern.TLS_RESET_SNI), ("fin", Pattern.TLS_FIN_SNI), ("silent", Pattern.TLS_TIMEOUT_SNI)],
)
def test_five_pairs_make_a_name_trigger_likely(outcome, pattern):
    story = Story().dns(OWN).tcp().tls(outcome)
    for number in range(1, 6):
        story.pair(number, outcome if number < 5 else "", "ok")
    verdict = judge(story.case())
    assert verdict.status is Status.LIKELY_BLOCKED
    assert (verdict.patterns, verdict.cause, verdict.confidence) == ((pattern,), Cause.NETWORK, Confidence.C2)


def test_four_pairs_do_not_make_it_likely():
    story = Story().dns(OWN).tcp().tls("reset")
    for number in range(1, 5):
        story.pair(number, "reset" if number < 4 else "", "ok")
    assert judge(story.case()).status is Status.IMPAIRED


def test_tests_after_a_failed_control_do_not_count():
    story = Story().dns(OWN).tcp().tls("reset")
    for number in range(1, 6):
        story.pair(number, "reset", "reset")
    verdict = judge(story.case())
    assert (verdict.status, verdict.patterns) == (Status.IMPAIRED, (Pattern.TLS_RESET,))


def test_a_hot_place_does_not_count_its_first_failure():
    story = Story().dns(OWN).tcp(hot=True).tls("reset")
    for number in range(1, 6):
        story.pair(number, "reset" if number < 5 else "", "ok")
    assert judge(story.case()).status is Status.IMPAIRED


def test_a_bare_reset_never_settles_anything():
    verdict = judge(Story().dns(OWN).tcp().tls("reset").once_more(Step.HANDSHAKE, "reset").case())
    assert (verdict.status, verdict.cause) == (Status.IMPAIRED, Cause.UNKNOWN)


def test_a_step_that_works_when_repeated_is_usable():
    verdict = judge(Story().dns(OWN).tcp("silent").once_more(Step.CONNECT, "ok").case())
    assert verdict.status is Status.OK


def test_an_address_that_connects_at_last_works_only_if_the_name_passes_there():
    def tell(outcome: str) -> Story:
        story = Story().dns((OWN, OTHER)).tcp("silent", address=OTHER).tcp().tls("reset")
        for number in range(1, 6):
            story.pair(number, "reset" if number < 5 else "", "ok")
        return story.once_more(Step.HANDSHAKE, outcome, address=OTHER)

    assert judge(tell("reset").case()).status is Status.LIKELY_BLOCKED
    verdict = judge(tell("ok").case())
    assert (verdict.status, verdict.patterns) == (Status.DEGRADED, (Pattern.TLS_RESET_SNI,))


def test_a_single_address_that_connects_at_last_and_then_fails_is_not_ok():
    story = Story().dns(OWN).tcp("silent").once_more(Step.HANDSHAKE, "silent")
    assert judge(story.case()).status in (Status.INSUFFICIENT, Status.IMPAIRED)
    assert judge(Story().dns(OWN).tcp("silent").once_more(Step.HANDSHAKE, "ok").case()).status is Status.OK


def test_a_refused_port_has_an_unknown_sender():
    verdict = judge(Story().dns(OWN).tcp("refused").once_more(Step.CONNECT, "refused").case())
    assert (verdict.status, verdict.patterns) == (Status.IMPAIRED, (Pattern.TCP_RST_SYN,))


def test_one_failure_alone_is_insufficient():
    assert judge(Story().dns(OWN).tcp("refused").case()).status is Status.INSUFFICIENT


def test_a_router_that_refuses_is_named_and_not_accused():
    icmp = IcmpError(type=3, code=13, offender="5.62.9.9")
    story = Story().dns(OWN).tcp("unreachable", icmp=icmp)
    planned = story.once_more(Step.CONNECT, "unreachable")
    verdict = judge(planned.case())
    assert (verdict.status, verdict.patterns) == (Status.IMPAIRED, (Pattern.IP_UNREACHABLE,))


def test_an_isp_resolver_that_denies_an_existing_name_blocks_it():
    story = Story().dns(NX).again(NX).ask(REAL, DOH).ask(REAL, DOT).ask(REAL, QUAD9).neutrals().validate(REAL)
    verdict = judge(story.case())
    assert (verdict.status, verdict.patterns) == (Status.BLOCKED, (Pattern.DNS_NXDOMAIN,))


def test_a_home_resolver_that_denies_a_name_is_not_the_networks_doing():
    story = Story().dns(NX, resolver=HOME).again(NX, resolver=HOME).ask(REAL, DOH).ask(REAL, DOT)
    verdict = judge(story.neutrals(resolver=HOME).validate(REAL).case())
    assert verdict.status is Status.IMPAIRED


def test_a_name_that_nobody_knows_is_down():
    verdict = judge(Story().dns(NX).again(NX).ask(NX, DOH).ask(NX, DOT).neutrals().case())
    assert (verdict.status, verdict.patterns) == (Status.DOWN, (Pattern.SRV_NO_SUCH_NAME,))


def test_two_answers_that_exclude_each_other_are_an_injection_when_the_later_is_proven():
    story = Story().dns(OWN, REAL).tcp("silent").once_more(Step.CONNECT, "silent")
    story.ask(REAL, DOH).ask(REAL, DOT).ask([OWN, REAL], QUAD9).neutrals().validate(REAL)
    verdict = judge(story.case())
    assert (verdict.status, verdict.patterns) == (Status.BLOCKED, (Pattern.DNS_INJECTION_RACE,))


def test_a_cdn_that_answers_differently_everywhere_is_not_forged():
    story = Story().dns(OWN).tcp().tls().http().ask(REAL, DOH).ask(OTHER, DOT).ask(OTHER, QUAD9).neutrals()
    assert judge(story.case()).status is Status.OK


def test_an_expired_certificate_of_a_public_chain_is_the_servers_own():
    verdict = judge(Story().dns(OWN).tcp().tls("untrusted", verify_code=10).case())
    assert (verdict.status, verdict.patterns) == (Status.SERVER_SIDE, (Pattern.SRV_CERT_EXPIRED,))


def test_a_self_signed_certificate_alone_accuses_nobody():
    verdict = judge(Story().dns(OWN).tcp().tls("untrusted").once_more(Step.HANDSHAKE, "untrusted").case())
    assert (verdict.status, verdict.cause) == (Status.IMPAIRED, Cause.UNKNOWN)


def test_a_refusal_under_a_valid_certificate_is_the_servers_own():
    verdict = judge(Story().dns(OWN).tcp().tls().http(status=451).case(baseline=None))
    assert (verdict.status, verdict.patterns) == (Status.SERVER_SIDE, (Pattern.SRV_GEOBLOCK_HTTP,))


def test_a_challenge_page_is_reachable():
    headers = (("cf-mitigated", "challenge"),)
    verdict = judge(Story().dns(OWN).tcp().tls().http(status=403, headers=headers).case())
    assert (verdict.status, verdict.patterns) == (Status.OK, (Pattern.SRV_CHALLENGE,))


def test_one_dead_address_of_two_is_degraded():
    story = Story().dns((OWN, OTHER)).tcp().tls().http().tcp("silent", address=OTHER)
    story.once_more(Step.CONNECT, "silent", address=OTHER)
    assert judge(story.case()).status is Status.DEGRADED


def test_hosts_named_in_the_clear_are_compared_like_server_names():
    story = Story(secure=False, port=80, address="http://www.site.example").dns(OWN).tcp().http("reset")
    for number in range(1, 6):
        story.pair(number, "reset" if number < 5 else "", "ok", design=Design.HOST)
    verdict = judge(story.case())
    assert (verdict.status, verdict.patterns) == (Status.LIKELY_BLOCKED, (Pattern.HTTP_RESET_HOST,))


def test_a_later_run_with_the_same_symptom_leans_on_the_first_ones_evidence():
    first = Story().dns(OWN).tcp().tls("reset")
    for number in range(1, 6):
        first.pair(number, "reset" if number < 5 else "", "ok")
    cited = Citation(
        measurement="01FIRST", age_s=300.0, observations=tuple(first.observations), experiments=tuple(first.experiments)
    )
    later = Story().dns(OWN).tcp().tls("reset").case(cites=(cited,))
    assert judge(later).status is Status.LIKELY_BLOCKED
    assert plan(later).now == ()


def test_a_later_run_with_another_symptom_does_not():
    first = Story().dns(OWN).tcp().tls("reset")
    for number in range(1, 6):
        first.pair(number, "reset" if number < 5 else "", "ok")
    cited = Citation(
        measurement="01FIRST", age_s=300.0, observations=tuple(first.observations), experiments=tuple(first.experiments)
    )
    later = Story().dns(OWN).tcp("silent").case(cites=(cited,))
    assert judge(later).status is Status.INSUFFICIENT
    assert plan(later).now


def test_a_lost_neutral_question_does_not_make_a_resolver_unclean_but_a_denied_one_does():
    for third, status in ((FailureCode.TIMEOUT, Status.BLOCKED), (NX, Status.IMPAIRED)):
        story = Story().dns(NX).again(NX).ask(REAL, DOH).ask(REAL, DOT).ask(REAL, QUAD9).neutrals().validate(REAL)
        lost = story.experiment(Design.NEUTRAL_LOOKUP, Step.LOOKUP, NameKind.NEUTRAL, 9, resolver=ISP)
        assert judge(story.dns(third, experiment=lost).case()).status is status


def test_the_other_family_of_a_confirmed_answer_is_trusted_too():
    v6 = "2a02:2d8:1::1"
    story = Story().dns(OWN).dns(v6, query_type="AAAA")
    for address in (OWN, v6):
        story.tcp(address=address).tls("untrusted", address=address, verify_code=62)
    story.ask(OWN, DOH).ask(OWN, DOT)
    verdict = judge(story.case(baseline=msgspec.structs.replace(FIT, families=(4, 6))))
    assert (verdict.status, verdict.patterns) == (Status.SERVER_SIDE, (Pattern.SRV_CERT_NAME,))
