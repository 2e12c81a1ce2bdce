"""What folding knows of each target, and the keeping of what the episodes alone do not say."""

import math

from probe.episodes import fold, reanchor
from probe.model.episode import EpisodeState, Fold, RunOutcome
from probe.model.measurement import Measurement
from probe.store.store import Store

SAVE_EVERY_S = 1.0
SAVED_PER_S = 5000
"""It is saved this often at most, and less often when much is open at once."""


class States:
    """The states of all targets by id; runs that wait for confirmation and shares of failing runs outlive a restart."""

    def __init__(self, known: dict[str, EpisodeState], store: Store | None) -> None:
        self.known = known
        self._store = store
        self._changed = False
        self._due_s = -math.inf

    def fold(self, measurement: Measurement, interval_s: float) -> Fold:
        """Fold a finished run into its target's state; `interval_s` was in force before it."""
        target_id = measurement.target.id
        before = self.known.get(target_id)
        folded = fold(before, _outcome(measurement), interval_s)
        self.known[target_id] = folded.state
        self._changed |= folded.state.unsettled or (before is not None and before.unsettled)
        return folded

    def reanchor(self, step_s: float) -> None:
        """Move the stamps that arithmetic is done on, after the wall clock was stepped by so much."""
        self.known = {target_id: reanchor(state, step_s) for target_id, state in self.known.items()}

    def save(self, now_s: float, *, at_once: bool = False) -> None:
        """Hand what is unsettled to the store, if it changed and it is time to; `now_s` is boot time."""
        if self._store is None or not self._changed or (now_s < self._due_s and not at_once):
            return
        self._changed = False
        unsettled = tuple(state for state in self.known.values() if state.unsettled)
        self._store.save_states(unsettled)
        self._due_s = now_s + max(SAVE_EVERY_S, len(unsettled) / SAVED_PER_S)


def _outcome(measurement: Measurement) -> RunOutcome:
    verdict = measurement.verdict
    return RunOutcome(
        target=measurement.target.id,
        at=measurement.started_at,
        status=verdict.status,
        patterns=verdict.patterns,
        cause=verdict.cause,
        confidence=verdict.confidence,
        measurement=measurement.id,
        continues=measurement.continues,
    )
