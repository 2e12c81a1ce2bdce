"""What `explain` adds to a verdict: designs with n/n, what would raise it, what was not possible and why."""

import msgspec
import pytest

import tests.golden.test_golden  # noqa: F401 - the stories register themselves
from probe.export.text.reasoning import _VARIED, build_designs, what_was_not_possible, what_would_raise
from probe.model.control import ControlReport
from probe.model.experiment import Design
from probe.model.measurement import Citation
from probe.model.verdict import Confidence, Status
from tests.golden.controls import hello
from tests.golden.quic import failing
from tests.golden.story import PAIRS
from tests.unit.classify.cases import FIT, OWN, Story
from tests.unit.classify.measured import measured
from tests.unit.classify.outside import all_well, rounds


def test_every_design_says_what_it_varies_and_what_it_holds() -> None:
    assert set(_VARIED) == set(Design)
    assert all(varied and held for varied, held in _VARIED.values())


def test_the_design_that_decided_is_told_with_its_counts() -> None:
    told = measured(PAIRS["tls.reset.sni.neutral_ok"]().fires.case)
    (sni,) = [table for table in build_designs(told) if table.design is Design.SNI]
    assert (sni.varied, sni.held) == ("the name in the TLS hello", "address, port, hello shape")
    counted = {cell.what: cell.counted for cell in sni.cells}
    assert counted["TLS with another name"] == "ok 5/5"
    assert "reset" in counted["TLS with this name"]


def test_designs_of_a_cited_run_say_where_they_are_from() -> None:
    earlier = PAIRS["tls.reset.sni.neutral_ok"]().fires.case
    citation = Citation(
        measurement="first", age_s=300.0, observations=earlier.observations, experiments=earlier.experiments
    )
    tables = build_designs(measured(Story().dns(OWN).tcp().tls("reset").case(cites=(citation,))))
    assert {table.measurement for table in tables} == {"first"}


@pytest.mark.parametrize("rule", sorted(PAIRS))
def test_every_story_can_be_explained_and_is_raised_only_where_it_is_not_settled(rule: str) -> None:
    told = measured(PAIRS[rule]().fires.case)
    build_designs(told)
    what_was_not_possible(told)
    if told.verdict.confidence is Confidence.C3 or told.verdict.status is Status.OK:
        assert what_would_raise(told) == ()


def test_without_a_control_one_is_what_would_raise_it() -> None:
    told = measured(hello("reset").case())
    assert any("`control:`" in step for step in what_would_raise(told))
    assert any("no view from elsewhere" in what for what in what_was_not_possible(told))


def test_with_a_control_that_agreed_twice_no_control_is_asked_for() -> None:
    told = measured(hello("reset").case(controls=rounds(all_well())))
    assert not any("control" in step for step in what_would_raise(told))


def test_a_control_that_could_not_be_reached_is_told_with_the_reason() -> None:
    lost = ControlReport(control="fra-1", asked_at=0.0, failure="tls: connection_reset", unreachable=True)
    told = measured(hello("reset").case(controls=(lost,)))
    assert "control fra-1: tls: connection_reset (we did not get through to it)" in what_was_not_possible(told)


def test_what_the_vantage_lacks_is_told() -> None:
    told = measured(hello("reset").case(), baseline=msgspec.structs.replace(FIT, families=(4,)))
    assert "no IPv6 address was tried: this network has no IPv6" in what_was_not_possible(told)
    assert "no comparison of networks: our own AS is not known" in what_was_not_possible(told)


def test_a_host_that_keeps_low_ports_for_the_privileged_says_so() -> None:
    what = "no QUIC from a low source port: this host keeps those for the privileged"
    assert what in what_was_not_possible(measured(failing().try_low(1, "instrument").case()))
    assert what not in what_was_not_possible(measured(failing().try_low(1, "silent").case()))


def test_experiments_that_did_not_run_are_counted_and_explained() -> None:
    case = PAIRS["tls.reset.sni.neutral_ok"]().fires.case
    cut = msgspec.structs.replace(measured(case), observations=case.observations[:4], interrupted=True)
    assert any("the run was interrupted" in what for what in what_was_not_possible(cut))


def test_a_target_that_was_never_looked_at_closely_says_so() -> None:
    case = Story().dns(OWN).tcp().tls().http().case()
    assert any("not looked at closely yet" in what for what in what_was_not_possible(measured(case, unlooked=True)))
    assert not any("closely" in what for what in what_was_not_possible(measured(case)))
