"""The list of things that look like blocking and are not: each must end without an accusation.

Source: reference on censorship, "False positives" of its catalogue and the false-positive checklist.
"""

import msgspec
import pytest

from probe.classify.judge import judge
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, NameKind, Step
from probe.model.failure import FailureCode, IcmpError
from probe.model.pattern import Pattern
from probe.model.vantage import LocalFinding, VantageState
from probe.model.verdict import Cause, Confidence, Status
from tests.golden.injected import worded
from tests.golden.names import remembered
from tests.unit.classify.cases import DOH, DOT, FIT, HOME, OTHER, OWN, QUAD9, REAL, Story
from tests.unit.classify.cited import cite
from tests.unit.classify.outside import all_well, rounds

NX = FailureCode.DNS_NXDOMAIN
ACCUSING = (Status.BLOCKED, Status.LIKELY_BLOCKED)
CLEAR = {"secure": False, "port": 80, "address": "http://www.site.example"}
V6 = "2a02:2d8:1::1"
PORTAL = msgspec.structs.replace(FIT, state=VantageState.PORTAL)


def innocent(verdict):
    return verdict.status not in ACCUSING and verdict.cause is not Cause.NETWORK


def dead_node(given_again=OWN):
    story = Story().dns(OWN).tcp("silent").once_more(Step.CONNECT, "silent").again(given_again)
    return story.ask(REAL, DOH).ask(REAL, DOT).ask(REAL, QUAD9).neutrals().validate(REAL)


def five_pairs(outcome, control="ok", story=None, **test):
    story = story or Story().dns(OWN).tcp().tls(outcome, **test)
    for number in range(1, 6):
        story.pair(number, outcome if number < 5 else "", control)
    return story


def test_a_cdn_that_answers_by_place():
    story = Story().dns(OWN).tcp().tls().http().ask(REAL, DOH).ask(OTHER, DOT).ask(OTHER, QUAD9).neutrals()
    assert judge(story.case()).status is Status.OK


def test_a_cdn_node_that_is_down_and_that_only_our_resolver_gives():
    assert innocent(judge(dead_node().case()))


def test_a_cdn_node_with_an_expired_certificate_that_all_resolvers_in_the_clear_give():
    story = Story().dns(OWN).tcp().tls("untrusted", verify_code=10).again(OWN)
    story.ask(REAL, DOH).ask(REAL, DOT).ask(OWN, QUAD9).neutrals().validate(REAL)
    assert innocent(judge(story.case()))


def test_two_legitimate_answers_of_a_resolver_that_shares_load():
    story = Story().dns(OWN, OTHER).tcp().tls().http().ask((OWN, OTHER), DOH).ask((OWN, OTHER), DOT).neutrals()
    assert judge(story.case()).status is Status.OK


def test_a_failure_followed_by_an_answer_to_the_same_question():
    story = Story().dns(FailureCode.DNS_SERVFAIL, REAL).again(REAL).tcp("silent", address=REAL)
    story.ask(REAL, DOH).ask(REAL, DOT).neutrals().validate(REAL)
    assert judge(story.case()).patterns != (Pattern.DNS_INJECTION_RACE,)


def test_a_portal_in_the_middle_of_the_round():
    story = Story().dns("10.0.0.1").tcp(address="10.0.0.1").tls("untrusted", address="10.0.0.1")
    assert judge(story.case(baseline=PORTAL)).status is Status.INSUFFICIENT


def test_a_portal_that_was_left_before_the_look_at_the_vantage():
    """Its one false answer is not confirmed by the repeat."""
    story = Story().dns("10.0.0.1").tcp("silent", address="10.0.0.1").again(REAL)
    story.ask(REAL, DOH).ask(REAL, DOT).ask(REAL, QUAD9).neutrals().validate(REAL)
    assert innocent(judge(story.case()))


def test_one_denial_that_the_repeat_does_not_confirm():
    story = Story().dns(NX).again(REAL).ask(REAL, DOH).ask(REAL, DOT).ask(REAL, QUAD9).neutrals().validate(REAL)
    assert innocent(judge(story.case()))


@pytest.mark.parametrize("prefix", ["64:ff9b::", "64:ff9b:1::", "2a02:2d8:64::"])
def test_dns64(prefix):
    """The last 32 bits are the IPv4 address that others give (RFC 6052)."""
    made = f"{prefix}2d5a:707"
    story = Story(family=6).dns(made, query_type="AAAA").tcp("silent", address=made).again(made, query_type="AAAA")
    story.ask(REAL, DOH).ask(REAL, DOT).ask("2a02:2d8:9::1", QUAD9, query_type="AAAA").neutrals().validate(REAL)
    assert innocent(judge(story.case(baseline=msgspec.structs.replace(FIT, families=(4, 6)))))


