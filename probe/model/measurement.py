"""One run of one target through the flow, and the record of it."""

import msgspec

from probe.model.control import ControlReport
from probe.model.experiment import Experiment
from probe.model.observation import Observation
from probe.model.proof import Proof
from probe.model.target import Target
from probe.model.vantage import Baseline, Vantage
from probe.model.verdict import Verdict

SCHEMA_VERSION = 1


class Citation(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence of an earlier measurement that this one may lean on; the first of several is the first run."""

    measurement: str
    age_s: float
    """From its start to the start of the run that leans on it."""
    runtime_s: float = 0.0
    observations: tuple[Observation, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    controls: tuple[ControlReport, ...] = ()


class Measurement(msgspec.Struct, frozen=True, kw_only=True):
    """Everything one run saw and concluded."""

    id: str
    """26 characters, sortable by time."""
    target: Target
    vantage: Vantage
    started_at: float
    """Wall time, seconds since the epoch (UTC)."""
    runtime_s: float
    observations: tuple[Observation, ...]
    experiments: tuple[Experiment, ...] = ()
    baseline: Baseline | None = None
    """The baseline a failure was judged by; `None` when none was needed."""
    controls: tuple[ControlReport, ...] = ()
    """What controls saw, asked for this run."""
    proofs: tuple[Proof, ...] = ()
    """What was known of a tunnel's credentials beforehand."""
    cites: tuple[Citation, ...] = ()
    continues: str = ""
    """Id of the measurement whose pending experiments this one ran."""
    rounds_apart_s: float = 30.0
    """How far apart two looks of a control had to be to count as two; laboratories shorten it."""
    deep: bool = False
    """It looked further than a plain run, also where nothing was wrong."""
    unlooked: bool = False
    """No deep run of the target was made yet, this one included: there was no budget for one."""
    verdict: Verdict
    interrupted: bool = False
    queued_s: float = 0.0
    schema_version: int = SCHEMA_VERSION
