"""What controls saw may say who it is; it may not say more than two families, two rounds and five minutes allow."""

import msgspec
import pytest

from probe.classify.facts.control_view import ControlView
from probe.classify.judge import judge
from probe.classify.plans.plan import plan_second_round
from probe.model.experiment import Step
from probe.model.failure import FailureCode, IcmpError
from probe.model.measurement import Citation
from probe.model.observation import TCPConnect
from probe.model.pattern import Pattern
from probe.model.target import CheckName
from probe.model.verdict import Cause, Confidence, EvidenceFamily, Status
from tests.unit.classify.cases import DOH, NAME, OTHER, OWN, REAL, Story
from tests.unit.classify.outside import all_well, report, rounds

C1, C2, C3 = Confidence.C1, Confidence.C2, Confidence.C3
CLEAR = {"secure": False, "port": 80, "address": f"http://{NAME}"}


def reset() -> Story:
    """Tell of a handshake that was reset twice."""
    return Story().dns(OWN).tcp().tls("reset").once_more(Step.HANDSHAKE, "reset")


def paired() -> Story:
    """Tell of five resets with the name against five neutral handshakes."""
    story = Story().dns(OWN).tcp().tls("reset")
    for number in range(1, 6):
        story.pair(number, "reset" if number < 5 else "", "ok")
    return story


def connect(outcome: str, icmp: IcmpError | None = None) -> Story:
    return Story().dns(OWN).tcp(outcome, icmp=icmp).once_more(Step.CONNECT, outcome, icmp=icmp)


def test_a_differential_and_a_control_settle_a_reset_on_the_name():
    verdict = judge(paired().case(controls=rounds(all_well())))
    assert (verdict.status, verdict.confidence) == (Status.BLOCKED, C3)
    assert verdict.patterns == (Pattern.TLS_RESET_SNI,)


def test_a_differential_and_one_round_do_not_settle_it():
    assert judge(paired().case(controls=rounds(all_well(), 1))).status is Status.LIKELY_BLOCKED


def test_a_control_alone_accuses_nobody_in_one_round_and_is_likely_in_two():
    once, twice = (judge(reset().case(controls=rounds(all_well(), times))) for times in (1, 2))
    assert (once.status, once.cause, once.confidence) == (Status.IMPAIRED, Cause.UNKNOWN, C1)
    assert (twice.status, twice.cause, twice.confidence) == (Status.LIKELY_BLOCKED, Cause.NETWORK, C2)
    assert twice.patterns == (Pattern.TLS_RESET,)


def test_another_sites_certificate_refutes_nothing_while_no_address_proved_to_be_the_sites():
    story = Story().dns(OWN).tcp().tls("untrusted", verify_code=62).again(OWN).neutrals()
    story.once_more(Step.HANDSHAKE, "untrusted", verify_code=62)
    dead = Story().dns(REAL).tcp("silent", address=REAL)
    assert judge(story.case(controls=rounds(dead))).status in (Status.IMPAIRED, Status.SERVER_SIDE)


def test_what_a_second_control_reaches_is_not_down():
    dead = Story().dns(OWN).tcp("silent")
    alone = rounds(dead)
    other = report(all_well(), 30.0, control="nyc-1")
    assert judge(connect("silent").case(controls=alone)).status is Status.DOWN
    verdict = judge(connect("silent").case(controls=(*alone, other)))
    assert (verdict.status, verdict.cause) == (Status.IMPAIRED, Cause.UNKNOWN)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (connect("silent"), Story().dns(OWN).tcp("silent")),
        (reset(), Story().dns(OWN).tcp().tls("reset")),
        (Story().dns(FailureCode.DNS_NXDOMAIN).again(FailureCode.DNS_NXDOMAIN, times=4).neutrals(),
         Story().dns(FailureCode.DNS_NXDOMAIN)),
    ],
    ids=["connect", "handshake", "name"],
)  # fmt: skip
def test_where_controls_disagree_nobody_is_accused_by_what_one_of_them_saw(ours: Story, theirs: Story):
    well = rounds(all_well())
    others = tuple(msgspec.structs.replace(r, control="nyc-1") for r in rounds(theirs))
    assert judge(ours.case(controls=well)).status is Status.LIKELY_BLOCKED
    assert judge(ours.case(controls=(*well, *others))).status is Status.IMPAIRED


def test_a_control_that_failed_and_then_passes_is_one_control_and_contests_nothing():
    verdict = judge(
        connect("silent").case(controls=(report(Story().dns(OWN).tcp("silent"), -30.0), *rounds(all_well())))
    )
    assert verdict.status is Status.LIKELY_BLOCKED


