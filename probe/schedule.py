"""What is due when: one heap, no clock of its own, no dice. The caller brings the time.

Regular runs: a target's phase is `(stable_hash(id) ^ seed) % interval` on the wall clock, so it is the same after a
restart; from then on its due times are boot times, which no clock step moves, and next = previous + interval. A slot
that passes while the target still runs, or while nobody asked, is counted as missed and never run later.
Extra runs: a confirmation, or pending experiments; at most one of each waits per target, and they do not shift slots.
"""

import heapq
from collections.abc import Iterable
from enum import StrEnum
from typing import TypeAlias

import msgspec

from probe.model.experiment import Pending
from probe.model.spread import stable_hash
from probe.model.target import CheckName, Exposure, Target

WALL_STEP_S = 2.0
"""A wall clock that moved by more than this against the boot clock was stepped."""


JITTER_RATIO = 0.1
"""Of the interval, either way: two runs of a private endpoint are an interval ± 20 % apart (CONTRACT section 6)."""


def _jitter(target_id: str, due_s: float) -> float:
    """Return by which share of its interval a run is off the grid; the same whenever it is asked."""
    return ((stable_hash(f"{target_id} {due_s:.0f}") % 2001) / 1000 - 1) * JITTER_RATIO


class RunKind(StrEnum):
    """Why a target is run."""

    REGULAR = "regular"
    CONFIRMATION = "confirmation"
    PENDING = "pending"


class DueRun(msgspec.Struct, frozen=True, kw_only=True):
    """Leave to start one run now; `Schedule.done` must follow when it has ended."""

    target: str
    kind: RunKind
    due_s: float
    """Boot time at which it should have started."""
    continues: str = ""
    """The measurement whose experiments these are."""
    pending: tuple[Pending, ...] = ()


class ScheduleChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a reload did; ids."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    """Those with another interval: they got a new phase."""


class ScheduleStats(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of this moment; totals count since the process started."""

    targets: int
    running: int
    waiting: int
    """Confirmations and pending experiments that are not due yet, or whose target is running."""
    missed_runs_total: int
    stretch_ratio: float


class _Slot:
    """The regular run of one target. It is its own heap entry; what is replaced stays there, dead, until it is due."""

    __slots__ = ("alive", "due_s", "factor", "id", "interval_s", "is_jittered", "offset_s")

    def __init__(
        self, target_id: str, interval_s: float, due_s: float, factor: int = 1, *, is_jittered: bool = False
    ) -> None:
        self.id = target_id
        self.interval_s = interval_s
        self.due_s = due_s
        self.factor = factor
        """The interval counts this many times: back-off. Whole numbers keep the phase."""
        self.is_jittered = is_jittered
        """Its runs are not on the grid itself, so that nobody knows a private endpoint's by their regularity."""
        self.offset_s = 0.0
        """How far `due_s` is from the grid."""
        self.alive = True

    def __lt__(self, other: "_Entry") -> bool:
        return self.due_s < other.due_s


class _Extra:
    """A confirmation, or pending experiments, of one target."""

    __slots__ = ("alive", "due_s", "run")

    def __init__(self, run: DueRun) -> None:
        self.run = run
        self.due_s = run.due_s
        self.alive = True

    def __lt__(self, other: "_Entry") -> bool:
        return self.due_s < other.due_s


_Entry: TypeAlias = _Slot | _Extra


