"""From an OONI measurement to a case that our rules can judge."""

import msgspec

from probe.classify.case import Case
from probe.model.fingerprint import Reference
from probe.model.vantage import Baseline, VantageState
from probe.protocols.ooni.measurement import OoniMeasurement
from probe.targets.address import parse_address


def build_case(measurement: OoniMeasurement, reference: Reference) -> Case:
    """Return the case.

    Raises:
        UserError: the input is no address of a kind that we check.
    """
    case = Case(
        target=parse_address(measurement.input, source="input"),
        vantage=measurement.vantage,
        observations=measurement.observations,
        experiments=measurement.experiments,
        baseline=_build_baseline(measurement),
        reference=reference,
    )
    return add_control(case, measurement)


def add_control(case: Case, measurement: OoniMeasurement) -> Case:
    """Return the case with the outside view of the measurement; as it is where there is none."""
    controls = () if measurement.control is None else (measurement.control,)
    return msgspec.structs.replace(case, controls=controls, single_sample=True)


def _build_baseline(measurement: OoniMeasurement) -> Baseline | None:
    """The probe was online if its control answered; nothing else in the file is a look at the vantage."""
    if measurement.control is None or not measurement.control.answered:
        return None
    return Baseline(
        id="ooni",
        quick=True,
        started_at=measurement.started_at,
        started_boot_s=0.0,
        runtime_s=0.0,
        state=VantageState.ONLINE,
        families=measurement.vantage.families,
    )
