"""Which targets a reader asked for, found without holding up the loop."""

import asyncio
import heapq
from collections import Counter
from collections.abc import Sequence

import msgspec

from probe.export.text.words import shown_status
from probe.model.cell import SEVERITY
from probe.model.pattern import Pattern
from probe.model.snapshot import TargetSnapshot
from probe.model.verdict import Cause, Status
from probe.store.values import Run, Spread
from probe.web.filters import Filter

_TURN_TARGETS = 500


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    counts: dict[Status, int]
    """Of all targets, whatever was asked for."""
    matching: tuple[TargetSnapshot, ...]
    """In the list's order."""
    groups: tuple[str, ...] = ()
    """Of all targets, as are the categories and the patterns."""
    categories: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    """With all the nodes of the taxonomy that they are below."""


async def select(snapshots: Sequence[TargetSnapshot], wanted: Filter) -> Selection:
    """Return the targets that a filter lets through."""
    counts: Counter[Status] = Counter()
    matching: list[TargetSnapshot] = []
    groups: set[str] = set()
    categories: set[str] = set()
    patterns: set[Pattern] = set()
    frozen = tuple(snapshots)
    for start in range(0, len(frozen), _TURN_TARGETS):
        for snapshot in frozen[start : start + _TURN_TARGETS]:
            counts[shown_status(snapshot)] += 1
            groups.add(snapshot.target.group)
            categories.add(snapshot.target.category)
            if snapshot.verdict is not None:
                patterns.update(snapshot.verdict.patterns)
            if wanted.matches(snapshot):
                matching.append(snapshot)
        await asyncio.sleep(0)
    return Selection(
        counts=dict(counts),
        matching=tuple(matching),
        groups=tuple(sorted(groups - {""})),
        categories=tuple(sorted(categories - {""})),
        patterns=tuple(sorted({node for pattern in patterns for node in pattern.ancestors})),
    )


async def sort_worst_first(snapshots: Sequence[TargetSnapshot]) -> tuple[TargetSnapshot, ...]:
    """Return them by severity; of the same severity what began last comes first, and what is ok in the list's order."""
    buckets: dict[Status, list[TargetSnapshot]] = {status: [] for status in reversed(SEVERITY)}
    for start in range(0, len(snapshots), _TURN_TARGETS):
        for snapshot in snapshots[start : start + _TURN_TARGETS]:
            buckets[shown_status(snapshot)].append(snapshot)
        await asyncio.sleep(0)
    for status, bucket in buckets.items():
        if status not in (Status.OK, Status.INSUFFICIENT):
            bucket.sort(key=_began_at, reverse=True)
            await asyncio.sleep(0)
    return tuple(snapshot for bucket in buckets.values() for snapshot in bucket)


def _began_at(snapshot: TargetSnapshot) -> float:
    return snapshot.episode.since.first_in if snapshot.episode is not None else 0.0


async def select_latest(snapshots: Sequence[TargetSnapshot], *, since: float, limit: int) -> list[Run]:
    """Return the last run of each target that was run at `since` or later, newest first."""
    newest: list[TargetSnapshot] = []
    frozen = tuple(snapshots)
    for start in range(0, len(frozen), _TURN_TARGETS):
        turn = [one for one in frozen[start : start + _TURN_TARGETS] if one.last_run_at >= since and one.measurement]
        newest = heapq.nlargest(limit, newest + turn, key=_last_run_at)
        await asyncio.sleep(0)
    return [_build_run(snapshot) for snapshot in newest]


def _last_run_at(snapshot: TargetSnapshot) -> float:
    return snapshot.last_run_at


def _build_run(snapshot: TargetSnapshot) -> Run:
    """Return the last run; where the vantage was unfit for it, the verdict is an older one and is not shown."""
    verdict = None if snapshot.stale else snapshot.verdict
    took_s = snapshot.duration_s
    return Run(
        target=snapshot.target.id,
        first_at=snapshot.last_run_at,
        last_at=snapshot.last_run_at,
        runs=1,
        status=verdict.status if verdict is not None else Status.INSUFFICIENT,
        pattern=verdict.patterns[0] if verdict is not None and verdict.patterns else None,
        cause=verdict.cause if verdict is not None else Cause.NONE,
        confidence=verdict.confidence if verdict is not None else None,
        durations=Spread(min_s=took_s, mean_s=took_s, max_s=took_s),
        measurement=snapshot.measurement,
    )
