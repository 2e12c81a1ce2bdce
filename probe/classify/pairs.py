"""Counting the paired design: failed tests against good controls at one place.

What counts toward n (CONTRACT section 2): a failed test counts only if the place was cold, or a control there succeeded
after the previous failure (T C T C).
"""

import msgspec

from probe.classify.tries import TRIGGERABLE, Outcome, Try
from probe.model.experiment import Design, NameKind
from probe.model.observation import HTTPExchange, QUICHandshake, TCPConnect, TLSHandshake

SPOKE = frozenset({Outcome.OK, Outcome.ALERT, Outcome.UNTRUSTED})
"""The place answered in TLS, whatever it said: it neither reset, hung up nor kept silent."""
PAIRS = 5
"""Fisher exact, two-sided: five failures against five successes give p = 0.008 (CONTRACT section 2)."""
DEEP_PAIRS = 3
"""Three against three tell a difference (p = 0.1, C1): enough where nobody is accused."""
TWICE = 2
"""What is seen once may be an accident."""
FIRST_LATE = 11
"""Number of the first try of the late design, of either kind."""
LATE = "late"
"""Marks tests that follow a cool-down and five good controls: all five of them count."""
FULL_PACKET_BYTES = 1500
"""An answer larger than this came in full-size packets, so the path carries those."""


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """Counted tries of a paired design: failed tests against good controls."""

    tests: int
    controls: int
    transactions: tuple[int, ...] = ()


def count_pairs(places: list[tuple[Try, ...]], outcome: Outcome) -> Pairs:
    """Count over several places; each holds all tries of one layer there, and all connects."""
    tests: list[Try] = []
    controls: list[Try] = []
    for rows in places:
        here, good = _count_at(rows, outcome)
        tests += here
        controls += good
    return Pairs(
        tests=len(tests),
        controls=len(controls),
        transactions=tuple(row.transaction for row in tests + controls if not row.measurement),
    )


def _count_at(rows: tuple[Try, ...], outcome: Outcome) -> tuple[list[Try], list[Try]]:
    steps = sorted((r for r in rows if not isinstance(r.observation, TCPConnect)), key=_start)
    tests = [r for r in steps if r.kind is NameKind.TEST and r.outcome in TRIGGERABLE]
    neutral = [r for r in steps if r.kind is NameKind.NEUTRAL]
    good = [r for r in neutral if r.outcome in SPOKE]
    hot = any(r.hot for r in rows)
    counted: list[Try] = []
    previous: Try | None = None
    for test in tests:
        if _is_late(test):
            counts = _cold_again(test, tests, neutral)
        elif previous is None and not hot:
            counts = True
        else:
            since_s = float("-inf") if previous is None else previous.started_s
            counts = any(c.started_s >= since_s and c.ended_s <= test.started_s for c in good)
        if counts:
            counted.append(test)
        previous = test
    alike = [t for t in counted if t.outcome is outcome]
    if any(_is_late_control(row) and row.outcome not in SPOKE for row in neutral):
        return alike, []  # the place had been left alone, and a neutral name failed there: the name is not the trigger
    if outcome is Outcome.SILENT and any(not _stopped_on_the_way(t) for t in alike):
        good = [c for c in good if carried_full_packets(c)]
    return alike, good


def _start(row: Try) -> tuple[float, float, int]:
    return row.started_s, row.ended_s, row.transaction


def _is_late(row: Try) -> bool:
    return row.experiment is not None and row.experiment.about == LATE


def _is_late_control(row: Try) -> bool:
    """Tell whether a neutral name was sent after a cool-down, before any test: nothing was there to remember us for."""
    planned = row.experiment
    return planned is not None and planned.design in (Design.SNI, Design.HOST) and planned.cell >= FIRST_LATE


def _cold_again(test: Try, tests: list[Try], neutral: list[Try]) -> bool:
    """Tell whether five controls, and no failed one, came between the last ordinary failure and the late tests."""
    late = [t for t in tests if _is_late(t) and t.measurement == test.measurement]
    first_s = min(t.started_s for t in late)
    before_s = max((t.ended_s for t in tests if not _is_late(t) and t.ended_s <= first_s), default=float("-inf"))
    between = [c for c in neutral if before_s <= c.started_s and c.ended_s <= first_s]
    return len(between) >= PAIRS and all(c.outcome in SPOKE for c in between)


def _stopped_on_the_way(test: Try) -> bool:
    """Tell whether what we sent was never acknowledged, so that it was dropped before the server."""
    seen = test.observation
    if not isinstance(seen, TLSHandshake | HTTPExchange) or seen.bytes_acked is None:
        return False
    return seen.bytes_acked < seen.bytes_sent


def carried_full_packets(control: Try) -> bool:
    """Tell whether the control's answer was large: a path that loses large packets lets short answers through.

    A server's certificates may be lost in such a path (an MTU black hole) while an alert for a neutral name passes.
    """
    seen = control.observation
    if isinstance(seen, QUICHandshake):
        return seen.datagrams_received > 0  # first packets are padded to full size, both ways
    return isinstance(seen, TLSHandshake | HTTPExchange) and seen.bytes_received > FULL_PACKET_BYTES
