"""Whose view it is: a control's server, a tunnel, another agent. Each is believed as far as it can know."""

import msgspec
import pytest

import tests.golden.test_golden  # noqa: F401 - the stories register themselves
from probe.classify.facts.control_view import believed
from probe.classify.judge import judge
from probe.model.control import ControlKind
from probe.model.failure import FailureCode
from probe.model.pattern import Pattern
from probe.model.verdict import Cause, Confidence, EvidenceFamily, Status
from tests.golden.controls import CLEAR, connect, denied, hello, served
from tests.golden.story import PAIRS
from tests.unit.classify.cases import OWN, REAL, Story
from tests.unit.classify.outside import all_well, report

BOGUS = "45.90.9.9"
TUNNEL, PEER, SERVER = ControlKind.TUNNEL, ControlKind.PEER, ControlKind.WALLPROBE


def seen_by(kind: ControlKind, outside: Story, **fields: object):
    return tuple(report(outside, at_s, kind=kind, control=kind.value, **fields) for at_s in (0.0, 30.0))


@pytest.mark.parametrize(
    ("kinds", "family"),
    [
        ((SERVER,), EvidenceFamily.CONTROL),
        ((TUNNEL,), EvidenceFamily.TUNNEL),
        ((PEER,), EvidenceFamily.CONTROL),
        ((TUNNEL, SERVER), EvidenceFamily.CONTROL),
    ],
)
def test_a_tunnel_is_family_c_and_a_server_family_b(kinds: tuple[ControlKind, ...], family: EvidenceFamily) -> None:
    controls = tuple(r for kind in kinds for r in seen_by(kind, all_well()))
    verdict = judge(hello("reset").case(controls=controls))
    evidence = next(e for e in verdict.evidence if e.rule_id == "tls.reset.reset.control_ok")
    assert (verdict.status, evidence.family, evidence.confidence) == (Status.LIKELY_BLOCKED, family, Confidence.C2)


def test_one_round_through_a_tunnel_is_not_enough() -> None:
    (first, _) = seen_by(TUNNEL, all_well())
    verdict = judge(hello("reset").case(controls=(first,)))
    assert (verdict.status, verdict.cause) == (Status.IMPAIRED, Cause.UNKNOWN)


def test_what_fails_through_a_tunnel_as_well_is_down() -> None:
    dead = Story().dns(OWN).tcp("refused")
    verdict = judge(connect("refused").case(controls=seen_by(TUNNEL, dead)))
    assert (verdict.status, verdict.patterns) == (Status.DOWN, (Pattern.SRV_DOWN,))


@pytest.mark.parametrize("country", ["", "XX"])
def test_what_fails_for_another_agent_as_well_excuses_nobody(country: str) -> None:
    """It may sit behind the same censor."""
    dead = Story().dns(OWN).tcp("silent")
    case = connect("silent").case(controls=seen_by(PEER, dead, country=country))
    assert judge(case).status is Status.IMPAIRED


@pytest.mark.parametrize("kind", [TUNNEL, SERVER])
def test_whoever_stands_in_our_own_country_is_believed_no_further_than_an_agent(kind: ControlKind) -> None:
    """It is behind the same border: what fails for it as well may be blocked for both."""
    dead = Story().dns(OWN).tcp("silent")
    story = connect("silent")
    home = story.case().vantage.country_code
    assert judge(story.case(controls=seen_by(kind, dead, country=home))).status is Status.IMPAIRED
    assert judge(story.case(controls=seen_by(kind, dead, country="SE"))).status is Status.DOWN


def test_a_connection_of_another_agent_counts_only_where_a_certificate_was_shown() -> None:
    bare = Story().dns(OWN).tcp()
    assert judge(connect("silent").case(controls=seen_by(PEER, bare))).status is Status.IMPAIRED
    assert judge(connect("silent").case(controls=seen_by(PEER, all_well()))).status is Status.LIKELY_BLOCKED


def test_an_address_that_another_agent_was_given_counts_only_with_a_certificate() -> None:
    nx = FailureCode.DNS_NXDOMAIN
    lied_to = Story().dns(BOGUS).tcp(address=BOGUS).tls("untrusted", address=BOGUS)
    proven = Story().dns(REAL).tcp(address=REAL).tls(address=REAL)
    assert judge(denied(nx).case(controls=seen_by(PEER, lied_to))).status is Status.IMPAIRED
    assert judge(denied(nx).case(controls=seen_by(PEER, proven))).status is Status.LIKELY_BLOCKED


def test_that_another_agent_is_told_there_is_no_such_name_proves_nothing() -> None:
    nx = FailureCode.DNS_NXDOMAIN
    assert judge(denied(nx).case(controls=seen_by(PEER, Story().dns(nx)))).status is Status.IMPAIRED
    assert judge(denied(nx).case(controls=seen_by(TUNNEL, Story().dns(nx)))).status is Status.DOWN


def test_a_page_that_came_to_another_agent_in_the_clear_is_compared_with_nothing() -> None:
    ours = served(title="Notice", body=b"closed")
    theirs = Story(**CLEAR).dns(OWN).tcp().http(title="Welcome", body=b"<p>hello</p>" * 50)
    rules = {e.rule_id for e in judge(ours.case(controls=seen_by(PEER, theirs))).evidence}
    assert "http.differs.control" not in rules
    rules = {e.rule_id for e in judge(ours.case(controls=seen_by(TUNNEL, theirs))).evidence}
    assert "http.differs.control" in rules


def test_of_a_server_everything_is_believed() -> None:
    (first, _) = seen_by(SERVER, Story().dns(OWN).tcp("silent"))
    assert believed(first, Story().dns(OWN).case()) == first.observations


def test_a_page_that_comes_slowly_through_a_tunnel_excuses_no_network() -> None:
    slow = PAIRS["flow.slow.server"]().fires.case
    assert "flow.slow.server" in {e.rule_id for e in judge(slow).evidence}
    tunnelled = tuple(msgspec.structs.replace(r, kind=TUNNEL) for r in slow.controls)
    assert "flow.slow.server" not in {
        e.rule_id for e in judge(msgspec.structs.replace(slow, controls=tunnelled)).evidence
    }


@pytest.mark.parametrize("rule", ["flow.throttle.control_fast", "flow.freeze.control_whole"])
def test_a_page_that_comes_well_through_a_tunnel_is_family_c(rule: str) -> None:
    case = PAIRS[rule]().fires.case
    tunnelled = tuple(msgspec.structs.replace(r, kind=TUNNEL) for r in case.controls)
    evidence = judge(msgspec.structs.replace(case, controls=tunnelled)).evidence
    assert {e.family for e in evidence if e.rule_id == rule} == {EvidenceFamily.TUNNEL}