class Schedule:
    """The heap. All times are boot seconds unless they say wall."""

    def __init__(self, *, seed: int, wall_s: float, boot_s: float) -> None:
        self._seed = seed
        self._wall_minus_boot_s = wall_s - boot_s
        self._heap: list[_Entry] = []
        self._dead = 0
        self._slots: dict[str, _Slot] = {}
        self._extras: dict[tuple[str, RunKind], _Extra] = {}
        self._running: set[str] = set()
        self._parked: dict[str, list[_Extra]] = {}
        """Extras that became due while their target ran."""
        self._stretch = 1.0
        self._missed = 0
        self.longest_interval_s = 3600.0
        """Back-off ends here."""

    def replace(self, targets: Iterable[Target], now_s: float) -> ScheduleChange:
        """Run these from now on. Whoever was here with the same interval keeps phase, back-off and extras."""
        # Replaced slots need no mark: the heap is made anew at the end.
        targets = tuple(targets)
        wanted = {target.id: target.interval_s for target in targets}
        private = {t.id for t in targets if t.check is CheckName.VPN and t.exposure is Exposure.PRIVATE}
        removed = tuple(target_id for target_id in self._slots if target_id not in wanted)
        added: list[str] = []
        changed: list[str] = []
        for target_id in removed:
            self._remove(target_id)
        for target_id, interval_s in wanted.items():
            slot = self._slots.get(target_id)
            if slot is None:
                added.append(target_id)
            elif slot.interval_s != interval_s:
                changed.append(target_id)
            else:
                continue
            due_s = self._first_due(target_id, interval_s, now_s)
            self._slots[target_id] = _Slot(target_id, interval_s, due_s, is_jittered=target_id in private)
        self._rebuild()
        return ScheduleChange(added=tuple(added), removed=removed, changed=tuple(changed))

    def due(self, now_s: float, limit: int) -> list[DueRun]:
        """Return what is to be started now, longest overdue first, and count its target as running."""
        runs: list[DueRun] = []
        heap = self._heap
        while heap and heap[0].due_s <= now_s and len(runs) < limit:
            entry = heapq.heappop(heap)
            if not entry.alive:
                self._dead -= 1
            elif isinstance(entry, _Slot):
                if entry.id in self._running:
                    self._missed += 1
                else:
                    self._running.add(entry.id)
                    runs.append(DueRun(target=entry.id, kind=RunKind.REGULAR, due_s=entry.due_s))
                self._advance(entry, now_s)
                heapq.heappush(heap, entry)
            elif entry.run.target in self._running:
                self._parked.setdefault(entry.run.target, []).append(entry)
            else:
                self._take_extra(entry)
                runs.append(entry.run)
        return runs

    def next_due_s(self) -> float | None:
        """Return the boot time of the next run; None = nothing is scheduled."""
        heap = self._heap
        while heap and not heap[0].alive:
            heapq.heappop(heap)
            self._dead -= 1
        return heap[0].due_s if heap else None

    def count_due(self, now_s: float) -> int:
        """Return how many runs are due and not started; only what is due is looked at."""
        heap, found, at = self._heap, 0, [0]
        while at:
            position = at.pop()
            if position < len(heap) and heap[position].due_s <= now_s:
                found += heap[position].alive
                at += (2 * position + 1, 2 * position + 2)
        return found + sum(map(len, self._parked.values()))

    def is_running(self, target_id: str) -> bool:
        """Tell whether a run of this target was started and has not ended."""
        return target_id in self._running

    def done(self, target_id: str) -> None:
        """Tell that a target's run has ended, in whatever way."""
        self._running.discard(target_id)
        for extra in self._parked.pop(target_id, ()):
            if extra.alive:
                heapq.heappush(self._heap, extra)

    def follow_up(self, target_id: str, at_s: float) -> None:
        """Run once more at that time to confirm what was seen; an earlier wish for the same is replaced."""
        self._add_extra(DueRun(target=target_id, kind=RunKind.CONFIRMATION, due_s=at_s))

    def cancel_follow_up(self, target_id: str) -> None:
        """Forget the confirmation that waits, if one does: nothing is left to confirm."""
        self._drop_extra((target_id, RunKind.CONFIRMATION))

    def defer(self, target_id: str, now_s: float, measurement: str, pending: tuple[Pending, ...]) -> None:
        """Run a measurement's pending experiments when all of them may run; newer ones replace those that wait.

        A place only gets colder, so those that may run early wait for the last.
        """
        due_s = now_s + max(each.due_in_s for each in pending)
        run = DueRun(target=target_id, kind=RunKind.PENDING, due_s=due_s, continues=measurement, pending=pending)
        self._add_extra(run)

    def postpone(self, run: DueRun, at_s: float) -> None:
        """Put a run that `due` returned back to a later time: its place is hot again. `done` is implied."""
        self.done(run.target)
        if (run.target, run.kind) not in self._extras:
            self._add_extra(msgspec.structs.replace(run, due_s=at_s))

    def back_off(self, target_id: str) -> None:
        """Double the interval, up to a limit, from the next slot on: another run that found the same bad state."""
        slot = self._slots.get(target_id)
        if slot is not None:
            most = max(1, int(self.longest_interval_s // slot.interval_s))
            factor = min(slot.factor * 2, most)
            self._move(slot, slot.due_s + (factor - slot.factor) * slot.interval_s * self._stretch, factor)

    def resume(self, target_id: str, now_s: float) -> None:
        """End the back-off: the target runs at its next ordinary slot."""
        slot = self._slots.get(target_id)
        if slot is not None and slot.factor > 1:
            step_s = slot.interval_s * self._stretch
            skipped = max(0, int((slot.due_s - now_s) // step_s))
            self._move(slot, slot.due_s - skipped * step_s, 1)

    def set_stretch(self, ratio: float, now_s: float) -> None:
        """Lengthen all intervals by this ratio (1 = not at all), as the load asks; the order of due times stays."""
        ratio = max(1.0, ratio)
        change = ratio / self._stretch
        self._stretch = ratio
        if change != 1.0:
            for slot in self._slots.values():
                if slot.due_s > now_s:
                    slot.due_s = now_s + (slot.due_s - now_s) * change
            self._rebuild()

    def effective_interval_s(self, target: Target) -> float:
        """Return the interval in force, with stretch and back-off; one that was removed meanwhile keeps its own."""
        slot = self._slots.get(target.id)
        return target.interval_s if slot is None else slot.interval_s * slot.factor * self._stretch

    def anchor(self, wall_s: float, boot_s: float) -> float:
        """Take note of both clocks; return by how far the wall clock was stepped, or 0.

        Due times do not move with it. Targets that are added later get their phase on the new wall time.
        """
        moved_s = (wall_s - boot_s) - self._wall_minus_boot_s
        self._wall_minus_boot_s = wall_s - boot_s
        return moved_s if abs(moved_s) > WALL_STEP_S else 0.0

    def stats(self) -> ScheduleStats:
        """Return the figures of this moment."""
        return ScheduleStats(
            targets=len(self._slots),
            running=len(self._running),
            waiting=len(self._extras),
            missed_runs_total=self._missed,
            stretch_ratio=self._stretch,
        )

    def _first_due(self, target_id: str, interval_s: float, now_s: float) -> float:
        """Return the first moment from now on that has the target's phase on the wall clock."""
        interval_ms = max(1, round(interval_s * self._stretch * 1000))
        phase_ms = (stable_hash(target_id) ^ self._seed) % interval_ms
        wall_ms = (now_s + self._wall_minus_boot_s) * 1000
        return now_s + ((phase_ms - wall_ms) % interval_ms) / 1000

    def _advance(self, slot: _Slot, now_s: float) -> None:
        """Move to the first slot after now; those in between are missed."""
        step_s = slot.interval_s * slot.factor * self._stretch
        slot.due_s += step_s - slot.offset_s
        if slot.due_s <= now_s:
            missed = int((now_s - slot.due_s) // step_s) + 1
            slot.due_s += missed * step_s
            self._missed += missed
        slot.offset_s = _jitter(slot.id, slot.due_s) * slot.interval_s if slot.is_jittered else 0.0
        slot.due_s += slot.offset_s

    def _move(self, slot: _Slot, due_s: float, factor: int) -> None:
        if due_s == slot.due_s:
            slot.factor = factor
            return
        moved = self._slots[slot.id] = _Slot(slot.id, slot.interval_s, due_s, factor, is_jittered=slot.is_jittered)
        moved.offset_s = slot.offset_s
        heapq.heappush(self._heap, moved)  # before the old one dies: that may make the heap anew from the tables
        self._kill(slot)

    def _add_extra(self, run: DueRun) -> None:
        key = (run.target, run.kind)
        self._drop_extra(key)
        if run.target in self._slots:
            extra = self._extras[key] = _Extra(run)
            heapq.heappush(self._heap, extra)

    def _take_extra(self, extra: _Extra) -> None:
        del self._extras[extra.run.target, extra.run.kind]
        self._running.add(extra.run.target)

    def _drop_extra(self, key: tuple[str, RunKind]) -> None:
        extra = self._extras.pop(key, None)
        if extra is None:
            return
        if extra in (parked := self._parked.get(key[0], [])):
            parked.remove(extra)
        else:
            self._kill(extra)

    def _remove(self, target_id: str) -> None:
        self._kill(self._slots.pop(target_id))
        for kind in RunKind:
            self._drop_extra((target_id, kind))

    def _kill(self, entry: _Entry) -> None:
        """Mark a heap entry that is in no table any more."""
        entry.alive = False
        self._dead += 1
        if self._dead > len(self._heap) // 2 + 64:
            self._rebuild()

    def _rebuild(self) -> None:
        """Make the heap anew from what is in the tables."""
        parked = {id(extra) for extras in self._parked.values() for extra in extras}
        self._heap = [*self._slots.values()]
        self._heap += [extra for extra in self._extras.values() if id(extra) not in parked]
        heapq.heapify(self._heap)
        self._dead = 0
