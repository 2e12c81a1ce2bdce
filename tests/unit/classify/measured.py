"""The measurement that a run with a case leaves."""

from typing import Any

from probe.classify.case import Case
from probe.classify.judge import judge
from probe.model.measurement import Measurement


def measured(case: Case, **fields: Any) -> Measurement:
    """Return the measurement that a run with this case leaves; it is judged unless a verdict is given."""
    cited = [report for citation in case.cites for report in citation.controls]
    given: dict[str, Any] = {
        "id": "m",
        "target": case.target,
        "vantage": case.vantage,
        "started_at": 0.0,
        "runtime_s": 1.0,
        "observations": case.observations,
        "experiments": case.experiments,
        "baseline": case.baseline,
        "controls": case.controls[len(cited) :],
        "cites": case.cites,
        "proofs": case.proofs,
        "continues": "first" if case.cold_start else "",
        "rounds_apart_s": case.round_apart_s,
        "deep": case.deep,
    }
    if "verdict" not in fields:
        given["verdict"] = judge(case)
    return Measurement(**(given | fields))