def test_addresses_of_one_family_are_not_held_against_those_of_the_other():
    story = Story(family=6).dns(V6, query_type="AAAA").tcp("silent", address=V6).again(V6, query_type="AAAA")
    story.ask(REAL, DOH).ask(REAL, DOT).ask(REAL, QUAD9).neutrals().validate(REAL)
    assert innocent(judge(story.case()))


@pytest.mark.parametrize("answer", ["0.0.0.0", "127.0.0.1", "192.168.1.1"])
def test_a_home_resolver_that_filters(answer):
    story = Story().dns(answer, resolver=HOME).tcp("refused", address=answer).again(answer, resolver=HOME)
    story.ask(REAL, DOH).ask(REAL, DOT).ask(REAL, QUAD9).neutrals(resolver=HOME).validate(REAL)
    assert innocent(judge(story.case()))


def test_a_split_horizon_whose_private_address_serves_the_name():
    story = Story().dns("10.1.2.3").tcp(address="10.1.2.3").tls(address="10.1.2.3").http(address="10.1.2.3")
    story.again("10.1.2.3").ask(REAL, DOH).ask(REAL, DOT).ask(REAL, QUAD9).neutrals().validate(REAL)
    assert judge(story.case()).status is Status.OK


def test_servers_of_the_name_that_refuse_our_resolver():
    """A geoblock in the DNS: our resolver reports a failure, everybody else gets the answer."""
    code = FailureCode.DNS_SERVFAIL
    story = Story().dns(code).again(code, times=5).ask(REAL, DOH).ask(REAL, DOT).ask(REAL, QUAD9)
    assert innocent(judge(story.neutrals(times=5).validate(REAL).case()))


def test_a_name_that_has_moved_away_for_everybody():
    verdict = judge(Story().dns(NX).again(NX).ask(NX, DOH).ask(NX, DOT).ask(NX, QUAD9).neutrals().case())
    assert verdict.status is Status.DOWN


def test_ipv6_that_works_nowhere_here():
    story = Story().dns(OWN).dns(V6, query_type="AAAA").tcp().tls().http().tcp("silent", address=V6)
    verdict = judge(story.case())
    assert (verdict.status, verdict.addresses) == (Status.OK, (1, 1, 0, 0))


def test_an_mtu_black_hole_that_lets_alerts_through():
    """The site's certificates are lost in it; a neutral name's alert is small."""
    assert innocent(judge(five_pairs("silent", control="alert").case()))


def test_an_mtu_black_hole_that_lets_a_small_certificate_through():
    story = Story().dns(OWN).tcp().tls("silent", bytes_sent=517, bytes_acked=517)
    for number in range(1, 6):
        story.pair(number, "silent" if number < 5 else "", "ok")
    small = [
        msgspec.structs.replace(seen, bytes_received=900) if getattr(seen, "bytes_received", 0) else seen
        for seen in story.observations
    ]
    story.observations = small
    assert innocent(judge(story.case()))


@pytest.mark.parametrize("outcome", ["alert", "reset"])
def test_a_cdn_that_knows_the_name_and_no_neutral_one(outcome):
    story = Story().dns(OWN).tcp().tls().http()
    story.pair(1, "ok", outcome)
    assert judge(story.case()).status is Status.OK


@pytest.mark.parametrize("outcome", ["reset", "fin", "silent"])
def test_a_server_that_refuses_hellos_without_a_name(outcome):
    story = Story(host=OWN, address=f"https://{OWN}").tcp().tls(outcome)
    assert innocent(judge(five_pairs(outcome, story=story).case()))


@pytest.mark.parametrize("offender", ["192.168.1.1", "10.0.0.1", "fe80::1"])
def test_a_local_firewall_that_rejects(offender):
    icmp = IcmpError(type=3, code=13, offender=offender)
    story = Story().dns(OWN).tcp("unreachable", icmp=icmp).once_more(Step.CONNECT, "unreachable", icmp=icmp)
    verdict = judge(story.case())
    assert (verdict.status, verdict.cause) == (Status.IMPAIRED, Cause.LOCAL)


@pytest.mark.parametrize(
    "code", [FailureCode.OUT_OF_DESCRIPTORS, FailureCode.ADDRESS_NOT_AVAILABLE, FailureCode.NO_BUFFER_SPACE]
)
def test_what_our_own_host_lacks(code):
    story = Story().dns((OWN, OTHER)).tcp("no_descriptors").tcp("no_descriptors", address=OTHER)
    story.observations = [
        msgspec.structs.replace(seen, failure=msgspec.structs.replace(seen.failure, code=code))
        if seen.failure
        else seen
        for seen in story.observations
    ]
    verdict = judge(story.case())
    assert (verdict.status, verdict.cause) == (Status.INSUFFICIENT, Cause.INSTRUMENT)


