"""Residual blocking: once a name was sent, a place is dead for us whatever name we send, and after a while it is not.

Source: Bock et al. 2021 (residual censorship, 3- and 4-tuples, 60 to 360 s); the late control of Hyperquack; CONTRACT
section 2: its recovery settles the matter. An outage does not begin when a name is sent, nor twice in that moment; a
limit on connections does not spare five in a row. So it takes two bouts at one place, each begun by the name, dead for
a neutral one and then over; five neutral names that passed between them; no neutral name dead at another time; and none
that passed while the place should have been dead.
"""

import itertools
from collections.abc import Iterable
from operator import itemgetter

import msgspec

from probe.classify.pairs import FIRST_LATE, LATE, PAIRS, SPOKE
from probe.classify.tries import TRIGGERABLE, Layer, Outcome, Try
from probe.model.endpoint import Endpoint
from probe.model.experiment import Design, Experiment, NameKind, Step

RETRANSMITTED_S = 0.9
"""A connect that took longer lost its first SYN: RFC 6298 section 2 sends it again after one second."""
LIMIT_WINDOW_S = 60.0
"""Limits on connections count by the minute: what was opened in it may explain that a place is dead."""
_DEAD = TRIGGERABLE | {Outcome.REFUSED, Outcome.UNREACHABLE}
"""Number of the first late test; what follows it may be moot."""


class Bout(msgspec.Struct, frozen=True, kw_only=True):
    """One trigger or several in a row, and what became of neutral names there until one passed."""

    first_s: float
    """When the name was first sent."""
    last_s: float
    """When it may have been sent last, retransmissions included."""
    dead_s: tuple[float, ...] = ()
    """When neutral names were sent that nobody answered, or that were torn down."""
    asked_s: float = 0.0
    """When the first one was sent that passed."""
    alive_s: float | None = None
    """When it had passed; `None` = none has so far."""
    controls_before: int = 0
    """How many neutral names passed in a row before it."""
    opened_before: int = 0
    """How many connections were opened there in the minute before the first neutral name was dead."""

    @property
    def at_least_s(self) -> float:
        """Return how long the place was dead at least."""
        return max(0.0, max(self.dead_s, default=self.last_s) - self.last_s)

    @property
    def at_most_s(self) -> float:
        """Return how long it was dead at most; infinite while it has not come back."""
        return float("inf") if self.alive_s is None else self.alive_s - self.first_s


