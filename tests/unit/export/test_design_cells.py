"""Design tables: the check's own tries count, hellos are told apart by shape, ECH is told in words of its own."""

from probe.export.text.comparisons import build_comparisons, cells_of
from probe.export.text.reasoning import build_designs
from probe.model.experiment import Design
from probe.model.measurement import Measurement
from tests.golden.shapes import hidden, named_pair
from tests.unit.classify.measured import measured
from tests.unit.classify.test_plan_shapes import published


def told(measurement: Measurement) -> dict[str, str]:
    return {cell.what: cell.counted for table in build_designs(measurement) for cell in table.cells}


def test_the_checks_own_tries_are_the_first_tests_of_a_design_of_names() -> None:
    cells = told(measured(named_pair("reset")[0].case))
    assert cells["TLS with this name"] == "reset 5/5"
    assert cells["TLS with another name"] == "ok 5/5"


def test_without_a_design_of_names_they_are_no_comparison() -> None:
    case = hidden("reset").case(deep=True)
    assert not [cell for cell in cells_of(case.experiments, case.observations) if cell.design is Design.SNI]


def test_explain_tells_each_shape_apart_and_a_check_tells_them_together() -> None:
    measurement = measured(hidden("reset").case(deep=True))
    cells = told(measurement)
    assert cells["hello with the ECH that the zone asks for with this name"] == "reset 3/3"
    assert cells["browser's hello without ECH with another name"] == "ok"
    assert any(
        row.startswith("name hidden by ECH, as its zone asks, with this name") for row in build_comparisons(measurement)
    )


def test_what_a_zone_publishes_is_told_by_its_outer_name() -> None:
    asked = "what the zone asks browsers to hide the name behind"
    assert told(measured(published().case()))[asked] == "cloudflare-ech.com"
    silent = measured(published('1 . alpn="h2"').case())
    assert told(silent)[asked] == "nothing"
    assert build_comparisons(silent) == ()
