import msgspec
import pytest

from probe.classify.judge import judge
from probe.model.experiment import Step
from probe.model.failure import FailureCode
from probe.model.pattern import Pattern
from probe.model.vantage import LocalFinding, VantageState
from probe.model.verdict import Cause, Confidence, Status
from tests.unit.classify.cases import DOH, DOT, FIT, OWN, Story

CLEAR = {"secure": False, "port": 80, "address": "http://www.site.example"}
NX = FailureCode.DNS_NXDOMAIN


def at(state, **fields):
    return {"baseline": msgspec.structs.replace(FIT, state=state, **fields)}


def silent():
    return Story().dns(OWN).tcp("silent").once_more(Step.CONNECT, "silent")


@pytest.mark.parametrize("state", [VantageState.ONLINE, VantageState.DEGRADED])
def test_a_fit_vantage_lets_a_failure_be_judged(state):
    assert judge(silent().case(**at(state))).status is Status.IMPAIRED


def test_a_failure_before_any_baseline_is_held():
    verdict = judge(silent().case(baseline=None))
    assert (verdict.status, verdict.rule_id) == (Status.INSUFFICIENT, "vantage.not_yet_known")


@pytest.mark.parametrize(
    ("state", "pattern"),
    [(VantageState.OFFLINE, Pattern.NET_OFFLINE), (VantageState.PORTAL, Pattern.NET_CAPTIVE_PORTAL)],
)
def test_an_unfit_vantage_suspends_judgement(state, pattern):
    verdict = judge(silent().case(**at(state)))
    assert (verdict.status, verdict.patterns, verdict.cause) == (Status.INSUFFICIENT, (pattern,), Cause.LOCAL)


@pytest.mark.parametrize("state", VantageState)
def test_a_page_under_a_valid_certificate_is_ok_wherever_we_stand(state):
    assert judge(Story().dns(OWN).tcp().tls().http().case(**at(state))).status is Status.OK


def test_a_page_in_the_clear_is_not_believed_before_a_baseline_nor_behind_a_portal():
    story = Story(**CLEAR).dns(OWN).tcp().http()
    assert judge(story.case(baseline=None)).status is Status.INSUFFICIENT
    assert judge(story.case(**at(VantageState.PORTAL))).status is Status.INSUFFICIENT
    assert judge(story.case()).status is Status.OK


def test_what_fails_while_the_way_abroad_is_cut_is_impaired_by_nobody():
    verdict = judge(silent().case(**at(VantageState.FOREIGN_CUT)))
    assert (verdict.status, verdict.patterns) == (Status.IMPAIRED, (Pattern.NET_FOREIGN_CUT,))
    assert (verdict.cause, verdict.confidence) == (Cause.UNKNOWN, Confidence.C1)


def test_what_fails_at_a_border_shown_to_be_selective_is_likely_blocked():
    verdict = judge(silent().case(**at(VantageState.FOREIGN_CUT, selective=True)))
    assert (verdict.status, verdict.patterns) == (Status.LIKELY_BLOCKED, (Pattern.NET_ALLOWLIST_MODE,))


@pytest.mark.parametrize("selective", [True, False])
def test_a_name_that_exists_nowhere_is_down_whatever_the_border_does(selective):
    story = Story().dns(NX).again(NX).ask(NX, DOH).ask(NX, DOT).neutrals()
    assert judge(story.case(**at(VantageState.FOREIGN_CUT, selective=selective))).status is Status.DOWN


def test_what_our_own_host_could_not_do_needs_no_baseline():
    verdict = judge(Story().dns(OWN).tcp("no_descriptors").case(baseline=None))
    assert (verdict.status, verdict.cause) == (Status.INSUFFICIENT, Cause.INSTRUMENT)


def test_nothing_observed_is_insufficient():
    assert judge(Story().case()).status is Status.INSUFFICIENT


def test_a_run_that_ended_before_the_page_is_insufficient():
    assert judge(Story().dns(OWN).tcp().tls().case()).rule_id == "run.page_not_asked"


def test_a_clock_that_fails_every_certificate_is_named_though_no_anchor_passes():
    wrong = at(VantageState.OFFLINE, findings=(LocalFinding.CLOCK_WRONG,))
    verdict = judge(Story().dns(OWN).tcp().tls("untrusted", verify_code=10).case(**wrong))
    assert (verdict.status, verdict.patterns, verdict.cause) == (Status.IMPAIRED, (Pattern.NET_CLOCK,), Cause.LOCAL)
