"""The check's own steps, also where a late round, which makes experiments alone, has the last word."""

from collections.abc import Sequence

from probe.model.measurement import Measurement
from probe.model.observation import Observation, Role


def own_steps(measurement: Measurement) -> Sequence[Observation]:
    """Return what was asked of the target itself; of a late round, in the newest run that it goes on from."""
    runs = [measurement.observations]
    if measurement.continues:
        runs += [citation.observations for citation in reversed(measurement.cites)]
    found = ([o for o in observations if o.role is Role.TARGET] for observations in runs)
    return next((own for own in found if own), [])
