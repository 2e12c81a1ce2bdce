"""The last word on every target, kept ready for whoever renders it."""

from collections.abc import Sequence

import msgspec

from probe.daemon.certificates import Expiries
from probe.export.metrics.durations import DurationCounts
from probe.export.metrics.families import choose_level
from probe.export.metrics.target import TargetChunk, render_target
from probe.model.episode import Episode, EpisodeState
from probe.model.failure import FailureCode
from probe.model.measurement import Measurement
from probe.model.outcome import find_failure, measure_phases
from probe.model.settings import PerTarget
from probe.model.snapshot import Phase, TargetSnapshot
from probe.model.target import Target
from probe.model.verdict import Status, Verdict
from probe.store.values import Tally

VALID_INTERVALS = 3
"""A verdict is believed for so many effective intervals: a gap, in the words of CONTRACT section 5."""


class Board:
    """Snapshots and ready chunks of the targets now on the list, in the list's order."""

    def __init__(self, level: PerTarget | None) -> None:
        self._level = level
        self._snapshots: dict[str, TargetSnapshot] = {}
        self._chunks: dict[str, TargetChunk] = {}
        self.durations = DurationCounts()
        self._expiries = Expiries()

    @property
    def level(self) -> PerTarget:
        """Return how much of each target is on /metrics."""
        return choose_level(self._level, len(self._snapshots))

    def replace(
        self,
        targets: Sequence[Target],
        level: PerTarget | None,
        states: dict[str, EpisodeState],
        tallies: dict[str, Tally],
    ) -> None:
        """Show these targets from now on: those that stay keep their state, those that went are gone."""
        before, chunks, level_before = self._snapshots, self._chunks, self.level
        self._level = level
        self._snapshots = {t.id: self._take_over(t, before.get(t.id), states, tallies) for t in targets}
        kept = chunks if self.level is level_before else {}
        self._chunks = {
            name: kept[name] if snapshot is before.get(name) and name in kept else render_target(snapshot, self.level)
            for name, snapshot in self._snapshots.items()
        }

    def _take_over(
        self,
        target: Target,
        before: TargetSnapshot | None,
        states: dict[str, EpisodeState],
        tallies: dict[str, Tally],
    ) -> TargetSnapshot:
        if before is not None:
            return before if before.target == target else msgspec.structs.replace(before, target=target)
        tally, state = tallies.get(target.id), states.get(target.id)
        episode = state.episode if state else None
        snapshot = TargetSnapshot(target=target, episode=episode, verdict=_last_word(episode))
        if tally is None:
            return snapshot
        return msgspec.structs.replace(
            snapshot,
            measurement=tally.measurement,
            runs_total=tally.runs_total,
            failures_total=tally.failures_total,
            failures=dict(tally.failures),
            last_failure=tally.last_failure,
            failed_measurement=tally.failed_measurement,
            last_run_at=tally.last_run_at,
            last_ok_at=tally.last_ok_at,
            valid_until=tally.last_run_at + VALID_INTERVALS * target.interval_s if episode else 0.0,
            stale=episode is not None and tally.status is Status.INSUFFICIENT,
        )

    def snapshot(self, target_id: str) -> TargetSnapshot | None:
        """Return the state of one target; `None` = it is not on the list."""
        return self._snapshots.get(target_id)

    def snapshots(self) -> Sequence[TargetSnapshot]:
        """Return all states, in the list's order."""
        return list(self._snapshots.values())

    def chunks(self) -> Sequence[TargetChunk]:
        """Return all ready chunks, in the same order."""
        return list(self._chunks.values())

    def update(self, measurement: Measurement, state: EpisodeState, effective_interval_s: float) -> tuple[Phase, ...]:
        """Take in a finished run and return its phases; a target that has left the list meanwhile is ignored.

        A measurement that goes on with another one is no run of its own and makes none of its steps: what is counted,
        and how long the steps took, stays as it was.
        """
        target_id = measurement.target.id
        before = self._snapshots.get(target_id)
        phases = measure_phases(measurement)
        if before is None:
            return phases
        failure = find_failure(measurement)
        failed = not measurement.verdict.status.reachable
        judged = measurement.verdict.status is not Status.INSUFFICIENT
        ended_at = measurement.started_at + measurement.runtime_s
        goes_on = bool(measurement.continues)
        if not goes_on:
            self.durations.observe(measurement.target.check, measurement.runtime_s)
        snapshot = TargetSnapshot(
            target=before.target,
            verdict=measurement.verdict if judged or before.verdict is None else before.verdict,
            episode=state.episode,
            measurement=measurement.id,
            last_run_at=ended_at,
            last_ok_at=ended_at if measurement.verdict.status.reachable else before.last_ok_at,
            valid_until=ended_at + VALID_INTERVALS * effective_interval_s if judged else before.valid_until,
            duration_s=before.duration_s if goes_on else measurement.runtime_s,
            runs_total=before.runs_total + (not goes_on),
            failures_total=before.failures_total + (failed and not goes_on),
            failures=before.failures if goes_on else _count(before.failures, failure),
            last_failure=failure if failed and not goes_on else before.last_failure,
            failed_measurement=measurement.id if failed else before.failed_measurement,
            phases=phases or before.phases if goes_on else phases,
            certificate_expires_at=self._expiries.find_first(measurement) or before.certificate_expires_at,
            stale=not judged,
        )
        self._snapshots[target_id] = snapshot
        self._chunks[target_id] = render_target(snapshot, self.level, self._chunks.get(target_id))
        return phases


def _count(failures: dict[FailureCode, int], failure: FailureCode | None) -> dict[FailureCode, int]:
    if failure is None:
        return failures
    return failures | {failure: failures.get(failure, 0) + 1}


def _last_word(episode: Episode | None) -> Verdict | None:
    """Return what an earlier process last said: an alert must not end because the agent was restarted."""
    if episode is None:
        return None
    return Verdict(
        status=episode.status,
        patterns=episode.patterns,
        cause=episode.cause,
        confidence=episode.confidence,
        summary="As last judged, before the agent was restarted.",
    )