@pytest.mark.parametrize(("apart_s", "status"), [(29.0, Status.IMPAIRED), (30.0, Status.LIKELY_BLOCKED)])
def test_two_rounds_are_thirty_seconds_apart(apart_s, status):
    assert judge(reset().case(controls=rounds(all_well(), 2, apart_s))).status is status


def test_two_controls_at_one_time_are_one_round():
    both = (report(all_well()), report(all_well(), control="sgp-1"))
    assert judge(reset().case(controls=both)).confidence is C1


def test_a_round_in_which_a_control_did_not_look_does_not_count():
    both = (report(all_well()), report(Story().dns(OWN).tcp(), 31.0))
    assert judge(reset().case(controls=both)).confidence is C1


def test_one_failure_of_ours_is_no_comparison():
    assert judge(Story().dns(OWN).tcp().tls("reset").case(controls=rounds(all_well()))).status is Status.INSUFFICIENT


def test_a_single_sample_needs_no_second_round_and_says_so():
    verdict = judge(reset().case(controls=rounds(all_well(), 1), single_sample=True))
    assert (verdict.status, verdict.confidence) == (Status.LIKELY_BLOCKED, C2)
    assert verdict.summary.endswith("(single sample)")


@pytest.mark.parametrize("times", [1, 2])
def test_a_single_sample_is_never_more_than_likely(times):
    verdict = judge(paired().case(controls=rounds(all_well(), times), single_sample=True))
    assert (verdict.status, verdict.confidence) == (Status.LIKELY_BLOCKED, C2)


def test_what_controls_cannot_use_either_is_down_in_two_rounds_and_open_in_one():
    dead = Story().dns(OWN).tcp("silent")
    once, twice = (judge(connect("silent").case(controls=rounds(dead, times))) for times in (1, 2))
    assert (once.status, twice.status, twice.cause) == (Status.IMPAIRED, Status.DOWN, Cause.OUTAGE)


@pytest.mark.parametrize(("times", "status"), [(1, Status.IMPAIRED), (2, Status.DOWN)])
def test_a_name_that_is_reset_for_controls_too_is_not_the_networks_doing(times, status):
    verdict = judge(paired().case(controls=rounds(Story().dns(OWN).tcp().tls("reset"), times)))
    assert (verdict.status, verdict.cause) == (status, Cause.OUTAGE)


def test_a_site_that_one_round_found_dead_and_another_alive_is_not_down():
    both = (report(Story().dns(OWN).tcp("silent")), report(all_well(), 31.0))
    assert judge(connect("silent").case(controls=both)).status is Status.IMPAIRED


def test_an_answer_older_than_five_minutes_counts_nothing():
    stale = (report(all_well(), age_s=301.0), report(all_well(), 31.0, age_s=301.0))
    assert judge(reset().case(controls=stale)) == judge(reset().case())


@pytest.mark.parametrize(("apart_s", "status"), [(300.0, Status.LIKELY_BLOCKED), (301.0, Status.IMPAIRED)])
def test_two_rounds_are_not_more_than_five_minutes_apart(apart_s, status):
    assert judge(reset().case(controls=rounds(all_well(), 2, apart_s))).status is status


def test_a_control_that_gave_no_answer_counts_nothing():
    lost = tuple(
        msgspec.structs.replace(one, failure="connection_reset: connect", unreachable=True)
        for one in rounds(all_well())
    )
    assert judge(reset().case(controls=lost)) == judge(reset().case())


@pytest.mark.parametrize("code", [FailureCode.OUT_OF_DESCRIPTORS, FailureCode.NETWORK_UNREACHABLE])
def test_a_step_that_failed_on_the_controls_own_host_counts_nothing(code):
    tried = Story().dns(OWN).tcp("silent")
    connecting = tried.observations[-1]
    assert connecting.failure is not None
    failure = msgspec.structs.replace(connecting.failure, code=code)
    tried.observations[-1] = msgspec.structs.replace(connecting, failure=failure)
    assert judge(connect("silent").case(controls=rounds(tried))) == judge(connect("silent").case())


def test_a_control_that_was_at_another_address_counts_nothing():
    elsewhere = Story().dns(REAL).tcp(address=REAL).tls(address=REAL)
    assert judge(reset().case(controls=rounds(elsewhere))) == judge(reset().case())


