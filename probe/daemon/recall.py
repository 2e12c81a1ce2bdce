"""Finds again, after a restart, the runs whose experiments still speak of a failing target.

Source: CONTRACT section 4: a later run with the same symptom inherits the evidence by reference for a day. Memory had
it, the database has it: without it the first run after a restart would say less than the last one before.
"""

import contextlib

from probe.daemon.evidence import KEEPS_S
from probe.model.errors import UserError
from probe.model.measurement import Measurement
from probe.model.verdict import Status
from probe.store.store import Store


def find_evidence(store: Store, target: str, wall_s: float) -> tuple[Measurement, ...]:
    """Return the run that made the experiments and those that went on with it, oldest first; empty = none is kept."""
    newest = next(iter(store.load_stored(target, wall_s - KEEPS_S, limit=1)), None)
    if newest is None or newest.status is Status.OK:
        return ()
    last = _load(store, newest.id)
    if last is None or last.interrupted:
        return ()
    if last.experiments and not last.continues:
        return (last,)
    earlier = [_load(store, citation.measurement) for citation in last.cites]
    return (*(run for run in earlier if run is not None), *((last,) if last.continues else ()))


def _load(store: Store, measurement: str) -> Measurement | None:
    with contextlib.suppress(UserError):  # it cannot be read: then there is no evidence
        return store.load_measurement(measurement)
    return None
