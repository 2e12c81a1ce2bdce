"""All that a judgement rests on. The same case always gives the same verdict: `reclassify` depends on it."""

import functools
from typing import Any

import msgspec

from probe.model.control import ControlReport
from probe.model.endpoint import Endpoint
from probe.model.experiment import Experiment
from probe.model.fingerprint import Reference
from probe.model.measurement import Citation
from probe.model.observation import Observation, Resolver, Silence
from probe.model.proof import Proof
from probe.model.target import Target
from probe.model.vantage import Baseline, Vantage


class Case(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One target's run so far, with the place it was taken from and what is known beforehand."""

    target: Target
    vantage: Vantage
    observations: tuple[Observation, ...]
    experiments: tuple[Experiment, ...] = ()
    """All that were planned so far, in flight or done."""
    silences: tuple[Silence, ...] = ()
    """The planner alone reads them."""
    running: tuple[str, ...] = ()
    """Ids of the experiments in flight."""
    baseline: Baseline | None = None
    """A fit or unfit look at the vantage that started after the first failure; `None` = none yet."""
    cites: tuple[Citation, ...] = ()
    controls: tuple[ControlReport, ...] = ()
    """What was seen from elsewhere: family B."""
    proofs: tuple[Proof, ...] = ()
    """When a tunnel's credentials were seen to work, or are said to have."""
    references: tuple[Target, ...] = ()
    """Servers of tunnels' protocols that are known to work; the planner alone reads them."""
    spacing_s: float = 60.0
    """Between two handshakes with one endpoint."""
    single_sample: bool = False
    """Data of somebody else's probe, made in one go: B counts at n = 1, and nothing is more than likely."""
    resolvers: tuple[Resolver, ...] = ()
    """Other resolvers that may be asked."""
    nowhere: tuple[str, ...] = ()
    """Addresses at which no resolver is, where the user named any; the planner alone reads them."""
    neutral_names: tuple[str, ...] = ()
    """Names that nobody blocks, for the other half of a comparison."""
    reference: Reference = Reference()
    echoes: tuple[Endpoint, ...] = ()
    """Echo ports of a control that were kept for this run; none is used twice within a cool-down."""
    quic_echoes: tuple[Endpoint, ...] = ()
    """The same for what goes by UDP."""
    cool_down_s: float = 200.0
    round_apart_s: float = 30.0
    """Families B, C and D count from two tries at least this far apart (CONTRACT section 2)."""
    cold_start: bool = False
    """The endpoints were left alone for a cool-down before this run: late controls come first."""
    tries: int = 0
    """So many more handshakes the user asked for, to find what strikes only a share of them."""
    deep: bool = False
    """First sight of the target, or a day since: cheap comparisons run on success too."""

    @functools.cached_property
    def derived(self) -> dict[Any, Any]:
        """Keep what follows from the case alone, so that planning, judging and every rule work it out once."""
        return {}


def judged_families(case: Case) -> tuple[int, ...]:
    """Return the families that are judged: the target's own, else those that the vantage has."""
    if case.target.family is not None:
        return (case.target.family,)
    return case.baseline.families if case.baseline and case.baseline.families else case.vantage.families
