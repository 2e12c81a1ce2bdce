"""Heat: another target's measurement triggered a filter at this place less than a cool-down ago.

Source: CONTRACT section 4. What fails there then may be the after-effect of that other trigger, so it is NO_DATA, and
is tried again once cold. A success counts; so does a failure once a neutral name has passed there since (T C T C), and
one like those of an earlier run whose evidence is cited: then the heat is the target's own.
"""

from collections.abc import Iterable

from probe.classify.pairs import SPOKE
from probe.classify.tries import TRIGGERABLE, Outcome, Try
from probe.model.endpoint import Endpoint
from probe.model.experiment import NameKind
from probe.model.measurement import Measurement
from probe.model.observation import QUICHandshake, TCPConnect
from probe.model.verdict import Cause, Confidence, Evidence, EvidenceFamily, EvidenceLevel, Verdict

HOT_RULE = "place.hot"
_AFTER_EFFECTS = TRIGGERABLE | {Outcome.REFUSED}


def is_heated(failing: Try | None, table: Iterable[Try]) -> bool:
    """Tell whether the try that broke a path may have met what another measurement triggered."""
    if failing is None or failing.outcome not in _AFTER_EFFECTS or failing.measurement:
        return False
    here = [row for row in table if row.spot == failing.spot]
    if not any(row.hot and row.experiment is None and not row.measurement for row in here):
        return False
    return not any(row.measurement or _is_passed_control(row, failing) for row in here)


def _is_passed_control(row: Try, failing: Try) -> bool:
    return row.kind is NameKind.NEUTRAL and row.layer is failing.layer and row.outcome in SPOKE


def build_hot_evidence(path: str, hop: int) -> Evidence:
    """Return what is said in place of a finding."""
    return Evidence(
        rule_id=HOT_RULE,
        family=EvidenceFamily.OBSERVED,
        level=EvidenceLevel.NO_DATA,
        cause=Cause.UNKNOWN,
        confidence=Confidence.C0,
        reason="Another measurement was interfered with at this address a moment ago; what fails there now is no data.",
        path=path,
        hop=hop,
    )


def was_heated(verdict: Verdict) -> bool:
    """Tell whether judgement was withheld because of heat."""
    return any(evidence.rule_id == HOT_RULE for evidence in verdict.evidence)


def hot_places(measurement: Measurement) -> tuple[tuple[Endpoint, bool], ...]:
    """Return the places that were hot when the run came to them, and whether it came by UDP."""
    seen = (o for o in measurement.observations if isinstance(o, TCPConnect | QUICHandshake) and o.hot)
    return tuple((o.endpoint, isinstance(o, QUICHandshake)) for o in seen)
