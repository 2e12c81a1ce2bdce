"""From an OONI measurement to a case that our rules can judge."""

import functools
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

import certifi
import msgspec

from probe.classify.case import Case
from probe.model.failure import FailureCode
from probe.model.fingerprint import Reference
from probe.model.observation import Observation, TLSHandshake, TLSStage
from probe.model.vantage import Baseline, VantageState
from probe.protocols.ooni.measurement import OoniMeasurement
from probe.targets.address import parse_address

if TYPE_CHECKING:
    from probe.protocols.engines.roots import Roots

_DISTRUST = (FailureCode.SSL_UNKNOWN_AUTHORITY, FailureCode.SSL_INVALID_CERTIFICATE)


@functools.cache
def load_reference_roots() -> "Roots":
    """Return certifi's roots; most files never need them."""
    from probe.protocols.engines.roots import Roots

    return Roots(certifi.contents())


def build_case(
    measurement: OoniMeasurement, reference: Reference, roots: "Callable[[], Roots]" = load_reference_roots
) -> Case:
    """Return the case, with chains that the probe refused judged again by `roots`.

    Raises:
        UserError: the input is no address of a kind that we check.
    """
    case = Case(
        target=parse_address(measurement.input, source="input"),
        vantage=measurement.vantage,
        observations=_review(measurement, roots),
        experiments=measurement.experiments,
        baseline=_build_baseline(measurement),
        reference=reference,
    )
    return add_control(case, measurement)


def _review(measurement: OoniMeasurement, roots: "Callable[[], Roots]") -> tuple[Observation, ...]:
    """Return the observations, with certificates trusted that only the probe did not.

    A probe brings its own list of roots and may be years old: a site that went to a newer authority since is refused by
    it and by nobody else. That is no foreign certificate.
    """
    seen = measurement.observations
    shown = {_peer(o) for o in seen if isinstance(o, TLSHandshake) and _is_distrusted(o)}
    # All addresses of a site mostly show one chain: it is looked at once.
    good = {peer for peer in shown if not roots().judge(*peer, at_s=measurement.started_at)[0]}
    return tuple(_trust(o, good) if isinstance(o, TLSHandshake) else o for o in seen) if good else seen


def _is_distrusted(shaken: TLSHandshake) -> bool:
    return bool(shaken.chain) and shaken.failure is not None and shaken.failure.code in _DISTRUST


def _peer(shaken: TLSHandshake) -> tuple[tuple[bytes, ...], str]:
    """Return what says who answered: the chain, and the name that was asked for."""
    return shaken.chain, shaken.server_name


def _trust(shaken: TLSHandshake, good: Collection[tuple[tuple[bytes, ...], str]]) -> TLSHandshake:
    if not _is_distrusted(shaken) or _peer(shaken) not in good:
        return shaken
    return msgspec.structs.replace(
        shaken, failure=None, ending=None, verified=True, verify_code=0, stage=TLSStage.DONE, root_store="certifi"
    )


def add_control(case: Case, measurement: OoniMeasurement) -> Case:
    """Return the case with the outside view of the measurement; as it is where there is none."""
    controls = () if measurement.control is None else (measurement.control,)
    return msgspec.structs.replace(case, controls=controls, single_sample=True)


def _build_baseline(measurement: OoniMeasurement) -> Baseline | None:
    """Return the vantage as far as the file shows it: online if the control answered; `None` = nothing is known."""
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
