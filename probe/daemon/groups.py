"""The verdicts of groups: folded anew whenever one of their members was run."""

from collections.abc import Callable, Iterable

from probe.classify.group import fold_group
from probe.model.measurement import Measurement
from probe.model.snapshot import TargetSnapshot
from probe.model.target import Target
from probe.model.verdict import Verdict
from probe.pipeline.ids import new_id
from probe.targets.groups import build_groups, is_member


class Groups:
    """The groups among the targets now on the list."""

    def __init__(self) -> None:
        self._members: dict[str, tuple[Target, ...]] = {}
        self._of: dict[str, Target] = {}

    def adopt(self, targets: Iterable[Target]) -> None:
        """Fold these from now on."""
        targets = tuple(targets)
        self._members, self._of = {}, {}
        for group in build_groups(targets):
            self._members[group.id] = tuple(target for target in targets if is_member(target, group))
            self._of.update((member.id, group) for member in self._members[group.id])

    def fold(self, measurement: Measurement, snapshot_of: Callable[[str], TargetSnapshot | None]) -> Measurement | None:
        """Return what now holds for the group of a target that was just run; `None` = it is in none."""
        group = self._of.get(measurement.target.id)
        if group is None:
            return None
        words: dict[str, Verdict] = {}
        for member in self._members[group.id]:
            snapshot = snapshot_of(member.id)
            if snapshot is not None and snapshot.verdict is not None:
                words[member.place] = snapshot.verdict
        return Measurement(
            id=new_id(measurement.started_at + measurement.runtime_s),
            target=group,
            vantage=measurement.vantage,
            started_at=measurement.started_at,
            runtime_s=measurement.runtime_s,
            observations=(),
            baseline=measurement.baseline,
            verdict=fold_group(group.group_mode, words),
        )


def is_news(before: TargetSnapshot | None, verdict: Verdict) -> bool:
    """Tell whether a group's verdict says something that was not said before."""
    said = before.verdict if before is not None else None
    return said is None or _meaning(said) != _meaning(verdict)


def _meaning(verdict: Verdict) -> tuple[object, ...]:
    return verdict.status, verdict.patterns, verdict.cause, verdict.confidence, verdict.summary
