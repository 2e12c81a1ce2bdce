"""The line that a control's view gets in a report."""

import pytest

from probe.export.text.outside_view import build_outside_lines
from probe.model.control import ControlKind, ControlReport, KnownVerdict
from probe.model.failure import FailureCode
from probe.model.verdict import Status, Verdict
from tests.unit.classify.cases import DOH, OWN, REAL, Story
from tests.unit.classify.measured import measured
from tests.unit.classify.outside import all_well, report


def line(told: ControlReport) -> str:
    (only,) = lines(told)
    return only


def lines(told: ControlReport) -> tuple[str, ...]:
    case = Story().dns(OWN).case(controls=(told,))
    return build_outside_lines(measured(case, verdict=Verdict(status=Status.IMPAIRED)))


def test_a_view_is_told_step_by_step() -> None:
    assert line(report(all_well())) == "fra-1 (a control): DNS ok, TCP ok, TLS ok, page 200"


def test_addresses_are_counted_and_failures_named() -> None:
    mixed = Story().dns(OWN, REAL).tcp().tcp("refused", address=REAL).tls("reset")
    told = line(report(mixed, kind=ControlKind.TUNNEL, control="via wg0", age_s=12.4))
    assert told == "via wg0 (through a tunnel), 12 s old: DNS ok, TCP ok 1/2, TLS connection_reset"


def test_a_name_that_is_unknown_there_too_is_told() -> None:
    assert line(report(Story().dns(FailureCode.DNS_NXDOMAIN))) == "fra-1 (a control): DNS dns_nxdomain_error"


@pytest.mark.parametrize(("unreachable", "how"), [(True, "we did not get through to it"), (False, "it gave no answer")])
def test_that_a_control_did_not_answer_is_told_with_the_reason(unreachable: bool, how: str) -> None:
    told = ControlReport(control="fra-1", asked_at=0.0, failure="tls: connection_reset", unreachable=unreachable)
    assert line(told) == f"fra-1 (a control): {how}: tls: connection_reset"


def test_controls_that_were_asked_in_vain_before_are_told_too() -> None:
    tried = ("my-vpn: tunnel: nothing came through it", "fra-1: connect: connection_refused")
    told = ControlReport(control="fra-1", asked_at=0.0, failure="connect: connection_refused", tried=tried)
    assert lines(told) == (
        "my-vpn: tunnel: nothing came through it (asked first)",
        "fra-1 (a control): it gave no answer: connect: connection_refused",
    )


def test_what_another_agent_says_itself_is_told_beside_its_view() -> None:
    known = KnownVerdict(target="https://a.example", status=Status.OK)
    told = line(report(Story().dns(OWN), kind=ControlKind.PEER, known=(known,)))
    assert told == "fra-1 (another agent): DNS ok; it says itself: https://a.example ok"


def test_the_way_to_a_resolver_is_none_of_the_target() -> None:
    assert DOH.endpoint is not None
    way = {"address": DOH.endpoint.address, "port": DOH.endpoint.port}
    seen = Story().dns(OWN, resolver=DOH).tcp(**way).tls(**way).http(**way).tcp("silent")
    assert line(report(seen)) == "fra-1 (a control): DNS ok, TCP generic_timeout_error"
