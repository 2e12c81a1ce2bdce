"""Groups with a verdict of their own, on pages: who is in them, and what their members came to together over time."""

from collections.abc import Sequence

from probe.export.grid import Grid
from probe.export.pictures.cells import best_of, worst_of
from probe.model.snapshot import TargetSnapshot
from probe.model.target import CheckName, GroupMode


class Members:
    """The members of each group, found once for a page."""

    def __init__(self, snapshots: Sequence[TargetSnapshot]) -> None:
        self._members: dict[tuple[str, GroupMode], list[TargetSnapshot]] = {}
        for snapshot in snapshots:
            target = snapshot.target
            if target.group_mode is not GroupMode.LABEL and target.check is not CheckName.GROUP:
                self._members.setdefault((target.group, target.group_mode), []).append(snapshot)

    def of(self, snapshot: TargetSnapshot) -> tuple[TargetSnapshot, ...]:
        """Return the members of a group in the list's order; none of what is no group."""
        target = snapshot.target
        if target.check is not CheckName.GROUP:
            return ()
        return tuple(self._members.get((target.group, target.group_mode), ()))

    def cells(self, snapshot: TargetSnapshot, grid: Grid) -> bytes:
        """Return a target's cells; a group, which is never run, has the best or the worst of its members'."""
        members = self.of(snapshot)
        if not members:
            return grid.row(snapshot.target.id)
        rows = [grid.row(member.target.id) for member in members]
        return best_of(rows) if snapshot.target.group_mode is GroupMode.ANY else worst_of(rows)