def test_too_many_requests():
    verdict = judge(Story().dns(OWN).tcp().tls().http(status=429).case())
    assert (verdict.status, verdict.patterns) == (Status.SERVER_SIDE, (Pattern.SRV_RATE_LIMITED,))


@pytest.mark.parametrize(("findings", "cause"), [((), Cause.SERVER), ((LocalFinding.CLOCK_WRONG,), Cause.LOCAL)])
def test_an_expired_certificate_by_a_right_and_by_a_wrong_clock(findings, cause):
    story = Story().dns(OWN).tcp().tls("untrusted", verify_code=10)
    assert judge(story.case(baseline=msgspec.structs.replace(FIT, findings=findings))).cause is cause


@pytest.mark.parametrize("outcome", ["reset", "silent"])
def test_another_process_behind_the_same_address_that_triggers_a_filter(outcome):
    """Its residual block meets neutral names as well."""
    assert innocent(judge(five_pairs(outcome, control=outcome).case()))


def test_a_place_that_another_target_made_hot():
    assert judge(Story().dns(OWN).tcp(hot=True).tls("reset").case()).status is Status.INSUFFICIENT


@pytest.mark.parametrize("outcome", ["reset", "fin", "silent"])
def test_a_server_that_closes_its_plain_port_to_every_host(outcome):
    story = Story(**CLEAR).dns(OWN).tcp().http(outcome)
    for number in range(1, 6):
        story.pair(number, outcome if number < 5 else "", outcome, design=Design.HOST)
    assert innocent(judge(story.case()))


def test_a_site_behind_a_proxy_that_hangs_on_its_own_page():
    """The request was acknowledged: it arrived, and the backend does not answer."""
    story = Story(**CLEAR).dns(OWN).tcp().http("silent", bytes_sent=120, bytes_acked=120)
    for number in range(1, 6):
        story.pair(number, "silent" if number < 5 else "", "ok", design=Design.HOST)
    assert innocent(judge(story.case()))


def test_a_plain_port_that_demands_tls_while_https_works():
    assert innocent(judge(Story(**CLEAR).dns(OWN).tcp().http(status=403).encrypted(status=200).case()))


@pytest.mark.parametrize("step", ["tcp", "tls", "http"])
def test_a_packet_lost_once(step):
    story = Story().dns(OWN)
    if step == "tcp":
        story.tcp("silent").once_more(Step.CONNECT, "ok")
    elif step == "tls":
        story.tcp().tls("silent").once_more(Step.HANDSHAKE, "ok")
    else:
        story.tcp().tls().http("silent").once_more(Step.FETCH, "ok")
    assert judge(story.case()).status is Status.OK


def test_a_dead_redirect_target_is_not_the_first_hosts_fault_and_nobodys_block():
    to = (("location", "https://gone.example/"),)
    story = Story().dns(OWN).tcp().tls().http(status=302, headers=to).dns(NX, hop=1, name="gone.example")
    verdict = judge(story.case())
    assert innocent(verdict)
    assert verdict.evidence[0].hop == 1


def test_a_truncated_answer_whose_way_over_tcp_is_closed():
    """The connection to the resolver is no path to the site."""
    story = Story().dns(OWN).tcp("refused", address="5.62.0.53", port=53).tcp().tls().http()
    verdict = judge(story.case())
    assert (verdict.status, verdict.addresses) == (Status.OK, (1, 1, 0, 0))


def test_a_site_that_works_again_although_an_earlier_run_found_a_filter():
    first = cite(five_pairs("reset"))
    story = Story().dns(OTHER).tcp(address=OTHER).tls(address=OTHER).http(address=OTHER)
    assert judge(story.case(cites=(first,))).status is Status.OK


def test_a_home_resolver_in_shared_address_space_is_not_outside():
    shared = msgspec.structs.replace(HOME, endpoint=msgspec.structs.replace(HOME.endpoint, address="100.100.100.100"))
    story = Story().dns(NX, resolver=shared).again(NX, resolver=shared).ask(REAL, DOH).ask(REAL, DOT)
    assert innocent(judge(story.neutrals(resolver=shared).validate(REAL).case()))


def test_a_failing_server_while_the_border_lets_only_some_pass():
    """A page under the site's own certificate came through: the cut has no part in it."""
    cut = msgspec.structs.replace(FIT, state=VantageState.FOREIGN_CUT, selective=True)
    verdict = judge(Story().dns(OWN).tcp().tls().http(status=503).case(baseline=cut))
    assert verdict.status is Status.SERVER_SIDE