class Residual(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of a residual block at one place."""

    bouts: int
    at_least_s: float
    at_most_s: float

    @property
    def length(self) -> str:
        """Return the bounds in words."""
        return (
            f"Measured {self.bouts} times: dead for {self.at_least_s:.1f} s at least, {self.at_most_s:.1f} s at most."
        )


def find_residual(rows: Iterable[Try], layer: Layer) -> Residual | None:
    """Return what the tries at one place tell of a residual block after a step of this layer; `None` = no proof."""
    bouts, strays = find_bouts(tuple(rows), layer)
    over = [bout for bout in bouts if bout.alive_s is not None]
    dead = [bout for bout in over if bout.dead_s]
    if strays or len(dead) < 2:
        return None
    spared = max(bout.controls_before for bout in dead[1:])
    if spared < PAIRS or min(bout.opened_before for bout in dead) >= spared:
        return None
    best = min(dead, key=lambda bout: bout.at_most_s - bout.at_least_s)
    # A neutral name that passed while the place should have been dead says that the name was not the reason.
    if any(not bout.dead_s and bout.asked_s - bout.last_s < best.at_least_s for bout in over):
        return None
    return Residual(bouts=len(dead), at_least_s=best.at_least_s, at_most_s=best.at_most_s)


def find_bouts(rows: tuple[Try, ...], layer: Layer) -> tuple[list[Bout], int]:
    """Return the bouts at one place in order, and how many neutral names were dead outside any."""
    opened = [row.started_s for row in rows if row.layer is Layer.TCP]
    bouts: list[Bout] = []
    current: Bout | None = None
    passed, strays = 0, 0
    for at_s, what, until_s in sorted(_events(rows, layer), key=itemgetter(0, 1)):
        if what == _TRACED:
            if current is not None:
                current = msgspec.structs.replace(current, last_s=max(current.last_s, until_s))
        elif what == _TRIGGER:
            if current is None:
                current = Bout(first_s=at_s, last_s=until_s, controls_before=passed)
            else:
                current = msgspec.structs.replace(current, last_s=max(current.last_s, until_s))
        elif what == _FAILED:
            if current is None:
                strays += 1
                continue
            if not current.dead_s:
                before = sum(at_s - LIMIT_WINDOW_S <= when < at_s for when in opened)
                current = msgspec.structs.replace(current, opened_before=before)
            current = msgspec.structs.replace(current, dead_s=(*current.dead_s, at_s))
        elif current is None:
            passed += 1
        else:
            bouts.append(msgspec.structs.replace(current, asked_s=at_s, alive_s=until_s))
            current, passed = None, 1
    return (bouts if current is None else [*bouts, current]), strays


_TRIGGER, _TRACED, _FAILED, _PASSED = range(4)
_Event = tuple[float, int, float]
"""When it began, what it was, and when it was over."""


def _events(rows: tuple[Try, ...], layer: Layer) -> list[_Event]:
    layers = {layer, Layer.HELLO} if layer is Layer.TLS else {layer}
    slow = {_key(r): r for r in rows if _is_slow(r)}
    events: list[_Event] = []
    for row in rows:
        if row.kind is NameKind.TEST:
            if row.layer in layers and row.outcome in TRIGGERABLE:
                ended_s = row.ended_s if row.outcome is Outcome.SILENT else row.started_s
                events.append((row.started_s, _TRIGGER, ended_s))
            elif row.experiment is not None and row.experiment.step is Step.TRACE_NAME:
                # Its packets die on the way: they may have passed a filter, or not.
                events.append((row.started_s, _TRACED, row.ended_s))
        elif row.kind is NameKind.NEUTRAL and (row.layer is Layer.TCP or row.layer in layers):
            events += _neutral(row, slow.get(_key(row)))
    return events


def _is_slow(row: Try) -> bool:
    return row.layer is Layer.TCP and row.ended_s - row.started_s > RETRANSMITTED_S


def _key(row: Try) -> tuple[str, str]:
    return row.measurement, row.experiment.id if row.experiment is not None else ""


def _neutral(row: Try, slow: Try | None) -> list[_Event]:
    if row.outcome in _DEAD:
        return [(row.started_s, _FAILED, row.ended_s)]
    if row.layer is Layer.TCP or row.outcome not in SPOKE:
        return []
    if slow is None or slow is row:
        return [(row.started_s, _PASSED, row.ended_s)]
    # Its first SYN was lost and a later one was not: dead when it began, alive when it was through.
    return [(slow.started_s, _FAILED, slow.ended_s), (row.started_s, _PASSED, row.ended_s)]


SAMPLES = (0.0, 0.15, 0.3, 0.475, 0.7, 0.925)
"""When a neutral name is tried after the trigger, in cool-downs: at once, 30, 60, 95, 140 and 185 s of 200."""
SAMPLE_WITHIN_S = 2.5
"""A place that is alive answers within a few round trips, one lost packet included."""


def sample_delays(cool_down_s: float) -> tuple[float, ...]:
    """Return how long each sample waits after the one before, which was dead and took its time to be so."""
    gaps = [later - sooner for sooner, later in itertools.pairwise(SAMPLES)]
    return (0.0, *(max(0.0, gap * cool_down_s - SAMPLE_WITHIN_S) for gap in gaps))


def is_moot(experiment: Experiment, rows: tuple[Try, ...]) -> bool:
    """Tell whether what this run has seen leaves a late try nothing to tell.

    Once a neutral name is dead after the name, further tests prove nothing; once it passes, there is nothing to time.
    """
    mine = [row for row in rows if not row.measurement and _is_sample(row, experiment.endpoint)]
    dead = any(row.outcome in _DEAD or _is_slow(row) for row in mine)
    passed = any(row.layer is not Layer.TCP and row.outcome in SPOKE for row in mine)
    if experiment.design is Design.RESIDUAL:
        return experiment.cell > 1 and (passed or not dead)
    return experiment.about == LATE and experiment.cell > FIRST_LATE and dead


def _is_sample(row: Try, endpoint: Endpoint | None) -> bool:
    return (
        row.experiment is not None and row.experiment.design is Design.RESIDUAL and row.experiment.endpoint == endpoint
    )