@pytest.mark.parametrize(
    "outside",
    [
        Story().dns(OWN).tcp("silent"),
        Story().dns(OWN).tcp().tls("reset"),
        Story().dns(OWN).tcp().tls("untrusted", chain=(b"other",)),
        Story().dns(FailureCode.DNS_NXDOMAIN),
        Story().dns(REAL).tcp(address=REAL).tls(address=REAL).http(address=REAL, title="Something else"),
        Story().dns(OWN).tcp().tls().http(status=451),
    ],
)
def test_what_works_here_works_whatever_controls_say(outside):
    works = Story().dns((OWN, OTHER)).tcp().tcp(address=OTHER).tls().tls(address=OTHER).http()
    assert judge(works.case(controls=rounds(outside), deep=True)).status is Status.OK
    healed = Story().dns(OWN).tcp("silent").once_more(Step.CONNECT, "ok")
    assert judge(healed.case(controls=rounds(outside))).status is Status.OK


@pytest.mark.parametrize("outcome", ["silent", "unreachable", "refused"])
@pytest.mark.parametrize("times", [1, 2, 5])
def test_an_address_out_of_reach_is_never_more_than_likely(outcome, times):
    icmp = IcmpError(type=3, code=13, offender="62.115.44.1") if outcome == "unreachable" else None
    verdict = judge(connect(outcome, icmp=icmp).case(controls=rounds(all_well(), times)))
    assert verdict.status is (Status.IMPAIRED if times == 1 else Status.LIKELY_BLOCKED)


@pytest.mark.parametrize("offender", ["192.168.1.1", "fe80::1", ""])
def test_what_our_own_host_or_router_refuses_is_no_networks_doing(offender):
    icmp = IcmpError(type=3, code=13, offender=offender) if offender else None
    verdict = judge(connect("unreachable", icmp=icmp).case(controls=rounds(all_well(), 2)))
    assert verdict.status is Status.IMPAIRED
    assert verdict.cause is not Cause.NETWORK


@pytest.mark.parametrize(
    ("took_s", "status"),
    [(0.0002, Status.IMPAIRED), (0.0006, Status.LIKELY_BLOCKED), (0.0, Status.LIKELY_BLOCKED)],
    ids=["out of our own house", "from outside", "no times are known"],
)
def test_a_refusal_that_comes_at_once_is_our_own_firewalls(took_s, status):
    story = connect("refused")
    story.observations = [
        msgspec.structs.replace(o, t_s=o.t0_s + took_s) if isinstance(o, TCPConnect) else o for o in story.observations
    ]
    assert judge(story.case(controls=rounds(all_well(), 2))).status is status


def test_another_page_in_the_clear_is_at_most_impaired():
    ours = Story(**CLEAR).dns(OWN).tcp().http(title="Notice")
    theirs = Story(**CLEAR).dns(OWN).tcp().http(title="Welcome")
    for times in (1, 2, 5):
        verdict = judge(ours.case(controls=rounds(theirs, times)))
        assert (verdict.status, verdict.cause) == (Status.IMPAIRED, Cause.UNKNOWN)
    assert judge(ours.case(controls=rounds(theirs), single_sample=True)).status is Status.IMPAIRED


def test_a_page_that_https_shows_as_well_is_the_sites_own():
    ours = Story(**CLEAR).dns(OWN).tcp().http(title="Willkommen").encrypted(title="Willkommen")
    theirs = Story(**CLEAR).dns(OWN).tcp().http(title="Welcome")
    assert judge(ours.case(controls=rounds(theirs))).status is Status.OK


def test_a_reset_of_a_site_with_a_bad_certificate_is_still_the_networks():
    verdict = judge(reset().case(controls=rounds(Story().dns(OWN).tcp().tls("untrusted", verify_code=10))))
    assert (verdict.status, verdict.cause) == (Status.LIKELY_BLOCKED, Cause.NETWORK)


def test_a_certificate_that_is_out_of_date_here_alone_accuses_nobody():
    story = Story().dns(OWN).tcp().tls("untrusted", verify_code=10).once_more(Step.HANDSHAKE, "untrusted")
    assert judge(story.case(controls=rounds(all_well()))).status is Status.SERVER_SIDE


def test_a_resolver_that_answers_nothing_at_all_is_not_blocking_the_name():
    lost = FailureCode.TIMEOUT
    story = Story().dns(lost).again(lost).neutrals(lost)
    assert judge(story.case(controls=rounds(all_well()))).cause is Cause.LOCAL


def test_a_denial_is_likely_only_by_a_resolver_that_answers_neutral_names():
    nx = FailureCode.DNS_NXDOMAIN
    unknown, clean = Story().dns(nx).again(nx), Story().dns(nx).again(nx).neutrals()
    said = [judge(story.case(controls=rounds(all_well()))).status for story in (unknown, clean)]
    assert said == [Status.IMPAIRED, Status.LIKELY_BLOCKED]