def test_one_address_that_fails_once_with_the_name_is_not_the_networks_doing_yet():
    story = Story().dns((OWN, OTHER)).tcp().tls("reset").tcp(address=OTHER).tls(address=OTHER).http(address=OTHER)
    verdict = judge(story.pair(1, "reset", "ok").case())
    assert (verdict.status, verdict.cause) == (Status.DEGRADED, Cause.UNKNOWN)


def test_a_page_that_never_ends_is_neither_ok_nor_a_block():
    for outcome in ("dripping", "stalled", "cut_reset", "cut_fin"):
        story = Story().dns(OWN).tcp().tls().http(outcome).once_more(Step.FETCH, outcome)
        verdict = judge(story.case())
        assert (verdict.status, verdict.cause, verdict.confidence) == (
            Status.IMPAIRED, Cause.UNKNOWN, Confidence.C1,
        )  # fmt: skip


def test_a_server_that_took_the_hello_and_hangs_is_not_called_blocked():
    """Behind a balancer that goes by names the machine for one of them may be broken; the others are served."""
    for bytes_acked, said in ((517, Status.IMPAIRED), (0, Status.LIKELY_BLOCKED), (None, Status.IMPAIRED)):
        verdict = judge(five_pairs("silent", bytes_sent=517, bytes_acked=bytes_acked).case())
        assert verdict.status is said, bytes_acked
    some = five_pairs("silent", bytes_sent=517, bytes_acked=517, bytes_received=1400)
    assert judge(some.case()).status is Status.LIKELY_BLOCKED, "some of the answer passed: that is a filter's way"


def test_an_answer_that_is_lost_for_its_size_is_not_called_blocked_by_what_a_control_sees():
    """A way too narrow for large packets, and a site that does not hear of it (RFC 2923 section 2.1)."""

    def lost(**sent):
        return Story().dns(OWN).tcp().tls("silent", **sent).once_more(Step.HANDSHAKE, "silent", **sent)

    for bytes_acked, said in ((517, Status.IMPAIRED), (None, Status.IMPAIRED), (0, Status.LIKELY_BLOCKED)):
        verdict = judge(lost(bytes_sent=517, bytes_acked=bytes_acked).case(controls=rounds(all_well(), 2)))
        assert verdict.status is said, bytes_acked
    # A page that came whole from there shows that large packets get through.
    passes = lost(bytes_sent=517, bytes_acked=517).pair(1, "", "ok")
    assert judge(passes.case(controls=rounds(all_well(), 2))).status is Status.LIKELY_BLOCKED


def test_a_word_is_blamed_only_where_a_servers_own_firewall_does_not_read_it_too():
    assert judge(worded("ok").case()).status is Status.LIKELY_BLOCKED
    assert judge(worded("ok", over_https="").case()).status is Status.IMPAIRED
    assert judge(worded("ok", over_https="reset").case()).status is Status.IMPAIRED


def test_a_denial_that_a_resolver_remembers_accuses_nobody():
    """A new name: its zone denied it a while ago, and our resolver may say so for hours (RFC 2308 section 5)."""
    assert innocent(judge(remembered(740, 739).case()))
    assert innocent(judge(remembered(740, 740, 738).case()))


@pytest.mark.parametrize(
    "story",
    [
        remembered(740, 740, 740),
        remembered(740, 738, 740),
        remembered(740),
        remembered(740, 738, zone="rpz.provider.example"),
    ],
    ids=["the same each time", "rises again", "said once", "another zone's word"],
)
def test_what_does_not_run_out_is_no_memory(story):
    assert judge(story.again(NX).case()).status is Status.BLOCKED


def test_an_answer_of_no_address_that_a_resolver_remembers_accuses_nobody():
    """Of the other family's answer, which is nothing unusual, the message is not kept."""
    story = remembered(740, 739, code=FailureCode.DNS_NO_ANSWER)
    story.observations.insert(1, msgspec.structs.replace(story.observations[0], query_type="AAAA", transaction=99))
    bare = msgspec.structs.replace(story.observations[1].replies[0], raw=b"")
    story.observations[1] = msgspec.structs.replace(story.observations[1], replies=(bare,))
    assert innocent(judge(story.case()))


def test_a_page_over_quic_does_not_show_that_large_packets_get_through():
    story = Story().dns(OWN).tcp().tls("silent", bytes_sent=517, bytes_acked=517)
    story.once_more(Step.HANDSHAKE, "silent", bytes_sent=517, bytes_acked=517)
    planned = story.experiment(Design.HTTP3, Step.FETCH, NameKind.TEST, 1, endpoint=Endpoint(address=OWN, port=443))
    story.http(experiment=planned, over_quic=True, bytes_received=3000)
    assert innocent(judge(story.case(controls=rounds(all_well(), 2))))
