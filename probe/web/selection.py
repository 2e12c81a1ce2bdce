"""Which targets a reader asked for, found without holding up the loop."""

import asyncio
from collections import Counter
from collections.abc import Sequence

import msgspec

from probe.model.snapshot import TargetSnapshot
from probe.model.verdict import Status

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


def _mentions(snapshot: TargetSnapshot, wanted: str) -> bool:
    target = snapshot.target
    return wanted in target.address.lower() or wanted in target.id.lower() or wanted in target.group.lower()