def cited(story: Story) -> Citation:
    return Citation(
        measurement="01FIRST",
        age_s=3600.0,
        observations=tuple(story.observations),
        experiments=tuple(story.experiments),
        controls=rounds(all_well()),
    )


def test_two_rounds_of_an_earlier_run_keep_their_worth_while_the_symptom_is_the_same():
    before = cited(reset())
    again = Story().dns(OWN).tcp().tls("reset")
    assert judge(again.case(cites=(before,), controls=before.controls)).status is Status.LIKELY_BLOCKED
    asked_anew = (*before.controls, report(all_well(), 3600.0))
    assert judge(again.case(cites=(before,), controls=asked_anew)).status is Status.LIKELY_BLOCKED


def test_controls_of_an_earlier_run_that_failed_in_another_way_count_nothing():
    before = cited(reset())
    verdict = judge(connect("silent").case(cites=(before,), controls=before.controls))
    assert EvidenceFamily.CONTROL not in {evidence.family for evidence in verdict.evidence}
    assert verdict.status is Status.IMPAIRED


def test_each_address_is_held_against_what_controls_saw_there():
    story = Story().dns((OWN, OTHER))
    for address in (OWN, OTHER):
        story.tcp(address=address).tls("reset", address=address).once_more(Step.HANDSHAKE, "reset", address=address)
    one_only = judge(story.case(controls=rounds(all_well())))
    assert one_only.status is Status.IMPAIRED
    both = all_well().tcp(address=OTHER).tls(address=OTHER)
    assert judge(story.case(controls=rounds(both))).status is Status.LIKELY_BLOCKED
    assert one_only.addresses[:2] == (2, 0)


def test_a_second_round_tries_our_own_step_again_and_what_has_healed_accuses_nobody():
    refused = Story().dns(OWN).tcp("refused").once_more(Step.CONNECT, "refused")
    again = plan_second_round(refused.case())
    assert [(e.step, e.endpoint.address) for e in again if e.endpoint] == [(Step.HANDSHAKE, OWN)]
    refused.experiments.extend(again)
    refused.wait(31.0).tcp("ok", experiment=again[0]).tls(experiment=again[0])
    assert judge(refused.case()).status is Status.OK


def test_that_a_forged_address_is_dead_for_controls_too_says_nothing_of_a_site_that_lives_elsewhere():
    elsewhere = Story().dns(REAL).tcp("silent", address=OWN).tcp(address=REAL).tls(address=REAL)
    verdict = judge(connect("silent").case(controls=rounds(elsewhere)))
    assert Pattern.SRV_DOWN not in verdict.patterns
    assert verdict.cause is not Cause.OUTAGE


def test_a_dead_address_that_controls_are_given_as_well_is_down_for_everybody():
    verdict = judge(connect("silent").case(controls=rounds(Story().dns(OWN).tcp("silent"))))
    assert (verdict.status, verdict.patterns) == (Status.DOWN, (Pattern.SRV_DOWN,))


def test_a_name_that_nobody_else_knows_is_down_where_our_own_answer_leads_to_nobody():
    nobody = Story().dns(FailureCode.DNS_NXDOMAIN).tcp("silent")
    assert judge(connect("silent").case(controls=rounds(nobody))).status is Status.DOWN


def by_doh() -> Story:
    """Return what a control sees of a dead site when it asks for the name by DoH: that page is the resolver's."""
    assert DOH.endpoint is not None
    way = {"address": DOH.endpoint.address, "port": DOH.endpoint.port}
    story = Story().dns(OWN, resolver=DOH).tcp(**way).tls(**way).http(**way)
    return story.tcp("silent")


def test_the_page_of_a_resolver_is_not_the_sites():
    """The site is dead for all; that a resolver answered the control must not make it the network's doing."""
    for story in (connect("silent"), reset()):
        verdict = judge(story.case(controls=rounds(by_doh())))
        assert verdict.cause is not Cause.NETWORK
    view = ControlView.of(connect("silent").case(controls=rounds(by_doh())))
    assert (view.page, view.first_page, view.answered_pages) == (None, None, [])
    assert view.connects(f"{OWN}:443") is False


def test_a_resolver_that_is_the_target_is_looked_at():
    story = Story(check=CheckName.DOH, host="8.8.8.8", address="doh+https://8.8.8.8/dns-query")
    view = ControlView.of(story.dns(OWN).case(controls=rounds(by_doh())))
    assert view.connects("8.8.8.8:443") is True
