"""Which targets a reader asked for, found without holding up the loop."""

import asyncio
import heapq
from collections import Counter
from collections.abc import Sequence

import msgspec

from probe.model.snapshot import TargetSnapshot
from probe.model.verdict import Cause, Status
from probe.store.values import Run, Spread

_TURN_TARGETS = 2000


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """What was found."""

    counts: dict[Status, int]
    """Of all targets, whatever was asked for."""
    matching: tuple[TargetSnapshot, ...]
    """In the list's order."""


def shown_status(snapshot: TargetSnapshot) -> Status:
    """Return the status as last judged; never judged is `insufficient`."""
    return snapshot.verdict.status if snapshot.verdict is not None else Status.INSUFFICIENT


async def select(snapshots: Sequence[TargetSnapshot], *, status: Status | None, text: str) -> Selection:
    """Return the targets of a status whose address, id or group contains a text, upper and lower case alike."""
    counts: Counter[Status] = Counter()
    matching: list[TargetSnapshot] = []
    wanted = text.lower()
    frozen = tuple(snapshots)
    for start in range(0, len(frozen), _TURN_TARGETS):
        for snapshot in frozen[start : start + _TURN_TARGETS]:
            now = shown_status(snapshot)
            counts[now] += 1
            if (status is None or now is status) and (not wanted or _mentions(snapshot, wanted)):
                matching.append(snapshot)
        await asyncio.sleep(0)
    return Selection(counts=dict(counts), matching=tuple(matching))


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


def _mentions(snapshot: TargetSnapshot, wanted: str) -> bool:
    target = snapshot.target
    return wanted in target.address.lower() or wanted in target.id.lower() or wanted in target.group.lower()
