"""Each golden case of a page, exported: valid in OONI's format, and read back without accusing where we saw it work."""

import json

import pytest

from probe.classify.judge import judge
from probe.cli.ooni_cases import build_case
from probe.export.ooni.line import render_ooni
from probe.export.ooni.scrub import Scrubber
from probe.model.target import CheckName
from probe.model.verdict import Status
from probe.protocols.ooni.measurement import parse_measurement
from tests.golden.stories import PAIRS
from tests.unit.classify.measured import measured
from tests.unit.export.test_ooni import VALIDATOR

ACCUSING = (Status.BLOCKED, Status.LIKELY_BLOCKED)
CASES = {
    f"{rule} {name}": half.case
    for rule, build in PAIRS.items()
    for pair in [build()]
    for name, half in (("fires", pair.fires), ("nearly", pair.nearly))
    if half.case.target.check is CheckName.WEB
}


@pytest.mark.parametrize("name", CASES)
def test_a_golden_case_is_exported_as_oonis_format_has_it(name):
    case = CASES[name]
    verdict = judge(case)
    measurement = measured(case, id="01JB0000000000000000000000", started_at=1.7e9, verdict=verdict)
    line = render_ooni(measurement, Scrubber(()))
    record = json.loads(line)
    VALIDATOR.validate(record)
    assert record["test_keys"]["accessible"] in ((False,) if verdict.status in ACCUSING else (True, False, None))
    again = judge(build_case(parse_measurement(line), case.reference))
    assert not (verdict.status.reachable and again.status in ACCUSING)
