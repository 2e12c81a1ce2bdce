"""DNS, DoT, DoH, TCP, TLS and ICMP targets: ok, failing, and careful."""

import pytest

from probe.classify.judge import judge
from probe.model.experiment import Design, NameKind, Step
from probe.model.failure import FailureCode
from probe.model.pattern import Pattern
from probe.model.target import CheckName, Expect
from probe.model.verdict import Cause, Depth, Status
from tests.unit.classify.cases import DOH, DOT, HOME, OTHER, OWN, QUAD9, REAL, Story

NX, SERVFAIL, TIMEOUT = FailureCode.DNS_NXDOMAIN, FailureCode.DNS_SERVFAIL, FailureCode.TIMEOUT
OTHER_ANSWERS = ("v=spf1 -all",)


def dns(*answers, query_type="A", expect=(), **target):
    params = {"type": query_type} if query_type not in ("A", "AAAA") else {}
    story = Story(
        check=CheckName.DNS, port=53, address="dns://www.site.example", params=params,
        expect=Expect(answer=expect) if expect else None, **target,
    )  # fmt: skip
    return story.dns(*answers, query_type=query_type)


def encrypted(check=CheckName.DOT, resolver=DOT):
    return Story(check=check, host="9.9.9.9", port=resolver.endpoint.port, address=f"{check}://9.9.9.9")


@pytest.mark.parametrize(("kind", "answer"), [("A", OWN), ("AAAA", "2a02:2d8::1"), ("TXT", "v=spf1 -all")])
def test_a_dns_target_that_is_answered_is_ok(kind, answer):
    assert judge(dns(answer, query_type=kind).case()).status is Status.OK


@pytest.mark.parametrize("kind", ["A", "AAAA", "TXT", "HTTPS", "MX"])
@pytest.mark.parametrize("code", [NX, SERVFAIL, TIMEOUT])
def test_a_dns_target_that_is_not_answered_is_not_ok_whatever_its_type(kind, code):
    assert judge(dns(code, query_type=kind).again(code, query_type=kind).case()).status is Status.IMPAIRED


def test_a_text_record_that_nobody_has_is_down_and_one_that_others_have_is_not():
    story = dns(NX, query_type="TXT").again(NX, query_type="TXT")
    gone = story.ask(NX, DOH, query_type="TXT").ask(NX, DOT, query_type="TXT").neutrals()
    assert judge(gone.case()).status is Status.DOWN
    other = dns(NX, query_type="TXT").again(NX, query_type="TXT")
    other.ask(OTHER_ANSWERS, DOH, query_type="TXT").ask(OTHER_ANSWERS, DOT, query_type="TXT").neutrals()
    verdict = judge(other.case())
    assert (verdict.status, verdict.evidence[0].rule_id) == (Status.IMPAIRED, "dns.nxdomain.encrypted_knows")


def test_text_that_is_no_address_is_not_a_bogon():
    assert judge(dns("v=spf1 -all", query_type="TXT").ask("other", DOH, query_type="TXT").case()).status is Status.OK


def test_a_forged_answer_of_a_dns_target_is_blocked_with_an_artefact():
    story = dns("10.10.34.34").again("10.10.34.34").ask(REAL, DOH).ask(REAL, DOT).ask(REAL, QUAD9).neutrals()
    assert judge(story.case()).status is Status.BLOCKED


@pytest.mark.parametrize(
    ("encrypted_answer", "clear", "status", "pattern"),
    [
        (REAL, REAL, Status.LIKELY_BLOCKED, Pattern.DNS_RESOLVER_MANIPULATED),
        (REAL, OWN, Status.LIKELY_BLOCKED, Pattern.DNS_INJECTION),
        (OWN, OWN, Status.SERVER_SIDE, Pattern.SRV_UNEXPECTED),
        (OTHER, REAL, Status.SERVER_SIDE, Pattern.SRV_UNEXPECTED),
        (NX, NX, Status.IMPAIRED, Pattern.DNS),
    ],
)
def test_an_unexpected_answer_is_held_against_encrypted_ones(encrypted_answer, clear, status, pattern):
    story = dns(OWN, expect=(REAL,)).again(OWN)
    story.ask(encrypted_answer, DOH).ask(encrypted_answer, DOT).ask(clear, QUAD9).neutrals()
    verdict = judge(story.case())
    assert (verdict.status, verdict.patterns) == (status, (pattern,))


def test_an_unexpected_answer_is_careful_in_every_doubt():
    alone = dns(OWN, expect=(REAL,))
    one = dns(OWN, expect=(REAL,)).again(OWN).ask(REAL, DOH).neutrals()
    split = dns(OWN, expect=(REAL,)).again(OWN).ask(REAL, DOH).ask(OTHER, DOT).neutrals()
    once = dns(OWN, expect=(REAL,)).again(REAL).ask(REAL, DOH).ask(REAL, DOT).neutrals()
    dirty = dns(OWN, expect=(REAL,)).again(OWN).ask(REAL, DOH).ask(REAL, DOT).neutrals(OWN, times=2)
    for story in (alone, one, split, once, dirty):
        verdict = judge(story.case())
        assert (verdict.status, verdict.cause) == (Status.IMPAIRED, Cause.UNKNOWN)


def test_an_unexpected_answer_of_a_resolver_at_home_is_not_the_networks_doing():
    story = Story(check=CheckName.DNS, port=53, expect=Expect(answer=(REAL,))).dns(OWN, resolver=HOME)
    story.again(OWN, resolver=HOME).ask(REAL, DOH).ask(REAL, DOT).neutrals(resolver=HOME)
    assert judge(story.case()).status is Status.IMPAIRED


