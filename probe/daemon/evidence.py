"""Remembers, for each failing target, the run whose experiments still speak of it, and when a deep run is due.

Source: CONTRACT section 4: experiments run on change, or once in 24 h; a later run with the same symptom cites them.
"""

from collections.abc import Container

from probe.classify.facts.symptom import Symptom, find_symptom
from probe.model.measurement import Citation, Measurement
from probe.model.verdict import Status

KEEPS_S = 86400.0


class EvidenceMemory:
    """Only failing targets take memory here."""

    def __init__(self) -> None:
        self._kept: dict[str, list[Measurement]] = {}
        self._symptoms: dict[str, Symptom] = {}
        self._deep_at_s: dict[str, float] = {}

    def take(self, measurement: Measurement, symptom: Symptom) -> None:
        """Learn from a finished run: a new symptom starts anew, a good run forgets."""
        target_id = measurement.target.id
        if measurement.verdict.status is Status.OK:
            self._kept.pop(target_id, None)
            self._symptoms.pop(target_id, None)
            return
        if measurement.continues:
            self._kept.setdefault(target_id, []).append(measurement)
            return
        if measurement.experiments or self._symptoms.get(target_id) != symptom:
            self._kept[target_id] = [measurement]
            self._symptoms[target_id] = symptom

    def recall(self, target_id: str, found: tuple[Measurement, ...]) -> None:
        """Take up what an earlier process knew, unless something newer is known."""
        if found and target_id not in self._kept:
            self._kept[target_id] = list(found)
            self._symptoms[target_id] = find_symptom(found[0].observations)

    def cites(self, target_id: str, wall_s: float) -> tuple[Citation, ...]:
        """Return the evidence that is young enough to stand for another day's experiments."""
        return tuple(
            Citation(
                measurement=kept.id,
                age_s=wall_s - kept.started_at,
                runtime_s=kept.runtime_s,
                observations=kept.observations,
                experiments=kept.experiments,
                controls=kept.controls,
            )
            for kept in self._kept.get(target_id, ())
            if 0 <= wall_s - kept.started_at < KEEPS_S
        )

    def deep_due(self, target_id: str, now_s: float, every_s: float) -> bool:
        """Tell whether a deep run is due."""
        last_s = self._deep_at_s.get(target_id)
        return last_s is None or now_s - last_s >= every_s

    def looked(self, target_id: str) -> bool:
        """Tell whether a deep run of it was ever made."""
        return target_id in self._deep_at_s

    def note_deep(self, target_id: str, now_s: float) -> None:
        """Count a deep run that was made; one that had no budget stays due."""
        self._deep_at_s[target_id] = now_s

    def keep_only(self, targets: Container[str]) -> None:
        """Forget targets that have left the list."""
        for memory in (self._kept, self._symptoms, self._deep_at_s):
            for gone in [name for name in memory if name not in targets]:
                del memory[gone]