def test_a_resolver_that_the_target_names_is_held_against_its_own_neutral_answers():
    story = Story(check=CheckName.DNS, port=53, params={"resolver": "udp://9.9.9.9"}).dns(NX, resolver=QUAD9)
    story.again(NX, resolver=QUAD9).ask(REAL, DOH).ask(REAL, DOT).neutrals(resolver=QUAD9).validate(REAL)
    assert judge(story.case()).status is Status.BLOCKED


def test_a_port_that_accepts_is_reached_and_one_that_refuses_is_open_to_doubt():
    target = {"check": CheckName.TCP, "port": 22, "address": "tcp://www.site.example:22"}
    good = judge(Story(**target).dns(OWN).tcp().case())
    assert (good.status, good.depth) == (Status.OK, Depth.REACH)
    bad = judge(Story(**target).dns(OWN).tcp("refused").once_more(Step.CONNECT, "refused").case())
    assert (bad.status, bad.cause) == (Status.IMPAIRED, Cause.UNKNOWN)


def test_a_tls_target_is_proven_by_its_certificate():
    target = {"check": CheckName.TLS, "address": "tls://www.site.example:443"}
    good = judge(Story(**target).dns(OWN).tcp().tls().case())
    assert (good.status, good.depth) == (Status.OK, Depth.PROOF)
    assert judge(Story(**target).dns(OWN).tcp().tls("untrusted", verify_code=10).case()).status is Status.SERVER_SIDE


@pytest.mark.parametrize(
    ("outcomes", "again", "status"),
    [
        (("ok",), "", Status.OK),
        (("silent",), "", Status.INSUFFICIENT),
        (("silent",), "silent", Status.IMPAIRED),
        (("silent",), "ok", Status.OK),
        (("silent", "ok"), "silent", Status.DEGRADED),
        (("denied",), "", Status.INSUFFICIENT),
        (("denied", "ok"), "", Status.OK),
    ],
)
def test_echoes(outcomes, again, status):
    story = Story(check=CheckName.ICMP, port=0, address="icmp://www.site.example").dns((OWN, OTHER)[: len(outcomes)])
    for address, outcome in zip((OWN, OTHER), outcomes, strict=False):
        story.echo(outcome, address=address)
    if again:
        story.once_more(Step.ECHO, again)
    verdict = judge(story.case())
    assert verdict.status is status
    assert verdict.cause is not Cause.NETWORK


def test_an_encrypted_resolver_is_ok_only_when_it_answers():
    def tell(answer):
        story = encrypted().tcp(address="9.9.9.9").tls(address="9.9.9.9")
        return story.dns(answer, resolver=DOT, name="example.com")

    assert judge(tell("93.184.216.34").case()).status is Status.OK
    assert judge(tell(SERVFAIL).case()).status is Status.SERVER_SIDE
    assert judge(tell(TIMEOUT).case()).status is Status.INSUFFICIENT
    for again, status in ((TIMEOUT, Status.IMPAIRED), ("93.184.216.34", Status.OK)):
        story = tell(TIMEOUT)
        planned = story.experiment(Design.REPEAT, Step.LOOKUP, NameKind.TEST, 1, resolver=DOT)
        story.dns(again, resolver=DOT, name="example.com", experiment=planned)
        assert judge(story.case()).status is status


def test_a_doh_server_that_serves_something_else_is_the_servers_doing():
    story = (
        encrypted(CheckName.DOH, DOH).tcp(address="8.8.8.8").tls(address="8.8.8.8").http(status=404, address="8.8.8.8")
    )
    verdict = judge(story.dns(FailureCode.HTTP_UNEXPECTED_STATUS, resolver=DOH, name="example.com").case())
    assert verdict.status is Status.SERVER_SIDE


def test_answers_about_a_neutral_name_are_not_held_against_those_about_the_resolver():
    story = Story(check=CheckName.DOT, host="dns.quad9.net", port=853, address="dot://dns.quad9.net").dns("9.9.9.9")
    story.tcp(address="9.9.9.9").tls(address="9.9.9.9").dns("93.184.216.34", resolver=DOT, name="example.com")
    verdict = judge(story.case())
    assert (verdict.status, verdict.addresses) == (Status.OK, (1, 1, 0, 0))


def test_a_resolver_whose_port_is_closed_is_judged_like_any_place():
    verdict = judge(encrypted().tcp("silent", address="9.9.9.9").once_more(Step.CONNECT, "silent", "9.9.9.9").case())
    assert (verdict.status, verdict.cause) == (Status.IMPAIRED, Cause.UNKNOWN)


def kept_from(outcome):
    """Tell of an encrypted resolver whose name is reset, five times, and neutral names are not."""
    story = Story(check=CheckName.DOH, host="dns.google", address="doh+https://dns.google")
    story.tcp(address="8.8.8.8").tls(outcome, address="8.8.8.8")
    for number in range(1, 6):
        story.pair(number, outcome if number < 5 else "", "ok", address="8.8.8.8")
    return story


def test_an_encrypted_resolver_that_the_network_keeps_from_us_is_named_so_first():
    verdict = judge(kept_from("reset").case())
    assert (verdict.status, verdict.cause) == (Status.LIKELY_BLOCKED, Cause.NETWORK)
    assert verdict.patterns[0] is Pattern.DNS_ENCRYPTED_BLOCKED
    assert Pattern.TLS_RESET_SNI in {e.pattern for e in verdict.evidence}, "how it is done stays beside it"
    assert "by its name" in verdict.summary


def test_an_encrypted_resolver_that_fails_by_itself_is_not_called_blocked():
    story = encrypted(CheckName.DOT).tcp("refused", address="9.9.9.9")
    assert Pattern.DNS_ENCRYPTED_BLOCKED not in judge(story.once_more(Step.CONNECT, "refused").case()).patterns
